"""How many calls in flight a server can make use of that refuses none: beyond that they only wait inside it."""

from __future__ import annotations

from math import inf
from typing import Literal, NamedTuple

__all__ = ["Knee"]

_FIRST = 8  # calls in flight with which the search begins
_LEAST_SAMPLES = 100  # replies: their times differ by about their mean, and 10 % of it must be seen
_TURNOVERS = 3  # of the window, at least
_CLIMB, _STEP = 2.0, 1.5  # how much larger the window becomes at a time: at first, later
_WORTH = 0.4  # a window that is larger by x % must bring 0.4 * x % more replies a second
_SPARE = 1.1  # of the knee, so that the server never runs dry
_REST = 8  # measurements until the knee is looked for again


class _Measured(NamedTuple):
    size: int
    latency_s: float


class Knee:
    """Measures how long replies take, and makes `size`, the window of calls in flight, larger while that pays.

    Calls in flight are replies a second times seconds a reply, so how long replies take under two windows says what
    each brings: below the knee as long, and more of them; beyond it longer, and no more. Where two windows lie on both
    sides, the knee between them can be told: it is the larger window, shortened by as much as replies take longer.
    Later, smaller and larger windows are tried in turn, in case the server has changed.

    It compares means of a hundred replies or more that were sent after the window had changed, and only while calls
    wait for the window; so replies of very different length do not lead it astray. Never below `least`.
    """

    __slots__ = ("_count", "_grows_next", "_held", "_least", "_mode", "_rest", "_since", "_step", "_total_s", "size")

    def __init__(self, least: int = 1) -> None:
        self.size: float = max(_FIRST, least)
        self._least = least
        self._mode: Literal["climbing", "resting", "up", "down"] = "climbing"
        self._held: _Measured | None = None  # what the window now is compared with
        self._step = _CLIMB
        self._rest = 0
        self._grows_next = False
        self._since = -inf
        self._count = 0
        self._total_s = 0.0

    def has_room(self, in_flight: int) -> bool:
        return in_flight < int(self.size)

    def answered(self, began: float, in_flight: int, now: float) -> None:
        """A reply to a call sent at `began` came; `in_flight` counts it still."""
        if began < self._since or in_flight < int(self.size):
            return
        self._count += 1
        self._total_s += now - began
        if self._count >= max(_LEAST_SAMPLES, _TURNOVERS * self.size):
            self._decide(_Measured(int(self.size), self._total_s / self._count))
            self._since, self._count, self._total_s = now, 0, 0.0

    def _decide(self, measured: _Measured) -> None:
        held = self._held
        match self._mode:
            case "climbing" | "up" if held is None or _pays(held, measured):
                self._mode, self._held = "climbing", measured
                self.size = measured.size * self._step
            case "climbing" | "up" if held is not None:
                self._settle(held, measured)
            case "down" if held is not None and not _pays(measured, held):
                self._held, self.size = measured, measured.size
                self._try_another(grows=False)
            case "down" if held is not None:
                self._settle(measured, held)
            case _:
                self._rest -= 1
                is_slower = held is not None and not _pays(held, measured._replace(size=int(held.size * _STEP)))
                self._held = measured
                if self._rest <= 0 or is_slower:
                    self._try_another(grows=self._grows_next and not is_slower)

    def _settle(self, low: _Measured, high: _Measured) -> None:
        """Between two windows, or a little above both."""
        knee = high.size * low.latency_s / high.latency_s * _SPARE
        self.size = max(self._least, low.size, min(knee, high.size * _SPARE))
        self._step = _STEP
        self._mode = "resting"
        self._held = None  # at this window nothing was measured yet
        self._rest = _REST

    def _try_another(self, *, grows: bool) -> None:
        smaller = self.size / _STEP
        grows = grows or int(smaller) < self._least or int(smaller) == int(self.size)
        self._mode = "up" if grows else "down"
        self.size = max(self.size * _STEP, self.size + 1) if grows else smaller
        self._grows_next = not grows

    def __repr__(self) -> str:
        return f"<Knee {int(self.size)} {self._mode}>"


def _pays(low: _Measured, high: _Measured) -> bool:
    """Whether the larger window brings enough more; then replies take hardly longer."""
    growth: float = (high.size / low.size) ** (1 - _WORTH)
    return high.latency_s <= low.latency_s * growth
