"""Where the work on a journal's file is done: a port, so that a test can stand in for a disk that is slow or fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeVar

import anyio.to_thread

__all__ = ["Disk", "WriterThread"]

T = TypeVar("T")


class Disk(Protocol):
    """Where the work on a journal's file is done, which may take a while. What the work raises is passed on."""

    synchronous: Literal["FULL", "OFF"]

    async def read(self, work: Callable[[], T]) -> T: ...

    async def write(self, work: Callable[[], None]) -> None: ...


class WriterThread:
    """A worker thread, so that the event loop never waits for a disk."""

    synchronous: Literal["FULL", "OFF"] = "FULL"

    async def read(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work)

    async def write(self, work: Callable[[], None]) -> None:
        await anyio.to_thread.run_sync(work)
