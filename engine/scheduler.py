"""Which waiting model call goes next, and how many dialogs are live: pure decisions, no awaiting, no clock.

Of the calls that wait for a backend, the highest priority goes first, then the oldest dialog, then the order within
it; so dialogs that have begun are finished before younger ones get far. Every `fairness`-th call goes to the oldest
dialog of any priority: dialogs are finite, so each becomes the oldest in time, and none starves.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

from .breaker import Breaker, Circuit
from .pace import Pace, Pacer
from .statistics import LaneStatistics, Obstacle

__all__ = ["Call", "Lane", "Scheduler"]


class Call(NamedTuple):
    """One model call's place: `dialog` is the dialog's number in order of admission, `sequence` the call's in it.

    `tokens` is how many it is going to take, where that matters.
    """

    dialog: int
    sequence: int
    priority: int = 0
    tokens: int = 0


class Lane:
    """The calls to one backend: how many are in flight, of at most `limit`, and which wait.

    `pacer` and `circuit` are asked too whether a call may go; without them nothing but the limit counts. As long as
    `is_watched` is false they have nothing to say and nothing to learn but from failures, which is what makes a lane
    without limits cost next to nothing.
    """

    __slots__ = (
        "_fairness",
        "_taken",
        "_waiting",
        "_withdrawn",
        "circuit",
        "in_flight",
        "is_watched",
        "limit",
        "pacer",
        "resting",
        "waiting",
    )

    def __init__(
        self, limit: int | None, fairness: int, pacer: Pacer | None = None, circuit: Circuit | None = None
    ) -> None:
        self.limit = limit
        self.in_flight = 0
        self.waiting = 0
        self.resting = 0  # calls that have failed and will be back
        self.pacer = pacer or Pacer(Pace(adapts=False))
        self.circuit = circuit or Circuit(Breaker(failures=None))
        self.is_watched = not (self.pacer.is_idle and self.circuit.is_idle)
        self._fairness = fairness
        self._taken = 0
        self._waiting: dict[int, list[Call]] = {}  # a heap for each priority
        self._withdrawn: set[Call] = set()

    @property
    def has_room(self) -> bool:
        return self.limit is None or self.in_flight < self.limit

    @property
    def calls(self) -> int:
        """All there are: in flight, waiting, and resting until they may be tried again."""
        return self.in_flight + self.waiting + self.resting

    def enter(self, call: Call, now: float) -> bool:
        """Whether the call may go at once; if not it waits until `leave`, `take` or `withdraw` gives it out."""
        if not self.waiting and self.has_room and (not self.is_watched or self._lets(call, now)):
            self._go(call)
            return True
        heapq.heappush(self._waiting.setdefault(call.priority, []), call)
        self.waiting += 1
        return False

    def leave(self, call: Call, now: float) -> Call | None:
        """A call is done. Gives one that may go now, already counted in flight; there may be more, see `take`."""
        self.in_flight -= 1
        if self.is_watched:
            self.pacer.over(call)
            self.circuit.over(call)
        return self.take(now) if self.waiting else None

    def take(self, now: float) -> Call | None:
        """The next call that may go now, already counted in flight."""
        if not self.waiting or not self.has_room or (self.is_watched and not self.circuit.lets(now)):
            return None
        self._drop_withdrawn()
        call = self._next()
        if self.is_watched and not self.pacer.lets(call, self.in_flight, now):
            return None
        heap = self._waiting[call.priority]
        if heap[0] == call:
            heapq.heappop(heap)
        else:
            heap.remove(call)
            heapq.heapify(heap)
        if not heap:
            del self._waiting[call.priority]
        self._taken += 1
        self.waiting -= 1
        self._go(call)
        return call

    def may_send(self, call: Call) -> bool:
        """Whether a call that was let go may still: it may have waited for money while the backend went away."""
        pacer, circuit = self.pacer, self.circuit
        return (pacer.probe == call or not pacer.is_paused) and (circuit.probe == call or not circuit.is_holding)

    def due(self, now: float) -> float | None:
        """When `take` may give a call that it does not give now; None when that depends on other calls alone."""
        if not self.waiting or not self.is_watched:
            return None
        due = self.circuit.due(now)
        if self.has_room and self.circuit.lets(now):
            self._drop_withdrawn()
            paced = self.pacer.due(self._next(), self.in_flight, now)
            due = due if paced is None else paced if due is None else min(due, paced)
        return due

    def withdraw(self, call: Call) -> None:
        """A waiting call is no longer wanted."""
        self._withdrawn.add(call)
        self.waiting -= 1

    def dismiss(self) -> list[Call]:
        """Gives out all calls that wait, to go nowhere."""
        calls = [call for heap in self._waiting.values() for call in heap if call not in self._withdrawn]
        self._waiting.clear()
        self._withdrawn.clear()
        self.waiting = 0
        return sorted(calls)

    def statistics(self, now: float) -> LaneStatistics:
        limits = [limit for limit in (self.limit, self.pacer.most_in_flight) if limit is not None]
        due = self.due(now)
        return LaneStatistics(
            in_flight=self.in_flight,
            waiting=self.waiting,
            limit=min(limits, default=None),
            waits_for=self._obstacle(now) if self.waiting else None,
            looks_again_s=None if due is None else max(due - now, 0.0),
        )

    def _obstacle(self, now: float) -> Obstacle:
        if self.circuit.is_holding:
            return "circuit"
        if self.pacer.is_paused:
            return "retry_after"
        return "room" if self.due(now) is None else "pace"

    def look(self) -> None:
        """Sees whether pacer and circuit have something to say since a call was answered, or failed."""
        self.is_watched = not (self.pacer.is_idle and self.circuit.is_idle)

    def _lets(self, call: Call, now: float) -> bool:
        return self.circuit.lets(now) and self.pacer.lets(call, self.in_flight, now)

    def _go(self, call: Call) -> None:
        self.in_flight += 1
        if self.is_watched:
            self.circuit.goes(call)
            self.pacer.goes(call)

    def _next(self) -> Call:
        """Of those that wait. Nothing withdrawn is at the top of a heap."""
        if self.circuit.is_holding:
            waiting = (call for heap in self._waiting.values() for call in heap if call not in self._withdrawn)
            return min(waiting, key=self.circuit.order)
        if (self._taken + 1) % self._fairness:
            priority = max(self._waiting)
        else:
            priority = min(self._waiting, key=lambda priority: self._waiting[priority][0])
        return self._waiting[priority][0]

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

    def lane(self, backend: str, limit: int | None, pacer: Pacer | None = None, circuit: Circuit | None = None) -> Lane:
        """The lane of a backend; the first to ask sets its limit."""
        lane = self.lanes.get(backend)
        if lane is None:
            lane = self.lanes[backend] = Lane(limit, self._fairness, pacer, circuit)
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
