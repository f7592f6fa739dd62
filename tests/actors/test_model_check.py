"""What a check finds of a model is what the model did, not what its backend promises."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import anyio
import pytest

from playact.actors.advice import advice_on
from playact.actors.model_check import Findings, ModelCheck
from playact.backends.faults import Latency
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, ToolCall, Usage, VirtualClock, virtual_time
from playact.engine.completion import Backend, Capabilities, Delta, TokenLogprob
from playact.engine.errors import (
    BackendOverloaded,
    BackendRefused,
    BackendUnavailable,
    KeyMissing,
    ParameterUnknown,
    ReplyInvalid,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return virtual_time(request.param)


def able(request: CompletionRequest) -> Completion:
    """Does whatever is asked for."""
    text = f"As {request.seed} says: one, two, three."
    if request.response_schema is not None:
        text = '{"city": "Ulm", "inhabitants": 129000}'
    return Completion(
        text=text,
        thinking="Hm." if request.think else "",
        tool_calls=(ToolCall("1", "weather", '{"city": "Paris"}'),) if request.tools else (),
        logprobs=(TokenLogprob("one", -0.1),) if request.parameters.extra.get("logprobs") else (),
        usage=Usage(9, 11),
    )


def unable(request: CompletionRequest) -> Completion:
    """Talks, whatever is asked for, and each time otherwise."""
    unable.calls += 1  # type: ignore[attr-defined]  # a function may remember
    return Completion(text=f"Well, {unable.calls}.")  # type: ignore[attr-defined]


unable.calls = 0  # type: ignore[attr-defined]


class Wordy(ScriptedBackend):
    """Streams a word in each second."""

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        completion = await self.complete(request)
        for word in completion.text.split():
            await anyio.sleep(1)
            yield Delta(f"{word} ")
        yield Delta(completion=completion)


class Plain:
    """A backend without streams, around another."""

    name = "plain"
    capabilities = Capabilities(tools=True)

    def __init__(self, backend: Backend) -> None:
        self.complete = backend.complete
        self.is_open: bool | None = None

    async def open(self) -> None:
        self.is_open = True

    async def aclose(self) -> None:
        self.is_open = False


async def found(backend: Backend, timeout_s: float = 60.0) -> Findings:
    with anyio.fail_after(3600):
        return await ModelCheck("mine:x", timeout_s=timeout_s, clock=VirtualClock(), make=lambda model: backend).run()


async def test_a_model_that_does_all_is_seen_to() -> None:
    findings = await found(ScriptedBackend(able))

    assert findings.error is None
    assert {name for name, feature in findings.features.items() if feature.is_seen} == {
        "streaming",
        "usage",
        "schema",
        "tools",
        "logprobs",
        "thinking",
        "seed",
    }
    assert findings.usage == Usage(9, 11)


async def test_a_model_that_only_talks_is_seen_through_whatever_its_backend_promises() -> None:
    backend = ScriptedBackend(unable)
    assert backend.capabilities.tools

    findings = await found(backend)

    seen = {name: feature.is_seen for name, feature in findings.features.items()}
    assert seen.pop("streaming") is True
    assert set(seen.values()) == {False}
    assert findings.features["tools"].detail == "it answered in words and called no tool"
    assert findings.features["seed"].detail == "the same seed gave other words"


async def test_times_are_those_of_the_model() -> None:
    findings = await found(Wordy(able, latency=Latency(0.5, spread=0.0)))

    assert findings.latency_s == pytest.approx(0.5)
    assert findings.first_token_s == pytest.approx(1.5)
    assert findings.tokens_per_s == pytest.approx(10 / 5)  # eleven tokens; six words, of which one is the first


async def test_a_backend_without_streams_is_asked_for_none_and_closed_in_the_end() -> None:
    backend = Plain(ScriptedBackend(able))

    findings = await found(backend)

    assert findings.features["streaming"].is_seen is False
    assert findings.features["schema"].is_seen
    assert backend.is_open is False


@pytest.mark.parametrize(
    ("error", "is_seen"),
    [
        (BackendRefused("x", "HTTP 400: no such thing as a tool"), False),
        (ParameterUnknown("x", "logprobs", ()), False),
        (BackendUnavailable("x", "HTTP 500: oops"), None),
        (BackendOverloaded("x", "HTTP 429: slow down"), None),
        (ReplyInvalid("x", "is no reply"), None),
        (RuntimeError(), None),
    ],
)
async def test_what_is_refused_is_not_there_and_what_fails_cannot_be_told(
    error: Exception, is_seen: bool | None
) -> None:
    def reply(request: CompletionRequest) -> Completion:
        if request.tools:
            raise error
        return able(request)

    findings = await found(ScriptedBackend(reply))

    assert findings.error is None
    assert findings.features["tools"].is_seen is is_seen
    assert findings.features["tools"].detail == (str(error) or "RuntimeError")
    assert findings.features["seed"].is_seen


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("Ulm", "the reply is not JSON"),
        ("", "the reply is not JSON"),
        ('{"city": "Ulm"', "the reply is not JSON"),
        ('{"city": "Ulm"}', "the reply is JSON of another form"),
        ('{"city": "Ulm", "inhabitants": 1, "mayor": 2}', "the reply is JSON of another form"),
        ("[]", "the reply is JSON of another form"),
    ],
)
async def test_json_that_does_not_fit_is_no_schema(text: str, detail: str) -> None:
    findings = await found(ScriptedBackend(lambda request: text if request.response_schema else "Yes."))

    assert (findings.features["schema"].is_seen, findings.features["schema"].detail) == (False, detail)


@pytest.mark.parametrize("call", [ToolCall("1", "wether", "{}"), ToolCall("1", "weather", "Paris")])
async def test_a_tool_called_wrongly_is_no_tool_call(call: ToolCall) -> None:
    def reply(request: CompletionRequest) -> Completion:
        return Completion(text="", tool_calls=(call,))

    findings = await found(ScriptedBackend(reply))

    assert findings.features["tools"].detail == "it called a tool in a way that cannot be understood"


async def test_a_model_that_hangs_is_given_up_in_time_and_closed() -> None:
    async def never(request: CompletionRequest) -> str:
        await anyio.sleep_forever()
        return ""

    backend = Plain(ScriptedBackend(never))

    findings = await found(backend, timeout_s=5)

    assert isinstance(findings.error, BackendUnavailable)
    assert str(findings.error) == "plain: no reply within 5 s"
    assert findings.features == {}
    assert backend.is_open is False


async def test_a_stream_that_hangs_is_a_finding_and_not_the_end() -> None:
    class Stuck(ScriptedBackend):
        async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
            yield Delta("one")
            await anyio.sleep_forever()

    findings = await found(Stuck(able), timeout_s=5)

    assert findings.features["streaming"].is_seen is None
    assert findings.features["streaming"].detail == "scripted: no reply within 5 s"
    assert findings.features["seed"].is_seen


async def test_a_model_that_cannot_be_opened_says_why_and_is_closed() -> None:
    class Locked(Plain):
        async def open(self) -> None:
            raise KeyMissing("mine:x", "MINE_KEY")

    backend = Locked(ScriptedBackend(able))

    findings = await found(backend)

    assert isinstance(findings.error, KeyMissing)
    assert findings.open_s is None
    assert backend.is_open is False


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (BackendRefused("x", "HTTP 401: Incorrect API key provided"), "the key is wrong"),
        (BackendRefused("x", "AccessDeniedException: you may not"), "the key is wrong"),
        (BackendRefused("x", "HTTP 404: model 'y' not found"), "this model is not known there"),
        (BackendRefused("x", "HTTP 429: insufficient_quota"), "nothing left to pay with"),
        (BackendRefused("x", "HTTP 400: temperature must be 1"), "its own words say why"),
        (BackendOverloaded("x", "HTTP 429"), "wait"),
        (BackendUnavailable("x", "cannot connect to 127.0.0.1:9"), "is the server started"),
        (BackendUnavailable("x", "no reply within 60 s"), "it may be loading its model"),
        (BackendUnavailable("x", "the connection was cut before the reply was complete"), "it may have crashed"),
        (BackendUnavailable("x", "HTTP 502: Bad Gateway"), "a trouble of its own"),
        (BackendUnavailable("x", "something else"), "try again"),
        (ReplyInvalid("x", "the reply is not JSON"), "check the address"),
        (TypeError("no"), "a fault of the backend"),
    ],
)
async def test_there_is_advice_for_whatever_goes_wrong(error: Exception, part: str) -> None:
    assert part in advice_on(error)


async def test_what_says_itself_what_to_do_needs_no_advice() -> None:
    assert advice_on(KeyMissing("x", "KEY")) == ""
