"""Where the work on a journal's file is done: a port, so that a test can stand in for a disk that is slow or fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import anyio
import anyio.to_thread

__all__ = ["Disk", "Step", "WriterThread"]

T = TypeVar("T")
Step = Literal["create", "open", "read", "commit"]


class Disk(Protocol):
    """Does what may take a while, one piece after another; what the work raises is passed on."""

    @property
    def synchronous(self) -> Literal["FULL", "OFF"]:
        """Whether a commit has reached the disk itself when it is done, or the operating system only."""
        ...

    async def run(self, step: Step, work: Callable[[], T]) -> T: ...

    def rename(self, old: Path, new: Path) -> None:
        """Called from within a piece of work: the new name stands for all of the old file, or for what it was."""
        ...


class WriterThread:
    """A worker thread, so that the event loop never waits for a disk; of one run, so that it waits for no other work.

    Work that was begun is waited for, also by a task that is cancelled: what it gave is not lost.
    """

    synchronous: Literal["FULL", "OFF"] = "FULL"

    def __init__(self) -> None:
        self._turn = anyio.CapacityLimiter(1)  # of its own: tools may have taken up all threads of the common one

    async def run(self, step: Step, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._turn)

    def rename(self, old: Path, new: Path) -> None:
        os.replace(old, new)
