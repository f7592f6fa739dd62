"""What these tests ask."""

from __future__ import annotations

from typing import Any

from playact.engine import CompletionRequest, Message, Parameters

__all__ = ["asking"]


def asking(
    *texts: str, max_tokens: int = 12, seed: int | None = 7, temperature: float = 0.0, **more: Any
) -> CompletionRequest:
    """What the user says first, what the assistant answers, and so on; `more` are fields of the request or of its
    parameters."""
    fields = {name: more.pop(name) for name in list(more) if name in CompletionRequest.__dataclass_fields__}
    roles = ("user", "assistant")
    chat = tuple(Message(roles[number % 2], text) for number, text in enumerate(texts))  # type: ignore[arg-type]
    parameters = Parameters(
        max_tokens=max_tokens,
        temperature=temperature,
        **{name: more.pop(name) for name in list(more) if name in Parameters.__dataclass_fields__},
        extra=more,
    )
    return CompletionRequest(messages=chat, seed=seed, parameters=parameters, **fields)
