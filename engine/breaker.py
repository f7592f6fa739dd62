"""A circuit breaker: a backend that is down is left alone, but for one call now and then, and costs no dialog."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from .errors import BackendError
from .retry import Failure, verdict_on

if TYPE_CHECKING:
    from .scheduler import Call

__all__ = ["Breaker", "Circuit"]

_MOST_OF_ONE_CALL = 3  # failures: one that can never succeed says nothing of the backend
_SUSPECTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """When a backend counts as down, and how long calls wait for it then.

    failures: so many in a row, with no answer between them and at most three of one call, open the circuit; where
        there are few calls, three of each do. None never opens it. A backend that has answered nobody yet is not down
        but, more likely, not there: its calls fail as without a breaker.
    first_s, longest_s: while the circuit is open, one call is sent after a wait that doubles from the one to the other.
        When it is answered, the circuit is closed and the others follow.
    gives_up_after_s: when there was no answer for so long, the calls that wait fail, and later ones are sent, to fail
        or not by themselves.
    """

    failures: int | None = 10
    first_s: float = 1.0
    longest_s: float = 30.0
    gives_up_after_s: float = 300.0

    def __post_init__(self) -> None:
        if self.failures is not None and self.failures < 1:
            raise ValueError(f"failures is at least 1, or None to have no circuit breaker: {self}")
        if not 0 < self.first_s <= self.longest_s or self.gives_up_after_s < 0:
            raise ValueError(f"waits are above 0 s, the first no longer than the longest: {self}")


class Circuit:
    """A breaker at work: closed, open, or open with one call under way to try. It never waits itself."""

    __slots__ = (
        "_breaker",
        "_count",
        "_failed",
        "_has_answered",
        "_has_given_up",
        "_suspects",
        "_wait_s",
        "error",
        "opened",
        "probe",
        "tries_at",
    )

    def __init__(self, breaker: Breaker) -> None:
        self.error: BackendError | None = None  # the last failure
        self.opened: float | None = None
        self.tries_at = -inf
        self._breaker = breaker
        self._has_answered = False
        self._has_given_up = False
        self._failed: Counter[tuple[int, ...]] = Counter()  # by dialog and sequence, since the last answer
        self._count = 0
        self._wait_s = 0.0
        self.probe: Call | None = None  # the one call that is under way although the circuit is open
        self._suspects: set[tuple[int, ...]] = set()  # that failed to the end while others did not

    @property
    def is_idle(self) -> bool:
        """Whether every call may go, and nothing is to be learned from it unless it fails."""
        return self._breaker.failures is None or (self._has_answered and self.opened is None and not self._failed)

    @property
    def is_holding(self) -> bool:
        """Whether calls wait for the backend to come back."""
        return self.opened is not None and not self._has_given_up

    def lets(self, now: float) -> bool:
        return not self.is_holding or (self.probe is None and now >= self.tries_at)

    def due(self, now: float) -> float | None:
        """When it lets a call go that it does not now, or gives up; None when it is closed."""
        if self.opened is None or self._has_given_up:
            return None
        gives_up_at = self.opened + self._breaker.gives_up_after_s
        is_waiting = self.probe is None and now < self.tries_at
        return min(self.tries_at, gives_up_at) if is_waiting else gives_up_at

    def order(self, call: Call) -> tuple[int, Call]:
        """Of the calls that wait, the one to try with is the one that failed least, then the oldest."""
        return self._failed[call[:2]], call

    def goes(self, call: Call) -> None:
        if self.is_holding:
            self.probe = call

    def answered(self, now: float) -> float | None:
        """A reply came, to whomever. How long the circuit was open, if it was."""
        open_s = None if self.opened is None else now - self.opened
        self._has_answered = True
        self._has_given_up = False
        self.opened = self.error = self.probe = None
        self._failed.clear()
        self._count = 0
        return open_s

    def failed(self, call: Call, error: BackendError, *, calls: int, in_flight: int, now: float) -> bool:
        """Whether that opened the circuit. `calls`: how many there are, those that wait for another try among them.

        `in_flight` counts the failed call still. Refusals of a busy backend count when nothing else is under way; a
        refusal for good, or a reply of no use, is an answer and no failure.
        """
        failure = verdict_on(error).failure
        is_down = failure is Failure.TRANSIENT or (failure is Failure.OVERLOADED and in_flight <= 1)
        most = self._breaker.failures
        if not is_down or most is None or not self._has_answered:
            return False
        self.error = error
        if self.opened is not None:
            self._failed[call[:2]] += 1
            if call == self.probe:
                self._wait_s = min(2 * self._wait_s, self._breaker.longest_s)
                self.tries_at = now + self._wait_s
            return False
        which = call[:2]
        if which in self._suspects:
            return False
        self._failed[which] += 1
        self._count += self._failed[which] <= _MOST_OF_ONE_CALL
        if self._count < min(most, _MOST_OF_ONE_CALL * calls):
            return False
        self.opened = now
        self._wait_s = self._breaker.first_s
        self.tries_at = now + self._wait_s
        return True

    def over(self, call: Call) -> None:
        """The call is no longer in flight, however it ended."""
        if call == self.probe:
            self.probe = None

    def suspects(self, call: Call) -> None:
        """A call failed for good while the backend was not down: when it is tried again, it says nothing new."""
        if self.opened is None and call[:2] in self._failed and len(self._suspects) < _SUSPECTS:
            self._suspects.add(call[:2])

    def gives_up(self, now: float) -> bool:
        """Whether those that wait are to fail, now."""
        if self.opened is None or self._has_given_up or now < self.opened + self._breaker.gives_up_after_s:
            return False
        self._has_given_up = True
        return True

    def __repr__(self) -> str:
        state = "closed" if self.opened is None else "given up" if self._has_given_up else "open"
        return f"<Circuit {state}, {self._count} failures>"
