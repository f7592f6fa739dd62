"""What pace is worth: goodput against servers that refuse what is above their limit, and against one that never does.

The server runs in a process of its own. `/rate/R/v1` takes R requests in each minute since the first;
`/places/C/v1` takes C requests at once; both refuse the rest by 429 with a Retry-After. `/queue/C/v1` works on C at
once, refuses nobody and makes the rest wait. A reply takes 100 to 300 ms of work.

Goodput is replies a second that dialogs got, as a share of what the server can give; the knee's columns tell how long
a reply took for whoever asked. What is measured begins when dialogs have had a while to settle.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from math import ceil, inf
from pathlib import Path
from typing import Any

# This folder has an `http.py`: found first, it would stand in the place of Python's own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import anyio
from aiohttp import web

from benchmarks.report import machine, print_table
from playact.actors import Agent, Persona, Scenario
from playact.backends.openai import OpenAIBackend
from playact.engine import Breaker, Completion, CompletionRequest, FailurePolicy, Pace, Retry, Simulation

DIALOGS = 256  # live at once
REPLY_S = 0.2
RATE = 3000  # requests a minute
PLACES = 40


class Server:
    """Counts what it refuses by the limit's own name in the path."""

    def __init__(self) -> None:
        self._minute = -inf
        self._taken = 0
        self._under_way = 0
        self._free = asyncio.Semaphore(PLACES)
        self._luck = random.Random(1)

    async def serve(self) -> None:
        app = web.Application()
        app.router.add_post("/{limit}/{size}/v1/chat/completions", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        host, port, *_ = runner.addresses[0]
        print(f"http://{host}:{port}", flush=True)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
        await ended.wait()

    async def _answer(self, request: web.Request) -> web.Response:
        await request.read()
        match request.match_info["limit"], int(request.match_info["size"]):
            case "rate", size:
                now = time.monotonic()
                if now >= self._minute + 60:
                    self._minute, self._taken = now, 0
                if self._taken >= size:
                    return _refusal(self._minute + 60 - now)
                self._taken += 1
                await self._work()
            case "places", size:
                if self._under_way >= size:
                    return _refusal(1)
                self._under_way += 1
                try:
                    await self._work()
                finally:
                    self._under_way -= 1
            case _:
                async with self._free:
                    await self._work()
        message = {"role": "assistant", "content": f"{self._luck.random()}: that cake too, please."}
        usage = {"prompt_tokens": 120, "completion_tokens": 14}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return web.json_response({"model": "any", "choices": [choice], "usage": usage})

    async def _work(self) -> None:
        await asyncio.sleep(REPLY_S * self._luck.uniform(0.5, 1.5))


def _refusal(after_s: float) -> web.Response:
    headers = {"Retry-After": str(ceil(after_s))}
    return web.json_response({"error": {"message": "too many requests"}}, status=429, headers=headers)


@contextmanager
def server() -> Iterator[str]:
    """Starts the server and gives its address; ends it afterwards."""
    command = [sys.executable, "-m", "benchmarks.pace", "--serve"]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


class Timed(OpenAIBackend):
    """Notes when each reply came and how long it took, and counts refusals."""

    replies: deque[tuple[float, float]]
    refused: int

    async def complete(self, request: CompletionRequest) -> Completion:
        began = time.monotonic()
        try:
            completion = await super().complete(request)
        except Exception:
            self.refused += 1
            raise
        self.replies.append((time.monotonic(), time.monotonic() - began))
        return completion


async def play(
    limit: str, size: int, pace: Pace, breaker: Breaker, settle_s: float, measure_s: float
) -> dict[str, Any]:
    """Keeps so many dialogs live, and tells what came of their calls from `settle_s` on."""
    with server() as address:
        model = Timed("any", base_url=f"{address}/{limit}/{size}/v1", api_key="none")
        model.replies, model.refused = deque(), 0
        scenario = Scenario(cast=(Agent(Persona(name="Ada")), Agent(Persona(name="Bob"))), max_turns=20)
        async with Simulation(
            model=model,
            concurrency=DIALOGS,
            seed=1,
            pace=pace,
            breaker=breaker,
            retry=Retry(attempts=6),
            failures=FailurePolicy(stop_share=None, salvage=False),
        ) as simulation:
            run = simulation.run(repeat(scenario))
            failed = 0
            begun = time.monotonic()
            with anyio.move_on_after(settle_s + measure_s):
                async for dialog in run:
                    failed += dialog.ending is not None and dialog.ending.failed
            run.stop()
        taken = [lasted for at, lasted in model.replies if at >= begun + settle_s]
    can = size / 60 if limit == "rate" else size / REPLY_S
    return {
        "goodput_share": len(taken) / measure_s / can,
        "refused": model.refused,
        "refused_per_reply": model.refused / max(len(model.replies), 1),
        "p50_s": statistics.median(taken) if taken else None,
        "failed_dialogs": failed,
    }


CASES = (
    ("rate", RATE, "off", Pace(adapts=False), Breaker(failures=None)),
    ("rate", RATE, "on (default)", Pace(), Breaker()),
    ("rate", RATE, "limit told", Pace(requests_per_minute=RATE), Breaker()),
    ("places", PLACES, "off", Pace(adapts=False), Breaker(failures=None)),
    ("places", PLACES, "on (default)", Pace(), Breaker()),
    ("places", PLACES, "limit told", Pace(in_flight=PLACES), Breaker()),
    ("queue", PLACES, "off", Pace(adapts=False), Breaker(failures=None)),
    ("queue", PLACES, "on (default)", Pace(), Breaker()),
    ("queue", PLACES, "finds the knee", Pace(finds_knee=True), Breaker()),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="about a minute a row instead of three")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(Server().serve())
        return
    logging.getLogger("playact").setLevel(logging.CRITICAL)  # dialogs are meant to fail in some rows
    rows = []
    for limit, size, name, pace, breaker in CASES:
        settle_s, measure_s = (30.0, 20.0) if options.quick else (60.0, 120.0)
        if limit == "rate":  # which is seen over whole minutes only
            settle_s, measure_s = (0.0, 60.0) if options.quick else (0.0, 180.0)
        result = asyncio.run(play(limit, size, pace, breaker, settle_s, measure_s))
        rows.append({"server": f"{limit} {size}", "pace": name, **result})
    about = machine("aiohttp")
    if options.json:
        print(json.dumps({"rows": rows, "machine": about}))
        return
    print_table(rows, about)


if __name__ == "__main__":
    main()
