"""What tests of chat backends say, and how they look at what went wrong."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal

import pytest

from playact.backends.openai import OpenAIBackend
from playact.engine.completion import CompletionRequest, Message
from playact.engine.errors import BackendError

__all__ = ["HELLO", "KEY", "Opener", "Transport", "everything_shown_of", "failure"]

KEY = "sk-a-key-that-nobody-may-see"
HELLO = CompletionRequest(messages=(Message("user", "Hi!"),))

Transport = Literal["fast", "sdk"]
Opener = Callable[..., AbstractAsyncContextManager[OpenAIBackend]]


async def failure(backend: OpenAIBackend, request: CompletionRequest = HELLO) -> BackendError:
    with pytest.raises(BackendError) as caught:
        await backend.complete(request)
    return caught.value


def everything_shown_of(error: BaseException) -> str:
    """Every text of an error and of all that led to it that a log or a traceback could show."""
    shown = ["".join(traceback.format_exception(error))]
    seen: set[int] = set()
    chain: list[BaseException | None] = [error]
    while chain:
        link = chain.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            shown += [str(link), repr(link), repr(link.args)]
            chain += [link.__cause__, link.__context__]
    return "\n".join(shown)
