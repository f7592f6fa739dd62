"""An event loop on virtual time that lets ready tasks run in an order that a seed decides.

asyncio runs what is ready first come, first served; nothing of ours may lean on that. Here any ready task may be the
next to run, as a busy machine or another event loop would have it. The order depends on the seed and on which task was
made when, never on addresses or the hashes of strings, so it is the same in every process.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, Literal

__all__ = ["Order", "SeededLoop", "Stuck"]

Order = Literal["arrival", "steps", "tasks"]
_MOST_STEPS = 100_000
_PATIENCE = 100  # steps
_AGAIN = "_deliver_cancellation"  # anyio's, which calls itself again for as long as a cancelled task lives on


class Stuck(BaseException):
    """Nothing can happen any more, or things happen without end. Not an Exception: no handler on the way may take it.

    tasks: those that wait, in words.
    """

    def __init__(self, reason: str, tasks: tuple[str, ...] = ()) -> None:
        super().__init__(reason, tasks)
        self.reason = reason
        self.tasks = tasks

    def __str__(self) -> str:
        return f"{self.reason}; waiting: {'; '.join(self.tasks) or 'nobody'}"


class SeededLoop(asyncio.SelectorEventLoop):
    """`order`: first come, first served; drawn anew at each step; or by a rank that each task has for life.

    Time passes when no task can go on. `steps` counts what tasks did. `at_step` calls something between two steps, as a
    kill from outside would come. It ends with `Stuck` where a real loop would wait for ever.
    """

    def __init__(self, seed: int = 0, order: Order = "steps") -> None:
        self._waiting = _Waiting(self)
        super().__init__(self._waiting)
        self.ready = _Ready(seed, order)
        self._ready = self.ready  # asyncio's own queue, which it only appends to, pops from, measures and clears
        self.ready.overrun = self._overrun

    def time(self) -> float:
        return self._waiting.now

    @property
    def steps(self) -> int:
        return self.ready.steps

    def at_step(self, step: int, call: Callable[[], None]) -> None:
        self.ready.interruption = (step, asyncio.Handle(call, (), self))

    def next_timer(self) -> float | None:
        """When something is due at the earliest."""
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]  # asyncio's heap
        when = timers[0].when() if timers else inf
        return None if when == inf else when  # a sleep without end is a timer too

    def stuck(self, reason: str) -> Stuck:
        tasks = sorted(filter(None, map(_in_words, asyncio.all_tasks(self))))
        return Stuck(reason, tuple(tasks))

    def _overrun(self) -> Stuck:
        return self.stuck(f"no end after {_MOST_STEPS} steps")


class _Ready:
    """asyncio's queue of what is ready: tasks in the seed's order; other callbacks as they came, before the next task.

    A task has one step in it at most, so no task is ever reordered with itself. What anyio repeats for as long as a
    cancelled task lives on comes when nothing else is ready, or tasks have had their chance: else it would wake the
    same tasks again and again, and keep the others from ending.
    """

    def __init__(self, seed: int, order: Order) -> None:
        self.steps = 0
        self.interruption: tuple[int, asyncio.Handle] | None = None
        self.overrun: Callable[[], Stuck]
        self.again: deque[asyncio.Handle] = deque()  # the callbacks that repeat themselves
        self.was_idle = True  # whether nothing but those ran since the loop looked last
        self._most_steps = _MOST_STEPS
        self._patience = 0
        self._seed = seed
        self._order = order
        self._now: deque[asyncio.Handle] = deque()
        self._next: deque[asyncio.Handle] = deque()  # came since the last step
        self._tasks: list[tuple[int, int, asyncio.Handle]] = []  # a heap
        self._numbers: dict[Any, list[int]] = {}  # of each task: which it is, and its steps so far
        self._arrivals = 0

    def append(self, handle: asyncio.Handle) -> None:
        callback = handle._callback  # type: ignore[attr-defined]  # as asyncio's own description of a handle reads it
        task = getattr(callback, "__self__", None)
        if isinstance(task, asyncio.Task) and getattr(callback, "__name__", "") != "cancel":
            number = self._numbers.get(task)
            if number is None:
                number = self._numbers[task] = [len(self._numbers), 0]
            number[1] += 1
            self._arrivals += 1
            heapq.heappush(self._tasks, (self._rank(*number), self._arrivals, handle))
        else:
            (self.again if getattr(callback, "__name__", "") == _AGAIN else self._next).append(handle)

    def popleft(self) -> asyncio.Handle:
        if not self._now and not self._tasks:
            self._now, self._next = self._next, self._now
        if self.again and (self._patience >= _PATIENCE or not (self._now or self._tasks)):
            self._patience = 0
            return self.again.popleft()
        self.was_idle = False
        if self._now:
            return self._now.popleft()
        if self.interruption is not None and self.steps >= self.interruption[0]:
            (_, handle), self.interruption = self.interruption, None
            return handle
        self.steps += 1
        if self.steps > self._most_steps:
            self._most_steps += _MOST_STEPS  # for what has to be given up now
            raise self.overrun()
        self._patience += 1
        self._now, self._next = self._next, self._now
        return heapq.heappop(self._tasks)[2]

    def clear(self) -> None:
        for queue in (self._now, self._next, self.again, self._tasks, self._numbers):
            queue.clear()

    def __len__(self) -> int:
        return len(self._now) + len(self._next) + len(self.again) + len(self._tasks)

    def _rank(self, task: int, step: int) -> int:
        # The hash of a tuple of numbers is the same in every process.
        if self._order == "arrival":
            return 0
        return hash((self._seed, task, step)) if self._order == "steps" else hash((self._seed, task))


class _Waiting(selectors.DefaultSelector):
    """Where a loop would wait until its next timer, this lets the time pass instead."""

    def __init__(self, loop: SeededLoop) -> None:
        super().__init__()
        self.now = 0.0
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._loop.ready
        if timeout == 0 and len(ready) == len(ready.again) and ready.was_idle:
            timeout = None  # a task that was cancelled waits where nothing may interrupt it: time passes for it too
        ready.was_idle = True
        events = super().select(0)
        if not events and timeout != 0:
            due = self._loop.next_timer()
            if due is None:
                raise self._loop.stuck("nothing can happen any more")
            self.now = max(self.now, due)
        return events


def _in_words(task: asyncio.Task[Any]) -> str:
    """Where a task waits: the innermost frame of ours on its stack."""
    awaited: Any = task.get_coro()
    where = ""
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None)
        if frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] not in ("anyio", "asyncio"):
            where = f"{frame.f_code.co_qualname} line {frame.f_lineno}"
        awaited = getattr(awaited, "cr_await", None)
    return f"{task.get_name()} in {where}" if where else ""
