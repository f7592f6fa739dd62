"""A model tried out: a handful of short calls that show what it does, whatever it is said to do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from ..engine.clock import Clock, RealClock
from ..engine.completion import (
    Backend,
    Completion,
    CompletionRequest,
    Delta,
    Message,
    Parameters,
    StreamingBackend,
    ToolSpec,
    Usage,
)
from ..engine.errors import BackendRefused, BackendUnavailable, ParameterUnknown
from ..engine.models import backend_named

__all__ = ["Feature", "Findings", "ModelCheck"]

_LONGEST = 256  # tokens of a reply: room to think for those that always do, and a bound on what a check costs
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "inhabitants": {"type": "integer"}},
    "required": ["city", "inhabitants"],
    "additionalProperties": False,
}
_WEATHER = ToolSpec(
    "weather",
    "Tells the weather of a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


@dataclass(frozen=True, slots=True)
class Feature:
    """What was seen of one feature; `is_seen` is None when it could not be told, and `detail` says why."""

    is_seen: bool | None
    detail: str = ""


@dataclass(slots=True, kw_only=True)
class Findings:
    """What came of a check; times are in seconds. `error` is what made going on useless."""

    model: str
    open_s: float | None = None
    latency_s: float | None = None
    reply: str = ""
    usage: Usage = Usage()
    first_token_s: float | None = None
    tokens_per_s: float | None = None
    features: dict[str, Feature] = field(default_factory=dict)
    error: Exception | None = None


class ModelCheck:
    """Asks a model one thing after the other, each for `timeout_s` at the most. Costs some thousand tokens at most."""

    def __init__(
        self,
        model: str,
        *,
        timeout_s: float = 60.0,
        clock: Clock | None = None,
        make: Callable[[str], Backend] = backend_named,
    ) -> None:
        self.findings = Findings(model=model)
        self._timeout_s = timeout_s
        self._clock = clock or RealClock()
        self._make = make
        self._calls = 0

    async def run(self) -> Findings:
        """Never raises for what is wrong with the model; the backend is closed again."""
        findings = self.findings
        try:
            async with self._opened() as backend:
                await self._greet(backend)
                await self._stream(backend)
                findings.features["usage"] = _usage(findings.usage)
                for name, look in (
                    ("schema", self._schema),
                    ("tools", self._tools),
                    ("logprobs", self._logprobs),
                    ("thinking", self._thinking),
                    ("seed", self._seed),
                ):
                    findings.features[name] = await _seen(look, backend)
        except Exception as error:  # whatever a backend of others does wrong is a finding too
            findings.error = error
            if findings.latency_s is None and isinstance(error, BackendUnavailable) and not error.may_have_cost:
                findings.open_s = None  # nobody is there; most backends find that out at the first call only
        return findings

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Backend]:
        started = self._clock.now()
        backend = self._make(self.findings.model)
        try:
            await backend.open()
            self.findings.open_s = self._clock.now() - started
            yield backend
        finally:
            with anyio.CancelScope(shield=True):
                await backend.aclose()

    async def _greet(self, backend: Backend) -> None:
        started = self._clock.now()
        completion = await self._ask(backend, "Say hello in one short sentence.")
        findings = self.findings
        findings.latency_s = self._clock.now() - started
        findings.reply, findings.usage = completion.text.strip(), completion.usage

    async def _stream(self, backend: Backend) -> None:
        if not isinstance(backend, StreamingBackend):
            self.findings.features["streaming"] = Feature(False, "this backend has no streams")
            return

        async def look(_: Backend) -> Feature:
            return await self._streamed(backend)

        self.findings.features["streaming"] = await _seen(look, backend)

    async def _streamed(self, backend: StreamingBackend) -> Feature:
        now, findings = self._clock.now, self.findings
        request = self._request("Tell me five short sentences about the sea.")
        started, pieces = now(), 0
        last = Delta()
        with self._in_time(backend):
            async with aclosing(backend.stream(request)) as deltas:
                async for last in deltas:
                    if last.text or last.thinking:
                        pieces += 1
                        if findings.first_token_s is None:
                            findings.first_token_s = now() - started
        if findings.first_token_s is None or last.completion is None:
            return Feature(False, "the stream had no words in it")
        seconds = now() - started - findings.first_token_s
        tokens = last.completion.usage.completion_tokens
        if tokens > 1 and seconds > 0 and pieces > 1:
            findings.tokens_per_s = (tokens - 1) / seconds
        return Feature(pieces > 1, "" if pieces > 1 else "the reply came in one piece")

    async def _schema(self, backend: Backend) -> Feature:
        completion = await self._ask(
            backend, "Tell me a city and how many people live there, as JSON.", response_schema=_SCHEMA
        )
        match _json(completion.text):
            case {"city": str(), "inhabitants": int(), **more} if not more:
                return Feature(True)
            case None:
                return Feature(False, "the reply is not JSON")
        return Feature(False, "the reply is JSON of another form")

    async def _tools(self, backend: Backend) -> Feature:
        completion = await self._ask(
            backend, "What is the weather in Paris now? Use the tool to find out.", tools=(_WEATHER,)
        )
        if not completion.tool_calls:
            return Feature(False, "it answered in words and called no tool")
        call = completion.tool_calls[0]
        if call.name != _WEATHER.name or not isinstance(_json(call.arguments), dict):
            return Feature(False, "it called a tool in a way that cannot be understood")
        return Feature(True)

    async def _logprobs(self, backend: Backend) -> Feature:
        parameters = Parameters(max_tokens=_LONGEST, extra={"logprobs": True})
        completion = await self._ask(backend, "Say yes or no.", parameters=parameters)
        return Feature(True) if completion.logprobs else Feature(False, "the reply came without any")

    async def _thinking(self, backend: Backend) -> Feature:
        completion = await self._ask(backend, "Which is more, 17 times 23 or 390? Answer in one word.", think=True)
        is_seen = bool(completion.thinking) or "<think>" in completion.text
        return Feature(is_seen, "" if is_seen else "the reply came without thoughts")

    async def _seed(self, backend: Backend) -> Feature:
        parameters = Parameters(max_tokens=_LONGEST, temperature=1.0)
        request = self._request("Name five animals at random.", seed=7, parameters=parameters)
        texts = []
        for _ in range(2):
            with self._in_time(backend):
                texts.append((await backend.complete(request)).text)
        is_same = texts[0] == texts[1] != ""
        return Feature(is_same, "" if is_same else "the same seed gave other words")

    async def _ask(self, backend: Backend, text: str, **more: Any) -> Completion:
        with self._in_time(backend):
            return await backend.complete(self._request(text, **more))

    def _request(self, text: str, **more: Any) -> CompletionRequest:
        self._calls += 1
        asked = {"parameters": Parameters(max_tokens=_LONGEST), **more}
        return CompletionRequest(messages=(Message("user", text),), dialog="check", sequence=self._calls, **asked)

    @contextmanager
    def _in_time(self, backend: Backend) -> Iterator[None]:
        with anyio.move_on_after(self._timeout_s) as limit:
            yield
        if limit.cancelled_caught:
            raise BackendUnavailable(backend.name, f"no reply within {self._timeout_s:g} s")


async def _seen(look: Callable[[Backend], Awaitable[Feature]], backend: Backend) -> Feature:
    """What a call that fails says of a feature: a refusal, that it is not there; anything else, nothing."""
    try:
        return await look(backend)
    except (BackendRefused, ParameterUnknown) as error:
        return Feature(False, str(error))
    except Exception as error:
        return Feature(None, f"{error}" or type(error).__name__)


def _usage(usage: Usage) -> Feature:
    if not usage.total_tokens:
        return Feature(False, "the reply does not say what it cost")
    return Feature(True, f"{usage.prompt_tokens} tokens of prompt, {usage.completion_tokens} of reply")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
