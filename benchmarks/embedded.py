"""The embedded model under playact, against the same requests sent to it plainly.

The dialogs are played first, `--slots` at a time, and their requests kept; then a fresh server gets the same requests,
as many at a time, from tasks that do nothing else. What the engine costs is the difference.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterable
from itertools import repeat
from pathlib import Path
from typing import Any

# This folder has an `http.py`: found first, it would stand in the place of Python's own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import anyio

from benchmarks.report import machine, print_table
from playact.actors import Agent, Persona, Scenario
from playact.backends.embedded import EmbeddedBackend
from playact.engine import Completion, CompletionRequest, Simulation

ALICE = Agent(Persona(name="Alice", role="barista", personality="friendly, quick, proud of her coffee"))
BOB = Agent(Persona(name="Bob", role="customer", personality="curious and polite"))


class Recording(EmbeddedBackend):
    """Keeps what it was asked, in the order of asking."""

    requests: list[CompletionRequest]

    async def complete(self, request: CompletionRequest) -> Completion:
        self.requests.append(request)
        return await super().complete(request)


async def played(slots: int, dialogs: int, turns: int) -> tuple[float, list[CompletionRequest]]:
    """Tokens a second, and the requests that were made."""
    model = Recording(slots=slots)
    model.requests = []
    scenario = Scenario(cast=(ALICE, BOB), max_turns=turns)
    async with Simulation(model=model, concurrency=slots, seed=1) as simulation:
        clock = time.perf_counter()
        async for dialog in simulation.run(repeat(scenario, dialogs)):
            assert dialog.ending is not None
            assert not dialog.ending.failed, dialog.ending
        seconds = time.perf_counter() - clock
        return simulation.statistics().completion_tokens / seconds, model.requests


async def plain(slots: int, requests: Iterable[CompletionRequest]) -> float:
    """Tokens a second."""
    model = EmbeddedBackend(slots=slots)
    await model.open()
    left = iter(requests)
    tokens = 0

    async def sender() -> None:
        nonlocal tokens
        for request in left:
            completion = await model.complete(request)
            tokens += completion.usage.completion_tokens

    try:
        clock = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for _ in range(slots):
                tasks.start_soon(sender)
        return tokens / (time.perf_counter() - clock)
    finally:
        await model.aclose()


async def measure(slots: int, dialogs: int, turns: int, rounds: int) -> dict[str, Any]:
    engine, bare = [], []
    for _ in range(rounds):
        rate, requests = await played(slots, dialogs, turns)
        engine.append(rate)
        bare.append(await plain(slots, requests))
    alone = await plain(1, requests[:: max(len(requests) // 16, 1)])
    playact, sent = statistics.median(engine), statistics.median(bare)
    return {
        "slots": slots,
        "dialogs": dialogs,
        "playact_tokens_per_s": playact,
        "plain_tokens_per_s": sent,
        "share_of_plain": playact / sent,
        "one_at_a_time_tokens_per_s": alone,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=32)
    parser.add_argument("--dialogs", type=int, default=64)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="one round instead of three")
    options = parser.parse_args()
    row = anyio.run(measure, options.slots, options.dialogs, options.turns, 1 if options.quick else 3)
    about = machine("xllamacpp", "httptools")
    if options.json:
        print(json.dumps(row | {"machine": about}))
    else:
        print_table([row], about)


if __name__ == "__main__":
    main()
