"""Time as a port: the real clock, and a virtual one that jumps to the next thing due instead of waiting for it.

Virtual time is a property of the event loop: whatever sleeps or times out in it does so at once, in the right order.
So an hour of slow, failing dialogs is played in seconds, and the same way each time.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import anyio

__all__ = ["Clock", "RealClock", "VirtualClock", "virtual_time"]


class Clock(Protocol):
    """`now` is monotonic seconds, `wall` Unix seconds."""

    def now(self) -> float: ...

    def wall(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class RealClock:
    """The machine's time."""

    def __init__(self) -> None:
        self.now = time.monotonic
        self.wall = time.time
        self.sleep = anyio.sleep


class VirtualClock:
    """The time of a loop made by `virtual_time`; its first moment is `epoch`, so recorded times repeat exactly."""

    def __init__(self, epoch: float = 1_700_000_000.0) -> None:
        self._epoch = epoch
        self._start: float | None = None
        self.sleep = anyio.sleep

    def now(self) -> float:
        if self._start is None:
            self._start = anyio.current_time()
        return anyio.current_time() - self._start

    def wall(self) -> float:
        return self._epoch + self.now()


def virtual_time(library: Literal["asyncio", "trio"] = "asyncio") -> tuple[str, Mapping[str, Any]]:
    """Backend and options for `anyio.run` (and for the `anyio_backend` fixture of tests) whose time is virtual.

    Time moves only when no task can go on. Waiting for sockets or threads takes real time as ever, but a sleep or
    time limit that runs meanwhile is over at once: keep to work inside the process.
    """
    if library == "trio":
        from trio.testing import MockClock

        return "trio", {"clock": MockClock(autojump_threshold=0)}
    return "asyncio", {"loop_factory": _VirtualLoop}


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class _JumpingSelector(selectors.DefaultSelector):
    """Where a loop would wait until its next timer, this lets the time pass instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready and timeout > 0:
            later = self.now + timeout
            # A timer is due within a nanosecond, which times months ahead no longer have.
            self.now = later if later + 1e-9 > later else math.nextafter(later, math.inf)
        return ready
