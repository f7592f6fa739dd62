"""The group of tasks in which dialogs are played: the event loop's own, since a run may have a hundred thousand."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast

import anyio
import sniffio

from .scope import Cancellable

__all__ = ["Nursery", "open_nursery"]


class Nursery(Protocol):
    """Tasks that end before it does; cancelling one cancels no other."""

    def create_task(self, coro: Coroutine[Any, Any, None], /) -> Cancellable: ...


def open_nursery() -> AbstractAsyncContextManager[Nursery]:
    """On asyncio its own task group: anyio's keeps a handle, an event and a cancel scope for each task, 2.6 KB in all.

    A task in it is cancelled as asyncio's tasks are, once; scopes of anyio inside the task work as ever.
    """
    is_asyncio = sniffio.current_async_library() == "asyncio"
    group = asyncio.TaskGroup() if is_asyncio else anyio.create_task_group()
    return cast("AbstractAsyncContextManager[Nursery]", group)  # both have the method, with more parameters
