"""What a model is asked and what it answers, and the port that every backend implements.

A backend only translates: request -> wire -> reply, and foreign errors to those of `errors`. It never retries, waits
for its turn or queues: that is the scheduler's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from .quick import quick

__all__ = [
    "Role",
    "Message",
    "ToolCall",
    "ToolSpec",
    "Parameters",
    "CompletionRequest",
    "Usage",
    "FinishReason",
    "Think",
    "TokenLogprob",
    "Completion",
    "Delta",
    "Capabilities",
    "Backend",
    "StreamingBackend",
    "RecallingBackend",
]

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "refused"]
Think = bool | Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to have a tool called; `arguments` is the JSON text as the model wrote it, not yet checked."""

    id: str
    name: str
    arguments: str


@quick
@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a chat: who says it and what.

    `tool_calls` go with an assistant's message, `tool_call_id` with a tool's answer.
    """

    role: Role
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it; `parameters` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How a model is to sample; what is None is left to the backend.

    `extra` holds what the backend knows beyond that, under the backend's own names, such as `top_k`; what it does not
    know it refuses by name. `extra={"logprobs": True}` asks for the log-probability of each token, where it can.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """One question to a model.

    `dialog`, `sequence` and `attempt` say which call this is: its dialog's id, the number of the call in it from 0,
    and how often it was tried before. `model` is the name after the colon of a model string; empty means the
    backend's own. `response_schema` is a JSON schema that the reply's text must satisfy. `think` asks the model to
    reason first, or not to, or how much. `age` is the dialog's number in the order of admission: where an engine
    chooses among requests by itself, the lowest goes first.
    """

    messages: tuple[Message, ...]
    model: str = ""
    parameters: Parameters = field(default_factory=Parameters)
    seed: int | None = None
    tools: tuple[ToolSpec, ...] = ()
    response_schema: Mapping[str, object] | None = None
    think: Think | None = None
    dialog: str = ""
    sequence: int = 0
    attempt: int = 0
    age: int = 0


@quick
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one call, or many, cost. `cached_tokens` are those of the prompt that needed no computing."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
        )

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class TokenLogprob(NamedTuple):
    """A token of a reply as text, and the natural logarithm of the probability that the model gave it."""

    token: str
    logprob: float


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's reply. `model` is the name the service says it used; `logprobs` are there if they were asked for.

    is_cached: it was kept from an earlier call, with what that took as `usage`; now it costs nothing.
    calls: how many calls were made for it. The others were given up, and what they took is not known.
    """

    text: str
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    finish: FinishReason = "stop"
    model: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    is_cached: bool = False
    calls: int = 1


@dataclass(frozen=True, slots=True)
class Delta:
    """What a streamed reply has grown by. Only the last of a stream has `completion`, the reply as a whole."""

    text: str = ""
    thinking: str = ""
    completion: Completion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend can do.

    in_flight: how many calls it takes at once, None for as many as come.
    max_tokens: the longest reply when a request sets no limit, None when the backend does not know.
    calls: how many calls one request can become; a budget lays aside for each.
    is_small: the model loses the thread in long prompts, so that it is better told less.
    """

    in_flight: int | None = None
    max_tokens: int | None = None
    calls: int = 1
    tools: bool = False
    response_schema: bool = False
    seed: bool = False
    thinking: bool = False
    streaming: bool = False
    logprobs: bool = False
    is_small: bool = False


class Backend(Protocol):
    """What thinks. One object serves a whole run; `complete` is called many times at once.

    `complete` ends within the backend's own time limit and raises `BackendUnavailable`, `BackendOverloaded`,
    `BackendRefused` or `ReplyInvalid`. Cancelling it gives the work up on the other side too, where that is possible.
    `open` raises `SetupError` when something must be put right first. One that samples by parameters of its own, where
    a request does not say how, has them as `defaults`, so that a cache tells such requests apart.
    """

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def open(self) -> None: ...

    async def complete(self, request: CompletionRequest) -> Completion: ...

    async def aclose(self) -> None: ...


@runtime_checkable
class StreamingBackend(Backend, Protocol):
    """A backend whose replies can be had while they come.

    Joined, the texts of all deltas are the text of the completion that the last one has, which is what `complete`
    would have given. Raises as `complete` does, at any delta; closing the generator early gives the work up.
    """

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]: ...


@runtime_checkable
class RecallingBackend(Backend, Protocol):
    """A backend that may know a reply without a call; it is asked before the request waits for room, pace or money."""

    def recall(self, request: CompletionRequest) -> Completion | None: ...
