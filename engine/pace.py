"""How fast one backend may be asked: requests and tokens a minute, calls in flight, and what its refusals tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from .call_size import CallSize
from .completion import CompletionRequest, Usage
from .knee import Knee
from .rate import Rate
from .retry import Failure, Verdict
from .window import Window

if TYPE_CHECKING:
    from .scheduler import Call

__all__ = ["Pace", "Pacer", "pace_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a backend may be asked. What is None is not limited.

    requests_per_minute, tokens_per_minute: the most within any 60 seconds. Tokens are those of prompts and replies,
        guessed before a call is sent and put right when its reply tells; so they may be exceeded by as much as the
        calls under way turn out longer than those before.
    in_flight: the most calls at once, where the backend itself does not set less.
    adapts: whether refusals (HTTP 429, 503) make the window of calls in flight smaller, and nobody asks the backend
        again before its Retry-After is over.
    ramp: begins with few calls in flight and doubles them in each round trip, which is kind to a service that starts
        up with its load.
    finds_knee: looks for the window beyond which a server that refuses nobody only makes calls wait.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    in_flight: int | None = None
    adapts: bool = True
    ramp: bool = False
    finds_knee: bool = False

    def __post_init__(self) -> None:
        limits = (self.requests_per_minute, self.tokens_per_minute, self.in_flight)
        if any(limit is not None and limit < 1 for limit in limits):
            raise ValueError(f"a limit of pace is at least 1; leave it out for none: {self}")


def pace_of(paces: Mapping[str, Pace], backend: str) -> Pace:
    """By the backend's name, such as "openai:gpt-4.1", else by what is before the colon, else what "" has."""
    for name in (backend, backend.partition(":")[0], ""):
        if name in paces:
            return paces[name]
    return Pace()


class Pacer:
    """A pace while calls are made: whether one may go now, and if not, when to look again. It never waits itself.

    longest_pause_s: a Retry-After beyond that is not waited for.
    """

    __slots__ = (
        "_longest_pause_s",
        "_paused_by",
        "_requests",
        "_tokens",
        "knee",
        "pace",
        "paused_until",
        "probe",
        "size",
        "window",
    )

    def __init__(self, pace: Pace, *, longest_pause_s: float = 300.0) -> None:
        self.pace = pace
        self.size = CallSize()
        self.window = Window(ramp=pace.ramp)
        self.knee = Knee() if pace.finds_knee else None
        self.paused_until = -inf
        self._paused_by = -inf  # when it was paused last; -inf when a reply has come since
        self.probe: Call | None = None  # the first call after a pause, which the others wait for
        self._longest_pause_s = longest_pause_s
        self._requests = None if pace.requests_per_minute is None else Rate(pace.requests_per_minute)
        self._tokens = None if pace.tokens_per_minute is None else Rate(pace.tokens_per_minute)

    @property
    def is_idle(self) -> bool:
        """Whether every call may go, and nothing is to be learned from it unless it fails."""
        return (
            self.window.size is None
            and self.knee is None
            and self._requests is None
            and self._tokens is None
            and self._paused_by == -inf
        )

    @property
    def is_paused(self) -> bool:
        """Whether the backend said when to come back, and nobody has been answered since."""
        return self._paused_by > -inf

    @property
    def most_in_flight(self) -> int | None:
        """The window now; None is no limit."""
        sizes = [each.size for each in (self.window, self.knee) if each is not None and each.size is not None]
        return int(min(sizes)) if sizes else None

    def guess(self, request: CompletionRequest) -> int:
        """The tokens that a call is going to take; 0 where they are not limited."""
        return 0 if self._tokens is None else self.size.guess(request)

    def lets(self, call: Call, in_flight: int, now: float) -> bool:
        return (
            self.window.has_room(in_flight)
            and (self.knee is None or self.knee.has_room(in_flight))
            and (self._paused_by == -inf or (now >= self.paused_until and self.probe is None))
            and (self._requests is None or self._requests.lets(1, now))
            and (self._tokens is None or self._tokens.lets(call.tokens, now))
        )

    def due(self, call: Call, in_flight: int, now: float) -> float | None:
        """When a call that may not go now is to be looked at again; None when only other calls can change that."""
        if not self.window.has_room(in_flight) or (self.knee is not None and not self.knee.has_room(in_flight)):
            return None
        if self._paused_by > -inf:
            if now < self.paused_until:
                return self.paused_until
            if self.probe is not None:
                return None
        times = [
            rate.due(amount, now)
            for rate, amount in ((self._requests, 1), (self._tokens, call.tokens))
            if rate is not None and not rate.lets(amount, now)
        ]
        return max(times, default=now)

    def goes(self, call: Call) -> None:
        if self._paused_by > -inf:
            self.probe = call
        if self._requests is not None:
            self._requests.take(call, 1)
        if self._tokens is not None:
            self._tokens.take(call, call.tokens)

    def sent(self, call: Call, now: float) -> None:
        for rate in (self._requests, self._tokens):
            if rate is not None:
                rate.sent(call, now)

    def answered(
        self, call: Call, request: CompletionRequest, usage: Usage, *, began: float, in_flight: int, now: float
    ) -> None:
        """`began`: when the call was sent. `in_flight` counts it still."""
        self.window.answered(in_flight, now)
        if self.knee is not None:
            self.knee.answered(began, in_flight, now)
        if self._tokens is not None:
            self.size.learn(request, usage)
            told = usage.prompt_tokens and usage.completion_tokens
            self._tokens.over(call, usage.total_tokens if told else None)
        self._resume(began)

    def failed(
        self, call: Call, verdict: Verdict, may_have_cost: bool, began: float, in_flight: int, now: float
    ) -> bool:
        """Whether the pace is slower now, by a refusal that is not one of many alike."""
        if self._tokens is not None and not may_have_cost:
            self._tokens.over(call, 0)
        if verdict.failure in (Failure.REFUSED, Failure.INVALID):
            self._resume(began)  # no use, but an answer
        if verdict.failure is not Failure.OVERLOADED or not self.pace.adapts:
            return False
        is_news = self.window.refused(began, in_flight, now)
        after_s = verdict.retry_after_s
        if after_s is not None and 0 < after_s <= self._longest_pause_s:
            is_news |= self._paused_by == -inf or began > self._paused_by
            self.paused_until = max(self.paused_until, now + after_s)
            self._paused_by = now
        return is_news

    def over(self, call: Call) -> None:
        """The call is no longer in flight, however it ended."""
        if call == self.probe:
            self.probe = None
        for rate in (self._requests, self._tokens):
            if rate is not None:
                rate.over(call)

    def _resume(self, began: float) -> None:
        """A call was answered that was sent when the pause was over: the others may follow."""
        if began >= self.paused_until:
            self._paused_by = -inf

    def __repr__(self) -> str:
        most = self.most_in_flight
        return f"<Pacer {'any number' if most is None else most} in flight{', paused' if self.is_paused else ''}>"
