"""A backend that thinks nothing up: it answers from a script, after the delays and faults that it is told to have.

It is for tests, examples and benchmarks, and needs no model; what it says is the same at every run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Self

import anyio
import anyio.lowlevel

from ..engine.completion import Capabilities, Completion, CompletionRequest, Delta, Usage
from ..engine.description import Description
from ..engine.errors import BackendOverloaded, BackendUnavailable, ReplyInvalid, ScriptExhausted, SetupError
from .faults import Faults, Latency, Weather
from .small_talk import LONGEST, small_talk

__all__ = ["ScriptedBackend"]

Reply = str | Completion
Script = Sequence[Reply] | Callable[[CompletionRequest], Reply | Awaitable[Reply]]

_STORM = Faults(slow=0.1, overloaded=0.05, unavailable=0.05, cut=0.05, malformed=0.001, hang=0.01)


class ScriptedBackend:
    """Answers with `replies`: a sequence, in the order of asking, until `ScriptExhausted`; or a function of requests.

    Without replies it makes small talk, chosen by the request's seed. `latency` and `faults` are drawn for each call
    from `seed` and who makes it. Tokens are counted as words; `max_tokens` says how many a reply of yours has at the
    most, which caps on tokens must know. It runs on asyncio and trio.
    """

    def __init__(
        self,
        replies: Script | None = None,
        *,
        latency: Latency | None = None,
        faults: Faults | None = None,
        seed: int = 0,
        in_flight: int | None = None,
        max_tokens: int | None = None,
        timeout_s: float = 30.0,
        name: str = "scripted",
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            in_flight=in_flight,
            max_tokens=LONGEST if replies is None else max_tokens,
            tools=True,
            response_schema=True,
            seed=True,
            thinking=True,
            streaming=True,
            logprobs=True,
        )
        self._script = _as_function(small_talk if replies is None else replies)
        self._weather = Weather(latency, faults, seed) if latency or faults else None
        self._timeout_s = timeout_s
        self._calls = 0
        self._in_flight = 0
        self._most_in_flight = 0
        self._befallen: Counter[str] = Counter()

    @classmethod
    def from_name(cls, name: str) -> Self:
        """`scripted`, or `scripted:storm` for half a second a reply and a fault in every fourth."""
        if name == "":
            return cls()
        if name == "storm":
            return cls(latency=Latency(0.5, spread=0.5), faults=_STORM, name="scripted:storm")
        raise SetupError(f'there is no scripted model "{name}"; say "scripted" or "scripted:storm"')

    @classmethod
    def describe(cls) -> Description:
        """It needs nothing."""
        return Description()

    async def open(self) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def complete(self, request: CompletionRequest) -> Completion:
        """Always lets other tasks run once. Raises as a real backend would, when the weather says so."""
        self._calls += 1
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        try:
            if self._weather is None:
                await anyio.lowlevel.checkpoint()
            else:
                await self._brave(self._weather, request)
            reply = self._script(request)
            if not isinstance(reply, str | Completion):
                reply = await reply
        finally:
            self._in_flight -= 1
        return reply if isinstance(reply, Completion) else Completion(text=reply, usage=_usage(request, reply))

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        """As `complete`, word by word: the weather comes first, then other tasks run once between the words."""
        completion = await self.complete(request)
        self._in_flight += 1
        try:
            for word in _words(completion.thinking):
                yield Delta(thinking=word)
                await anyio.lowlevel.checkpoint()
            for word in _words(completion.text):
                yield Delta(word)
                await anyio.lowlevel.checkpoint()
            yield Delta(completion=completion)
        finally:
            self._in_flight -= 1

    def statistics(self) -> Mapping[str, int]:
        """How many calls came, how many are in flight and were at most, and how many of each fault befell them."""
        return {
            "calls": self._calls,
            "in_flight": self._in_flight,
            "most_in_flight": self._most_in_flight,
            **self._befallen,
        }

    async def _brave(self, weather: Weather, request: CompletionRequest) -> None:
        fault, seconds = weather.befalls(request)
        if fault is not None:
            self._befallen[fault] += 1
        if fault == "hang" or seconds > self._timeout_s:
            await anyio.sleep(self._timeout_s)
            raise BackendUnavailable(self.name, f"no answer within {self._timeout_s:g} s")
        await anyio.sleep(seconds)
        match fault:
            case "overloaded":
                retry_after_s = weather.retry_after_s
                raise BackendOverloaded(self.name, "429: too many requests", retry_after_s)
            case "unavailable":
                raise BackendUnavailable(self.name, "500: internal error", may_have_cost=False)
            case "cut":
                raise BackendUnavailable(self.name, "the connection was cut")
            case "malformed":
                raise ReplyInvalid(self.name, "the reply is not JSON")

    def __repr__(self) -> str:
        return f"<ScriptedBackend {self.name} {self._calls} calls, {self._in_flight} in flight>"


def _as_function(script: Script) -> Callable[[CompletionRequest], Reply | Awaitable[Reply]]:
    if callable(script):
        return script
    replies = list(script)
    coming: Iterator[Reply] = iter(replies)

    def next_reply(request: CompletionRequest) -> Reply:
        for reply in coming:
            return reply
        raise ScriptExhausted(len(replies))

    return next_reply


def _words(text: str) -> list[str]:
    """Each with the space that follows it; joined they are the text."""
    return re.split(r"(?<=\s)(?=\S)", text) if text else []


def _usage(request: CompletionRequest, reply: str) -> Usage:
    words = len(request.messages)
    for message in request.messages:
        words += message.text.count(" ")
    return Usage(words, reply.count(" ") + 1)
