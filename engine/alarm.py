"""Calls a function at the earliest of the times it was set to: one task in the run's own group, while it is set."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import anyio
from anyio.abc import TaskGroup

from .clock import Clock

__all__ = ["Alarm"]

_SHORTEST_S = 0.001  # it never rings over and over without time passing, whatever it is set to


class Alarm:
    """Rings no earlier than it was set to, but for rounding; may be set again, also while it rings."""

    __slots__ = ("_at", "_clock", "_ring", "_sleep", "_tasks")

    def __init__(self, tasks: TaskGroup, clock: Clock, ring: Callable[[], None]) -> None:
        self._tasks = tasks
        self._clock = clock
        self._ring = ring
        self._at = inf
        self._sleep: anyio.CancelScope | None = None

    def set(self, at: float) -> None:
        """Does nothing when it rings before that anyway."""
        if at >= self._at:
            return
        is_new = self._at == inf
        self._at = at
        if is_new:
            self._tasks.start_soon(self._wait, name="alarm")
        elif self._sleep is not None:
            self._sleep.cancel()

    async def _wait(self) -> None:
        try:
            has_slept = False
            while (left_s := self._at - self._clock.now()) > 0 or not has_slept:
                with anyio.CancelScope() as self._sleep:
                    await self._clock.sleep(max(left_s, _SHORTEST_S))
                has_slept = True
        finally:
            self._sleep, self._at = None, inf
        self._ring()

    def __repr__(self) -> str:
        return f"<Alarm {'not set' if self._at == inf else f'at {self._at:.3f}'}>"
