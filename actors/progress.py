"""How a run is going, as a person at a terminal wants to see it: dialogs, rates, failures and the time left."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TextIO

import anyio

from ..engine.statistics import LaneStatistics, Obstacle, Statistics
from ..engine.wording import counted, dollars

__all__ = ["Progress", "duration", "shown_progress"]

_LINE_EVERY_S = 5.0
_SCREEN_EVERY_S = 0.25
_OBSTACLES: Mapping[Obstacle | None, str] = {
    "pace": "at the pace that was set",
    "retry_after": "it said to come back later",
    "circuit": "it is down",
}


class Progress:
    """Turns statistics into a line of text. Rates are those of the session so far.

    dialogs: how many there are to be. earlier: how many of them were over before the session began. noun: what is made,
    where that is something else.
    """

    def __init__(self, dialogs: int, earlier: int = 0, *, noun: str = "") -> None:
        self._dialogs = dialogs
        self._noun = noun
        self._earlier = earlier

    def line(self, now: Statistics) -> str:
        seconds = max(now.seconds, 1e-9)
        failed = now.ended.get("failed", 0)
        parts = [
            f"{self._noun}: {now.dialogs}/{self._dialogs} generated"
            if self._noun
            else f"{self._earlier + now.dialogs}/{counted(self._dialogs, 'dialog')}",
            f"{now.live} live",
            f"{now.dialogs / seconds:.1f}/s" if self._noun else f"{now.turns / seconds:.1f} turns/s",
            f"{now.completion_tokens / seconds:.0f} tokens/s",
            f"{failed} failed",
        ]
        if now.retries:
            parts.append("1 retry" if now.retries == 1 else f"{now.retries} retries")
        if now.failing:
            parts.append(f"{now.failing} to be tried again")
        if now.usd:
            parts.append(f"${dollars(now.usd)}")
        parts += [_waiting(backend, lane) for backend, lane in now.lanes.items() if lane.waits_for in _OBSTACLES]
        parts.append(self._time_left(now, seconds))
        return " · ".join(parts)

    def _time_left(self, now: Statistics, seconds: float) -> str:
        """Supposes that the other dialogs get as many turns as those that are over."""
        if not now.dialogs:
            return f"{duration(seconds)} so far"
        left, turns_over = self._dialogs - self._earlier - now.dialogs, now.turns - now.live_turns
        if turns_over <= 0:
            return f"{duration(left * seconds / now.dialogs)} left"
        turns_left = max(left * turns_over / now.dialogs - now.live_turns, 0.0)
        return f"{duration(turns_left * seconds / now.turns)} left"


def _waiting(backend: str, lane: LaneStatistics) -> str:
    soon = "" if lane.looks_again_s is None else f", {duration(math.ceil(lane.looks_again_s))}"
    return f"{counted(lane.waiting, 'call')} waiting for {backend} ({_OBSTACLES[lane.waits_for]}{soon})"


@asynccontextmanager
async def shown_progress(
    progress: Progress, statistics: Callable[[], Statistics], out: TextIO, *, is_quiet: bool
) -> AsyncIterator[None]:
    """Shows progress meanwhile: a line that renews itself on a terminal, else a line now and then; nothing if quiet.

    When `out` has gone, as a terminal that was closed, nothing more is shown.
    """
    if is_quiet:
        yield
        return
    async with anyio.create_task_group() as tasks:
        is_screen = out.isatty() and os.environ.get("TERM") != "dumb"
        tasks.start_soon(_on_screen if is_screen else _as_lines, progress, statistics, out)
        yield
        tasks.cancel_scope.cancel()


async def _as_lines(progress: Progress, statistics: Callable[[], Statistics], out: TextIO) -> None:
    with suppress(OSError):
        while True:
            await anyio.sleep(_LINE_EVERY_S)
            print(progress.line(statistics()), file=out, flush=True)


async def _on_screen(progress: Progress, statistics: Callable[[], Statistics], out: TextIO) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with suppress(OSError), Live(console=Console(file=out), auto_refresh=False, transient=True) as live:
        while True:
            live.update(Text(progress.line(statistics())), refresh=True)
            await anyio.sleep(_SCREEN_EVERY_S)


def duration(seconds: float) -> str:
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
