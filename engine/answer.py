"""Asks a model for a value of a given form, and again, with what was wrong, until the reply fits."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .completion import Backend, Completion, CompletionRequest, Usage
from .errors import ReplyUnfit
from .messages import Fact, ReplyRejected, ReplyRepaired, Thought
from .seeds import derive
from .structured import ReplySchema, correction
from .thinking import THINKING_PATTERN, Thinking

__all__ = ["Answer", "Asker", "answered"]


class Asker(Protocol):
    """Whose question it is, as a `Performance` is one."""

    seed: int

    @property
    def calls(self) -> int: ...

    def complete(self, backend: Backend, request: CompletionRequest) -> Awaitable[Completion]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A value that fits, its JSON, what all calls cost, and the facts that led to it, still to be published."""

    value: Any
    text: str
    usage: Usage
    facts: tuple[Fact, ...]


async def answered(
    asker: Asker,
    backend: Backend,
    request: CompletionRequest,
    schema: ReplySchema,
    *,
    agent: str = "",
    corrections: int = 2,
    thinking: Thinking | None = None,
) -> Answer:
    """The model's answer. It is asked again at most `corrections` times, each a call of its own with a seed of its own.

    `agent` is who asks, in facts, errors and seeds. Raises `ReplyUnfit` when no reply fits, and `BackendError` when
    none can be had.
    """
    thinking = thinking or Thinking.of(THINKING_PATTERN)
    facts: list[Fact] = []
    usage = Usage()
    messages = request.messages
    for attempt in range(1, corrections + 2):
        sequence = asker.calls
        request = replace(request, messages=messages, sequence=sequence)
        if attempt > 1:
            request = replace(request, seed=derive(asker.seed, agent, sequence))
        completion = await asker.complete(backend, schema.asked(request, backend.capabilities))
        usage += completion.usage
        text, thoughts = thinking.split(completion.text)
        facts += (Thought(agent, thought) for thought in dict.fromkeys((completion.thinking, *thoughts)) if thought)
        checked = schema.check(text, is_cut_off=completion.finish == "length")
        if not checked.problem:
            if checked.is_repaired:
                facts.append(ReplyRepaired(agent, text))
            return Answer(value=checked.value, text=checked.text, usage=usage, facts=tuple(facts))
        facts.append(ReplyRejected(agent, text, checked.problem))
        messages += correction(text, checked.problem)
    raise ReplyUnfit(backend.name, checked.problem, agent, attempt)
