"""What the engine itself costs: turns a second with a model that answers at once, and memory for each live dialog.

Every dialog has two agents, an orchestrator and a subscriber of its own, and each turn lets the event loop go round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

# This folder has an `http.py`: found first, it would stand in the place of Python's own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import anyio

from benchmarks.report import machine, print_table
from playact.actors import Agent, LengthOrchestrator, Persona, Scenario
from playact.backends.openai import OpenAIBackend
from playact.backends.scripted import ScriptedBackend
from playact.engine import Actor, Backend, CompletionRequest, Ending, Performance, Record, Simulation, Uttered, handles

ROUNDS = 5
CONCURRENCY = 256
LIVE = (1_000, 10_000, 100_000)


class Counter(Actor):
    """The subscriber that every dialog has."""

    __slots__ = ("words",)

    def __init__(self) -> None:
        self.words = 0

    @handles(Uttered)
    async def count(self, record: Record[Uttered]) -> None:
        self.words += len(record.fact.text)


class Counted(Scenario):
    """A scenario with a subscriber for each dialog."""

    def play(self, performance: Performance) -> Awaitable[Ending]:
        scope = performance.scope
        scope.subscribe(scope.spawn(Counter, name="counter"), Uttered)
        return super().play(performance)


@dataclass(frozen=True)
class Throughput:
    turns_per_s: float
    cpu_us_per_turn: float


def scenario(turns: int) -> Counted:
    alice = Agent(Persona(name="Alice", role="barista"))
    bob = Agent(Persona(name="Bob", role="customer"))
    return Counted(cast=(alice | LengthOrchestrator(min=3, max=turns), bob), max_turns=turns)


def line(request: CompletionRequest) -> str:
    return f"This is line {request.sequence} of a talk about coffee, cake and trains."


async def throughput(dialogs: int, turns: int, url: str | None) -> Throughput:
    model: Backend = OpenAIBackend("any", base_url=url) if url else ScriptedBackend(line)
    async with Simulation(model=model, concurrency=CONCURRENCY, seed=1, tune_collector=True) as simulation:
        cpu, clock = time.process_time(), time.perf_counter()
        async for dialog in simulation.run(repeat(scenario(turns), dialogs)):
            assert len(dialog) == turns, dialog.ending
        seconds, cpu = time.perf_counter() - clock, time.process_time() - cpu
    return Throughput(dialogs * turns / seconds, cpu / (dialogs * turns) * 1e6)


async def bytes_per_live_dialog(dialogs: int, spoken: int) -> float:
    """Resident memory that `dialogs` take, each waiting for a reply after `spoken` turns."""
    reached = anyio.Event()
    waiting = 0

    async def answer(request: CompletionRequest) -> str:
        nonlocal waiting
        if request.sequence == spoken:
            waiting += 1
            if waiting == dialogs:
                reached.set()
            await anyio.sleep_forever()
        return line(request)

    async with Simulation(
        model=ScriptedBackend(answer), concurrency=dialogs, seed=1, tune_collector=True
    ) as simulation:
        before = resident()
        simulation.run(repeat(scenario(20), dialogs))
        await reached.wait()
        return (resident() - before) / dialogs


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def in_a_fresh_process(dialogs: int, spoken: int) -> float:
    """Memory that was freed is used again and hides what is taken, so each figure gets a process of its own."""
    command = [sys.executable, __file__, "--live", str(dialogs), "--spoken", str(spoken)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogs", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--url", help="an OpenAI-compatible endpoint to use instead of the model in the process")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, under a minute")
    parser.add_argument("--live", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--spoken", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.live:
        print(anyio.run(bytes_per_live_dialog, options.live, options.spoken))
        return

    play = partial(throughput, options.dialogs, options.turns, options.url)
    rounds = [anyio.run(play, backend_options={"use_uvloop": True}) for _ in range(2 if options.quick else ROUNDS)]
    result: dict[str, Any] = {
        "turns_per_s": statistics.median(one.turns_per_s for one in rounds),
        "best_turns_per_s": max(one.turns_per_s for one in rounds),
        "cpu_us_per_turn": statistics.median(one.cpu_us_per_turn for one in rounds),
        "bytes_per_live_dialog": {str(live): in_a_fresh_process(live, 0) for live in LIVE},
    }
    if not options.quick:
        result["bytes_per_live_dialog_after_4_turns"] = {str(live): in_a_fresh_process(live, 4) for live in LIVE[:2]}
    about = machine("uvloop")
    if options.json:
        print(json.dumps(result | {"machine": about}))
        return
    memory = result.pop("bytes_per_live_dialog")
    later = result.pop("bytes_per_live_dialog_after_4_turns", {})
    rows = [{"what": name, "value": value} for name, value in result.items()]
    rows += [{"what": f"bytes a live dialog, {live} live", "value": value} for live, value in memory.items()]
    rows += [{"what": f"bytes after 4 turns, {live} live", "value": value} for live, value in later.items()]
    print_table(rows, about)


if __name__ == "__main__":
    main()
