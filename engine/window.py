"""How many calls a backend takes at once, learned from what it refuses: grows a little, falls by much."""

from __future__ import annotations

from math import inf

__all__ = ["Window"]

_FIRST = 16  # calls in flight with which a ramp begins
_GROWTH = 1 / 16  # of the window in each round trip, where that is more than one call
_MOST_CUT = 1 / 4  # of what it was is left after the refusals of one round, at the least
_HOLD_S = 30.0  # without growing after a refusal: to ask for more again at once would be refused again


class Window:
    """`size` is how many calls may be in flight; None is no limit, as it is until one was refused.

    A refusal tells that what is still under way is what the backend takes, so that becomes the size: a thousand calls
    sent at once to a server with 64 places leave a window of 64. Since refusals can be slow too, those of one round of
    calls leave a quarter of the window at least. After that it stands for 30 s, then grows by one call in each round
    trip, or by a sixteenth, as long as calls wait for it; never below `least`.

    With `ramp` it begins small and doubles in each round trip until something is refused.
    """

    __slots__ = ("_cut_at", "_grows_at", "_least", "_ramps", "_size_before", "size")

    def __init__(self, least: int = 1, *, ramp: bool = False) -> None:
        self.size: float | None = float(max(_FIRST, least)) if ramp else None
        self._least = least
        self._ramps = ramp
        self._cut_at = -inf  # calls that were sent before belong to an earlier round
        self._size_before = 0.0
        self._grows_at = -inf

    def has_room(self, in_flight: int) -> bool:
        return self.size is None or in_flight < int(self.size)

    def answered(self, in_flight: int, now: float) -> None:
        """A reply came; `in_flight` counts it still."""
        if self.size is None or in_flight < int(self.size) or now < self._grows_at:
            return
        self.size += 1.0 if self._ramps else max(1.0, self.size * _GROWTH) / self.size

    def refused(self, began: float, in_flight: int, now: float) -> bool:
        """A call sent at `began` was refused; `in_flight` counts it still. Whether it is the first of its round."""
        is_first = began >= self._cut_at
        if is_first:
            self._cut_at = now
            self._size_before = in_flight if self.size is None else min(self.size, in_flight)
        left = max(in_flight - 1, self._size_before * _MOST_CUT)
        self.size = max(self._least, left if self.size is None else min(self.size, left))
        self._grows_at = now + _HOLD_S
        self._ramps = False
        return is_first

    def __repr__(self) -> str:
        return f"<Window {'without limit' if self.size is None else int(self.size)}>"
