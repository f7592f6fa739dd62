"""Whole dialogs over HTTP: playact, the same HTTP client without an engine, and others, against one local endpoint.

Each measurement has a process of its own, and lasts until its dialogs are done or a few seconds are over. The bare
loop sends the same bodies over playact's own HTTP client from plain tasks: it is what no engine over this client can
beat. "aiohttp" and "openai-sdk" are the same loop over those clients.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

# This folder has an `http.py`: found first, it would stand in the place of Python's own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import anyio

from benchmarks.chat_endpoint import endpoint
from benchmarks.report import machine, print_table

CLIENTS = ("playact", "bare", "aiohttp", "openai-sdk", "sdialog")
LOADS = [(reply_s, in_flight) for reply_s in (0.0, 0.2) for in_flight in (1, 64, 256, 1000, 4000)]
QUICK_LOADS = [(0.0, 256), (0.2, 1000), (0.2, 4000)]
PROMPT = (
    "You are {}, in a conversation with {}. Always speak as {} and stay in character.\n\nAbout you: friendly, quick, "
    "proud of the coffee.\n\nAnswer with one short utterance, as people do when they talk. Ask few questions."
)


@dataclass
class Load:
    """What one measurement is asked to do, and how far it has come."""

    url: str
    in_flight: int
    dialogs: int
    turns: int
    limit_s: float
    done: int = 0


async def play_with_playact(load: Load) -> None:
    from playact.actors import Agent, Persona, Scenario
    from playact.backends.openai import OpenAIBackend
    from playact.engine import Simulation

    def agent(name: str, other: str) -> Agent:
        return Agent(Persona(name=name), system_prompt=PROMPT.format(name, other, name))

    scenario = Scenario(cast=(agent("Alice", "Bob"), agent("Bob", "Alice")), max_turns=load.turns)
    model = OpenAIBackend("any", base_url=load.url, api_key="none")
    async with Simulation(model=model, concurrency=load.in_flight, seed=1) as simulation:
        try:
            async for dialog in simulation.run(repeat(scenario, load.dialogs)):
                assert len(dialog) == load.turns, dialog.ending
        finally:
            load.done = simulation.statistics().turns


async def play_bare(load: Load) -> None:
    import orjson

    from playact.backends.http_wire import HttpWire

    headers = {"content-type": "application/json", "authorization": "Bearer none"}
    wire = HttpWire("bare", f"{load.url}/chat/completions", headers=headers, timeout_s=300)

    async def complete(messages: list[dict[str, str]], seed: int) -> str:
        answer = await wire.post(orjson.dumps({"model": "any", "messages": messages, "seed": seed}))
        return str(orjson.loads(answer.body)["choices"][0]["message"]["content"])

    try:
        await play_plainly(load, complete)
    finally:
        await wire.aclose()


async def play_with_aiohttp(load: Load) -> None:
    import aiohttp
    import orjson

    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer none"}

    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def complete(messages: list[dict[str, str]], seed: int) -> str:
            body = orjson.dumps({"model": "any", "messages": messages, "seed": seed})
            async with session.post(f"{load.url}/chat/completions", data=body) as response:
                reply = orjson.loads(await response.read())
            return str(reply["choices"][0]["message"]["content"])

        await play_plainly(load, complete)


async def play_with_openai_sdk(load: Load) -> None:
    import openai

    async with openai.AsyncOpenAI(base_url=load.url, api_key="none", max_retries=0, timeout=300) as client:

        async def complete(messages: list[Any], seed: int) -> str:
            reply = await client.chat.completions.create(model="any", messages=messages, seed=seed)
            return reply.choices[0].message.content or ""

        await play_plainly(load, complete)


async def play_plainly(load: Load, complete: Callable[[list[Any], int], Awaitable[str]]) -> None:
    """Two histories a dialog, one for each speaker, from as many tasks as there may be calls in flight."""
    left = iter(range(load.dialogs))

    async def player() -> None:
        for _ in left:
            histories = [
                [{"role": "system", "content": PROMPT.format(name, other, name)}]
                for name, other in (("Alice", "Bob"), ("Bob", "Alice"))
            ]
            histories[0].append({"role": "user", "content": "(The conversation begins. Say your first words.)"})
            for turn in range(load.turns):
                text = await complete(histories[turn % 2], turn)
                histories[turn % 2].append({"role": "assistant", "content": text})
                histories[1 - turn % 2].append({"role": "user", "content": text})
                load.done += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(load.in_flight):
            tasks.start_soon(player)


async def play_with_sdialog(load: Load) -> None:
    """As its users do: one dialog after the other, or in threads, since it has no other way."""
    import sdialog
    from sdialog.agents import Agent
    from sdialog.personas import Persona

    sdialog.config.llm("openai:any", base_url=load.url, api_key="none")
    limiter = anyio.CapacityLimiter(load.in_flight)

    def play() -> None:
        alice, bob = (Agent(persona=Persona(name=name), name=name) for name in ("Alice", "Bob"))
        dialog = alice.dialog_with(bob, max_turns=load.turns, keep_bar=False)
        load.done += len(dialog)

    async with anyio.create_task_group() as tasks:
        for _ in range(load.dialogs):
            tasks.start_soon(lambda: anyio.to_thread.run_sync(play, limiter=limiter, abandon_on_cancel=True))


PLAYERS = {
    "playact": play_with_playact,
    "bare": play_bare,
    "aiohttp": play_with_aiohttp,
    "openai-sdk": play_with_openai_sdk,
    "sdialog": play_with_sdialog,
}


def measure(client: str, load: Load) -> dict[str, float]:
    """Runs one client in this process; all have the same event loop and the same garbage collector."""

    async def run() -> tuple[float, float]:
        await PLAYERS[client](Load(load.url, 1, 1, 2, load.limit_s))  # imports, and code that runs only once
        gc.collect()
        gc.freeze()
        cpu, clock = time.process_time(), time.perf_counter()
        with anyio.move_on_after(load.limit_s):
            await PLAYERS[client](load)
        return time.perf_counter() - clock, time.process_time() - cpu

    gc.set_threshold(100_000, 50, 100)
    seconds, cpu = anyio.run(run, backend_options={"use_uvloop": True})
    return {"turns_per_s": load.done / seconds, "cpu_ms_per_turn": cpu / max(load.done, 1) * 1e3}


def in_a_fresh_process(client: str, reply_s: float, load: Load) -> dict[str, Any]:
    command = [sys.executable, __file__, "--measure", client, "--load", json.dumps(asdict(load))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{client} failed:\n{done.stderr[-2000:]}")
    return {"client": client, "in_flight": load.in_flight, "reply_s": reply_s, **json.loads(done.stdout)}


def median_row(rows: list[dict[str, Any]]) -> dict[str, Any]:
    middle = {name: statistics.median(row[name] for row in rows) for name in ("turns_per_s", "cpu_ms_per_turn")}
    return {**rows[0], **middle}


def rows(address: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Clients in turn within each round, so that a machine whose speed drifts slows all of them alike."""
    found = [name for name in CLIENTS if name != "sdialog" or importlib.util.find_spec("sdialog")]
    result = []
    for reply_s, in_flight in QUICK_LOADS if options.quick else LOADS:
        url = options.url or f"{address}/after/{int(reply_s * 1000)}/v1"
        dialogs = options.dialogs or max(min(4 * in_flight, 2000), in_flight)
        load = Load(url, in_flight, dialogs, options.turns, limit_s=4.0 if options.quick else 15.0)
        measured: dict[str, list[dict[str, Any]]] = {name: [] for name in found}
        for _ in range(1 if options.quick else 3):
            for client in found:
                measured[client].append(in_a_fresh_process(client, reply_s, load))
        bare = statistics.median(row["turns_per_s"] for row in measured["bare"])
        result += [median_row(each) for each in measured.values()]
        for row in result[-len(found) :]:
            row["share_of_bare"] = row["turns_per_s"] / bare
        print(f"{reply_s} s, {in_flight} in flight: done", file=sys.stderr)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogs", type=int, help="for each measurement; by default four times those in flight")
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--url", help="an endpoint that is running already, such as http://127.0.0.1:8000/v1")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="three loads, one round, under a minute")
    parser.add_argument("--measure", choices=CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("--load", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, Load(**json.loads(options.load)))))
        return
    with endpoint() as address:
        result = rows(address, options)
    about = machine("httptools", "orjson", "aiohttp", "openai", "uvloop", "sdialog")
    if options.json:
        print(json.dumps({"rows": result, "machine": about}))
    else:
        print_table(result, about)


if __name__ == "__main__":
    main()
