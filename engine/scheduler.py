"""Which waiting model call goes next, and how many dialogs are live: pure decisions, no awaiting, no clock.

Of the calls that wait for a backend, the highest priority goes first, then the oldest dialog, then the order within
it; so dialogs that have begun are finished before younger ones get far. Every `fairness`-th call goes to the oldest
dialog of any priority: dialogs are finite, so each becomes the oldest in time, and none starves.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

__all__ = ["Call", "Lane", "Scheduler"]


class Call(NamedTuple):
    """One model call's place: `dialog` is the dialog's number in order of admission, `sequence` the call's in it."""

    dialog: int
    sequence: int
    priority: int = 0


class Lane:
    """The calls to one backend: how many are in flight, of at most `limit`, and which wait."""

    __slots__ = ("_fairness", "_taken", "_waiting", "_withdrawn", "in_flight", "limit", "waiting")

    def __init__(self, limit: int | None, fairness: int) -> None:
        self.limit = limit
        self.in_flight = 0
        self.waiting = 0
        self._fairness = fairness
        self._taken = 0
        self._waiting: dict[int, list[Call]] = {}  # a heap for each priority
        self._withdrawn: set[Call] = set()

    @property
    def has_room(self) -> bool:
        return self.limit is None or self.in_flight < self.limit

    def enter(self, call: Call) -> bool:
        """Whether the call may go at once; if not it waits until `leave` or `withdraw` gives it out."""
        if not self.waiting and self.has_room:
            self.in_flight += 1
            return True
        heapq.heappush(self._waiting.setdefault(call.priority, []), call)
        self.waiting += 1
        return False

    def leave(self) -> Call | None:
        """A call is done. Gives the one that goes in its place, already counted in flight."""
        self.in_flight -= 1
        return self._take()

    def withdraw(self, call: Call) -> None:
        """A waiting call is no longer wanted."""
        self._withdrawn.add(call)
        self.waiting -= 1

    def _take(self) -> Call | None:
        if not self.waiting or not self.has_room:
            return None
        self._drop_withdrawn()
        self._taken += 1
        if self._taken % self._fairness:
            priority = max(self._waiting)
        else:
            priority = min(self._waiting, key=lambda priority: self._waiting[priority][0])
        heap = self._waiting[priority]
        call = heapq.heappop(heap)
        if not heap:
            del self._waiting[priority]
        self.waiting -= 1
        self.in_flight += 1
        return call

    def _drop_withdrawn(self) -> None:
        if not self._withdrawn:
            return
        for priority in list(self._waiting):
            heap = self._waiting[priority]
            while heap and heap[0] in self._withdrawn:
                self._withdrawn.discard(heapq.heappop(heap))
            if not heap:
                del self._waiting[priority]


class Scheduler:
    """The lanes of all backends, and the room for live dialogs.

    A dialog is live from its admission until its taker has it: so a slow taker slows admission, and an endless source
    of scenarios runs in flat memory.
    """

    def __init__(self, *, concurrency: int, fairness: int = 16) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency is how many dialogs are live at once, at least 1, not {concurrency}")
        self.concurrency = concurrency
        self.live = 0
        self.lanes: dict[str, Lane] = {}
        self._fairness = fairness

    def lane(self, backend: str, limit: int | None) -> Lane:
        """The lane of a backend; the first to ask sets its limit."""
        lane = self.lanes.get(backend)
        if lane is None:
            lane = self.lanes[backend] = Lane(limit, self._fairness)
        return lane

    def admit(self) -> bool:
        """Whether there is room for one more dialog, which is now live."""
        if self.live >= self.concurrency:
            return False
        self.live += 1
        return True

    def readmit(self) -> None:
        """A dialog that was retired is live again, whether there is room or not."""
        self.live += 1

    def retire(self) -> None:
        """A live dialog has been taken, or dropped."""
        self.live -= 1

    def __repr__(self) -> str:
        waiting = sum(lane.waiting for lane in self.lanes.values())
        return f"<Scheduler {self.live}/{self.concurrency} dialogs live, {waiting} calls waiting>"
