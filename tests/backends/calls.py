"""What tests of chat backends say, and how they look at what went wrong."""

from __future__ import annotations

import sys
import traceback
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Literal

import pytest

from playact.backends.openai import OpenAIBackend
from playact.engine.completion import CompletionRequest, Message
from playact.engine.errors import BackendError

__all__ = ["HELLO", "KEY", "Opener", "Transport", "everything_shown_of", "failure", "unfinished_generators"]

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


@contextmanager
def unfinished_generators() -> Iterator[list[AsyncGenerator[Any, Any]]]:
    """Fills with the asynchronous generators that were begun in the meantime and left to the garbage collector."""
    unfinished: list[AsyncGenerator[Any, Any]] = []
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(finalizer=unfinished.append)
    try:
        yield unfinished
    finally:
        sys.set_asyncgen_hooks(*hooks)
