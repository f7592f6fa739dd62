"""What a failed model call means, and whether and when to ask again: plain decisions, no waiting."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .errors import BackendOverloaded, BackendRefused, BackendUnavailable, ReplyEmpty, ReplyInvalid
from .seeds import generator

__all__ = ["Failure", "Verdict", "verdict_on", "Retry"]


class Failure(StrEnum):
    """The four ways in which a call fails, and `fault` for what is no failure of the model but of the program."""

    TRANSIENT = "transient"
    OVERLOADED = "overloaded"
    REFUSED = "refused"
    INVALID = "invalid"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an error means; `retry_after_s` is how long the model said to stay away."""

    failure: Failure
    retry_after_s: float | None = None


def verdict_on(error: Exception) -> Verdict:
    match error:
        case BackendOverloaded():
            return Verdict(Failure.OVERLOADED, error.retry_after_s)
        case BackendUnavailable():
            return Verdict(Failure.TRANSIENT)
        case BackendRefused():
            return Verdict(Failure.REFUSED)
        case ReplyInvalid() | ReplyEmpty():
            return Verdict(Failure.INVALID)
    return Verdict(Failure.FAULT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Asks again after transient failures and overload, `attempts` times in all.

    Waits double from `first_s` to `longest_s`, each shortened at random by up to a half so that those who failed
    together do not come back together ("equal jitter"). A model's own Retry-After is honoured as the least wait, and
    jitter comes on top; one beyond `longest_retry_after_s` ends the trying. What fails while a backend is down counts
    as no attempt, see `Breaker`.
    """

    attempts: int = 6
    first_s: float = 0.5
    longest_s: float = 30.0
    longest_retry_after_s: float = 300.0

    def wait_s(self, verdict: Verdict, failed_attempts: int, seed: int) -> float | None:
        """Seconds until the call may go back into the queue, None when it may not. The seed decides the jitter."""
        if verdict.failure not in (Failure.TRANSIENT, Failure.OVERLOADED) or failed_attempts >= self.attempts:
            return None
        doubled = min(self.first_s * 2.0 ** (failed_attempts - 1), self.longest_s)
        jitter = generator(seed, "retry", failed_attempts).uniform(0.5, 1.0)
        if verdict.retry_after_s is None:
            return doubled * jitter
        if verdict.retry_after_s > self.longest_retry_after_s:
            return None
        return verdict.retry_after_s + self.first_s * jitter
