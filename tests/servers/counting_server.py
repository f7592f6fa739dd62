"""A real HTTP server, in a process of its own, that speaks chat completions, always says the same, and counts.

What it says depends on the messages and the seed alone, so two runs that ask the same hear the same, whatever happened
to them meanwhile. Each test has a till of its own in it, with its own counts and manners.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any, cast
from urllib.request import Request, urlopen

from aiohttp import web

__all__ = ["Counts", "CountingServer", "Manners", "Till", "counting_server"]

_PATIENCE_S = 60.0
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath") * 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How a till treats requests. Each share is of the different requests, always the same ones.

    hangs: are not answered until the manners change. overloads: get 429, refuses: 400. stumbles: fail once or twice, by
    429, 500 or a cut connection, and are answered then. Errors repeat the key that they were asked with.
    """

    latency_s: float = 0.004
    retry_after_s: float = 0.2
    hangs: float = 0.0
    overloads: float = 0.0
    refuses: float = 0.0
    stumbles: float = 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """All since the till was opened, but for `in_flight`, `hanging` and `connections`, which are of now.

    different: requests, not counting those asked again. failed: got an error by the till's manners. cut: lost their
    connection by them. Tokens are those of all requests that were not failed, answered or not.
    """

    received: int
    different: int
    answered: int
    failed: int
    cut: int
    in_flight: int
    hanging: int
    most_in_flight: int
    prompt_tokens: int
    completion_tokens: int
    connections: int

    @property
    def paid(self) -> int:
        """How many a service would bill: all that were taken on."""
        return self.received - self.failed


@dataclass(frozen=True, slots=True)
class Till:
    """One test's way to the server."""

    address: str

    @property
    def base_url(self) -> str:
        return f"{self.address}/v1"

    def counts(self) -> Counts:
        return Counts(**self._say("counts"))

    def settled(self) -> Counts:
        """The counts once every client has gone and all that it sent has been seen."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            counts = self.counts()
            if counts.in_flight == 0 and counts.connections <= 1:  # that of the question itself
                return counts
            assert time.monotonic() < deadline, counts
            time.sleep(0.002)

    def mind(self, manners: Manners) -> None:
        """Changes the till's manners, for the requests that come then."""
        self._say("manners", asdict(manners))

    def _say(self, what: str, content: object = None) -> Any:
        request = Request(f"{self.address}/{what}", data=json.dumps(content).encode())  # noqa: S310  # it is our own
        with urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310
            return json.load(answer)


class CountingServer:
    """The test's side of the server."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._names = count()

    def till(self, manners: Manners | None = None) -> Till:
        """A new one."""
        till = Till(f"{self._address}/{next(self._names)}")
        till.mind(manners or Manners())
        return till


@contextmanager
def counting_server() -> Iterator[CountingServer]:
    """Starts the server, and ends it afterwards. It ends by itself when the process that started it does."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield CountingServer(process.stdout.readline().strip())
        finally:
            process.kill()


@dataclass(slots=True)
class _Book:
    manners: Manners = field(default_factory=Manners)
    tally: Counter[str] = field(default_factory=Counter)
    tries: Counter[str] = field(default_factory=Counter)
    most_in_flight: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class _Server:
    def __init__(self) -> None:
        self._books: defaultdict[str, _Book] = defaultdict(_Book)

    async def serve(self) -> None:
        """Until standard input ends."""
        self._server = web.Server(self._handle, handler_cancellation=True)  # made within the loop, as it demands
        runner = web.ServerRunner(self._server)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        host, port, *_ = runner.addresses[0]
        print(f"http://{host}:{port}", flush=True)  # tells the test where it is
        input_ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin, input_ended.set)
        await input_ended.wait()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        _, name, *what = request.path.split("/")
        book = self._books[name]
        body = json.loads(await request.read())
        match what:
            case ["counts"]:
                return web.json_response(self._counts(book))
            case ["manners"]:
                book.manners = Manners(**body)
                book.changed.set()
                book.changed = asyncio.Event()
                return web.json_response(None)
        book.tally["received"] += 1
        book.tally["in_flight"] += 1
        book.most_in_flight = max(book.most_in_flight, book.tally["in_flight"])
        try:
            return await self._answer(book, request, body)
        finally:
            book.tally["in_flight"] -= 1

    def _counts(self, book: _Book) -> dict[str, int]:
        named = ("received", "answered", "failed", "cut", "in_flight", "hanging", "prompt_tokens", "completion_tokens")
        return {name: book.tally[name] for name in named} | {
            "different": len(book.tries),
            "most_in_flight": book.most_in_flight,
            "connections": len(self._server.connections),
        }

    async def _answer(self, book: _Book, request: web.BaseRequest, body: dict[str, Any]) -> web.StreamResponse:
        asked = json.dumps([body["messages"], body.get("seed")])
        key = blake2b(asked.encode(), digest_size=16).hexdigest()
        book.tries[key] += 1
        manners, tally = book.manners, book.tally
        treatment = _treatment(manners, key, book.tries[key])
        if treatment <= 200:
            reply = _bill(tally, body, key)
        match treatment:
            case 200:
                pass
            case 0:
                await asyncio.sleep(manners.latency_s)
                tally["cut"] += 1
                cast("asyncio.Transport", request.transport).abort()
                return web.Response()
            case -1:
                tally["hanging"] += 1
                try:
                    await book.changed.wait()
                finally:
                    tally["hanging"] -= 1
            case status:
                tally["failed"] += 1
                said = f"the till is not well; you came with {request.headers.get('Authorization')}"
                later = {"Retry-After": str(manners.retry_after_s)}
                return web.json_response({"error": {"message": said}}, status=status, headers=later)
        await asyncio.sleep(manners.latency_s)
        tally["answered"] += 1
        return web.json_response(reply)


def _treatment(manners: Manners, key: str, attempt: int) -> int:
    """An HTTP status, 0 for a connection to be cut, -1 for no answer at all."""
    place = int(key[:8], 16) / 2**32
    if (place := place - manners.hangs) < 0:
        return -1
    if (place := place - manners.overloads) < 0:
        return 429
    if (place := place - manners.refuses) < 0:
        return 400
    if place - manners.stumbles < 0 and attempt <= 1 + int(key[8], 16) % 2:
        return (429, 500, 0)[int(key[9:12], 16) % 3]
    return 200


def _bill(tally: Counter[str], body: dict[str, Any], key: str) -> dict[str, Any]:
    """The reply to a request, whose tokens are counted, one a word."""
    number = int(key, 16)
    words = [_WORDS[number >> (4 * place) & 15] for place in range(4 + number % 8)]
    usage = {
        "prompt_tokens": sum(len(message["content"].split()) for message in body["messages"]),
        "completion_tokens": len(words),
    }
    tally.update(usage)
    choice = {"message": {"role": "assistant", "content": f"{' '.join(words)} {key[:4]}"}, "finish_reason": "stop"}
    return {"model": "any", "choices": [choice], "usage": usage}


if __name__ == "__main__":
    asyncio.run(_Server().serve())
