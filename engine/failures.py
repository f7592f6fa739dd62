"""What becomes of dialogs that fail, and when a run with too many of them stops by itself: plain decisions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .errors import ReplyEmpty, ReplyUnfit, TooManyFailures
from .retry import Failure, verdict_on

__all__ = ["FailurePolicy", "Failures"]

_REASONS = 1000
_OTHER = "for other reasons"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePolicy:
    """Beyond `Retry`, which asks again after each single failed call.

    turn_attempts: how often an agent may try a turn whose replies are of no use (malformed, empty, or
        of the wrong form even after corrections: then each attempt asks `1 + corrections` times).
    salvage: whether a dialog that failed for a reason that may pass gets a second chance when all others are over.
    stop_share: the run stops when this share of the dialogs begun so far has failed; None never stops it.
    stop_after: not before so many dialogs have failed.
    """

    turn_attempts: int = 2
    salvage: bool = True
    stop_share: float | None = 0.5
    stop_after: int = 20

    def __post_init__(self) -> None:
        share = 1 if self.stop_share is None else self.stop_share
        if self.turn_attempts < 1 or self.stop_after < 1 or not 0 < share <= 1:
            raise ValueError(f"attempts and counts are at least 1, a share is above 0 and at most 1: {self}")

    def may_take_turn_again(self, error: Exception, attempts: int) -> bool:
        return attempts < self.turn_attempts and verdict_on(error).failure is Failure.INVALID

    def may_salvage(self, error: BaseException) -> bool:
        """Not after replies that are empty or do not fit: those are kept, and would only be given once more."""
        if not self.salvage or not isinstance(error, Exception) or isinstance(error, ReplyEmpty | ReplyUnfit):
            return False
        return verdict_on(error).failure in (Failure.TRANSIENT, Failure.OVERLOADED, Failure.INVALID)


@dataclass(slots=True)
class Failures:
    """The failures of one run so far. A dialog that waits for its second chance counts as failed until it has it.

    The reasons that are counted each by itself are a thousand at most, for some errors are worded anew each time.
    """

    policy: FailurePolicy
    failed: int = 0
    well: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def ended_well(self) -> None:
        self.well += 1

    def has_failed(self, reason: str) -> None:
        self.failed += 1
        self.reasons[reason if reason in self.reasons or len(self.reasons) < _REASONS else _OTHER] += 1

    def gets_second_chance(self, reason: str) -> None:
        self.failed -= 1
        counted = reason if reason in self.reasons else _OTHER
        self.reasons[counted] -= 1
        if not self.reasons[counted]:
            del self.reasons[counted]

    def verdict(self, playing: int = 0) -> TooManyFailures | None:
        """What to stop the run with, if it is to be stopped.

        `playing`: how many dialogs are being played. They count as well: failures come early, since a dialog that
        fails is short, and would else be most of what has ended by then.
        """
        policy, begun = self.policy, self.failed + self.well + playing
        if policy.stop_share is None or self.failed < policy.stop_after or self.failed < policy.stop_share * begun:
            return None
        ((reason, _),) = self.reasons.most_common(1)
        return TooManyFailures(self.failed, begun, reason)
