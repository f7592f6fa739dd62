"""What a vendor's service says and hears, in our words: a dialect turns it into the vendor's documented wire format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from playact.engine.completion import (
    Completion,
    FinishReason,
    Message,
    StreamingBackend,
    Think,
    TokenLogprob,
    ToolCall,
    Usage,
)
from tests.servers.chat_server import Asked, Reply

__all__ = ["Dialect", "Heard", "Said"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the model behind a service answers."""

    text: str = "Hello."
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage(7, 3)
    finish: FinishReason = "stop"
    logprobs: tuple[TokenLogprob, ...] = ()

    def completion(self, model: str) -> Completion:
        return Completion(
            text=self.text,
            thinking=self.thinking,
            tool_calls=self.tool_calls,
            usage=self.usage,
            finish="tool_calls" if self.tool_calls else self.finish,
            model=model,
            logprobs=self.logprobs,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a request asked for, as the service understands it; the system's message, if any, is the first."""

    model: str
    messages: tuple[Message, ...]
    is_streamed: bool = False
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tools: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    think: Think | None = None


class Dialect(Protocol):
    """How one vendor's service speaks.

    has_ids: whether its tool calls carry ids; else the backend makes them up. reports_model: whether replies name it.
    can: what this vendor's wire has a form for, of "seed", "schema", "thinking", "logprobs", "cached" (tokens of the
    prompt), "refusal", and "any parameter" where servers of the kind know different ones.
    """

    name: str
    has_ids: bool
    reports_model: bool
    can: frozenset[str]

    def say(self, said: Said, asked: Asked) -> Reply:
        """A reply, streamed (in several chunks) where the request asked for that."""
        ...

    def fail(self, status: int, message: str, retry_after_s: float | None = None) -> Reply:
        """An error as the vendor writes it: its body, and its header where it has one for the time to stay away."""
        ...

    def hear(self, asked: Asked) -> Heard: ...

    def backend(self, address: str, **settings: Any) -> StreamingBackend:
        """A backend for the model "m", not opened yet, that asks the service at `address`, "http://127.0.0.1:port"."""
        ...
