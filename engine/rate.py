"""At most so much in any sixty seconds, counted exactly: what was sent in the last minute, and what is about to be."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from math import inf

__all__ = ["Rate"]

_MINUTE_S = 60.0


@dataclass(slots=True)
class _Entry:
    amount: int
    sent: float = inf  # not sent yet


class Rate:
    """Of what is taken, no more than `limit` is sent within any `_MINUTE_S`, however they lie.

    There is no minute's edge at which twice as much could go. What is taken counts from then until a minute after it
    is sent; when it is known to be more or less than was taken, that counts at once. More than the limit in one piece
    goes when nothing else counts.
    """

    __slots__ = ("_log", "_sum", "_under_way", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._sum = 0
        self._log: deque[_Entry] = deque()  # what was sent, oldest first
        self._under_way: dict[Hashable, _Entry] = {}

    def lets(self, amount: int, now: float) -> bool:
        """Whether so much may be taken now."""
        while self._log and self._log[0].sent + _MINUTE_S <= now:  # as `due` has it, to the last bit
            self._sum -= self._log.popleft().amount
        return self._sum + amount <= self.limit or not self._sum

    def take(self, key: Hashable, amount: int) -> None:
        """`key` names it until it is `over`."""
        self._under_way[key] = _Entry(amount)
        self._sum += amount

    def sent(self, key: Hashable, now: float) -> None:
        entry = self._under_way.get(key)
        if entry is not None and entry.sent == inf:
            entry.sent = now
            self._log.append(entry)

    def over(self, key: Hashable, amount: int | None = None) -> None:
        """It is over, and was this much; as much as was taken if None. What was never sent counts no more."""
        entry = self._under_way.pop(key, None)
        if entry is None:
            return
        was, entry.amount = entry.amount, entry.amount if amount is None else amount
        if entry.sent == inf:
            self._sum -= was
        elif self._log and self._log[0].sent <= entry.sent:  # else it is forgotten already
            self._sum += entry.amount - was

    def due(self, amount: int, now: float) -> float:
        """When so much may be taken at the earliest, if nothing more is learned until then."""
        left = self._sum
        for entry in self._log:
            left -= entry.amount
            if left + amount <= self.limit or not left:
                return entry.sent + _MINUTE_S
        return now + _MINUTE_S  # what is not sent yet counts at least so long

    def __repr__(self) -> str:
        return f"<Rate {self._sum}/{self.limit} in the last minute>"
