"""What is made before the dialogs of a run, such as its people: what that took, and what the rest of it will."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .amount import PICODOLLARS
from .outline import Figures
from .prediction import Estimate, duration_of, sum_of

__all__ = ["Preparation", "Taken"]


class Taken(NamedTuple):
    """What a preparation takes in all. None is what cannot be told."""

    calls: Estimate
    prompt_tokens: Estimate
    completion_tokens: Estimate
    tokens: Estimate
    usd: Estimate | None
    seconds: Estimate | None
    journal_bytes: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """Things of one kind, of which `made` are there, each with what it took, and `count` are to be.

    name: where they are in the scenario file. seconds: until those that are there were made.
    most_attempts: how often one may be made, so that no other takes more than so many times the most that one took.
    """

    name: str
    made: Sequence[Figures]
    count: int
    seconds: float
    most_attempts: int = 1

    @property
    def calls(self) -> int:
        return round(sum(each.calls for each in self.made))

    @property
    def tokens(self) -> int:
        return round(sum(each.prompt_tokens + each.completion_tokens for each in self.made))

    @property
    def usd(self) -> float | None:
        """None where a price is not known."""
        costs = [each.picodollars for each in self.made if each.picodollars is not None]
        return sum(costs) / PICODOLLARS if len(costs) == len(self.made) else None

    @property
    def more(self) -> int:
        """How many are yet to be made."""
        return max(self.count - len(self.made), 0)

    def taken(self, *, concurrency: int, in_flight: int | None = None) -> Taken:
        """Those that are there as they were, the others like them; so many at once."""
        at_once = min(concurrency, self.count, in_flight or self.count)
        return Taken(
            calls=self._total([each.calls for each in self.made]),
            prompt_tokens=self._total([each.prompt_tokens for each in self.made]),
            completion_tokens=self._total([each.completion_tokens for each in self.made]),
            tokens=self._total([each.prompt_tokens + each.completion_tokens for each in self.made]),
            usd=self._money(),
            seconds=self._duration(at_once),
            journal_bytes=self._total([each.journal_bytes for each in self.made]),
        )

    def _total(self, sample: Sequence[float]) -> Estimate:
        return self._rest(sample).plus(sum(sample))

    def _rest(self, sample: Sequence[float]) -> Estimate:
        least, most = min(sample, default=0.0), max(sample, default=0.0) * self.most_attempts
        return sum_of(sample, self.more, least=least, likely=least, most=most)

    def _money(self) -> Estimate | None:
        costs = [each.picodollars / PICODOLLARS for each in self.made if each.picodollars is not None]
        return self._total(costs) if len(costs) == len(self.made) else None

    def _duration(self, at_once: int) -> Estimate | None:
        if not self.more:
            return Estimate(self.seconds, self.seconds, self.seconds)
        sample = [each.seconds for each in self.made if each.seconds is not None]
        if not sample:
            return None
        work = self._rest(sample).plus(sum(sample))
        return duration_of(sample, self.more, work, at_once, longest=max(sample) * self.most_attempts)
