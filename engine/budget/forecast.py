"""What a run will take: predicted from a few of its dialogs that were played, or supposed from their outlines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..wording import counted
from .amount import PICODOLLARS
from .budget import Budget
from .outline import Figures, Outline
from .prediction import Estimate, duration_of, sum_of
from .preparation import Taken

__all__ = ["Forecast", "forecast"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What `dialogs` dialogs take in all, those of the pilot among them. None is what cannot be told.

    seconds: from the first dialog's begin to the last one's end, so many at once as were asked for.
    usd: US dollars; unlike what is spent, a forecast need not be exact.
    """

    dialogs: int
    pilot: int
    turns: Estimate
    calls: Estimate
    prompt_tokens: Estimate
    completion_tokens: Estimate
    tokens: Estimate
    usd: Estimate | None
    seconds: Estimate | None
    dataset_bytes: Estimate
    journal_bytes: Estimate

    def against(self, budget: Budget) -> Iterator[tuple[str, float, Estimate | None]]:
        """The caps on the run: each in words, as a number, and what is to be taken of it."""
        caps = (
            (budget.usd, self.usd, "US dollar"),
            (budget.tokens, self.tokens, "token"),
            (budget.calls, self.calls, "call"),
            (budget.seconds, self.seconds, "second"),
        )
        for cap, estimate, unit in caps:
            if cap is not None:
                yield counted(cap, unit), float(cap), estimate

    def reaches(self, budget: Budget) -> tuple[str, int] | None:
        """The cap on the run that is likely to end it, in words, and after about how many dialogs."""
        reached = [
            (int(self.dialogs * cap / estimate.point), words)
            for words, cap, estimate in self.against(budget)
            if estimate is not None and estimate.point > cap
        ]
        if not reached:
            return None
        after, words = min(reached, key=lambda each: each[0])
        return words, after

    def within(self, budget: Budget) -> Forecast:
        """The same for a run that ends when a cap is met: of what is capped it takes no more than that."""

        def capped(estimate: Estimate | None, cap: Any) -> Any:
            return estimate if cap is None or estimate is None else estimate.at_most(float(cap))

        return replace(
            self,
            usd=capped(self.usd, budget.usd),
            tokens=capped(self.tokens, budget.tokens),
            calls=capped(self.calls, budget.calls),
            seconds=capped(self.seconds, budget.seconds),
        )

    def after(self, taken: Taken) -> Forecast:
        """The same with what was made before it. What cannot be told of a part, cannot be told of the whole."""

        def sum_with(name: str) -> Any:
            mine, other = getattr(self, name), getattr(taken, name)
            return None if mine is None or other is None else mine + other

        return replace(self, **{name: sum_with(name) for name in Taken._fields})

    def to_dict(self) -> dict[str, Any]:
        estimates = {
            name: None if (estimate := getattr(self, name)) is None else [estimate.low, estimate.point, estimate.high]
            for name in _MEASURES
        }
        return {"dialogs": self.dialogs, "pilot": self.pilot, **estimates}


_MEASURES = (
    "turns",
    "calls",
    "prompt_tokens",
    "completion_tokens",
    "tokens",
    "usd",
    "seconds",
    "dataset_bytes",
    "journal_bytes",
)


def forecast(
    dialogs: int,
    pilot: Sequence[Figures],
    outlines: Sequence[Outline],
    *,
    concurrency: int,
    in_flight: int | None = None,
) -> Forecast:
    """What a run of so many dialogs takes, of which `pilot` were played.

    outlines: of its scenarios, which its dialogs take in turn. They bound what a single pilot dialog leaves open, and
    are all there is without a pilot. in_flight: how many calls the model takes at once, where that is fewer.

    The pilot's dialogs count as they were; for the others see `sum_of`. Raises ValueError without dialogs or outlines.
    """
    if dialogs < 1 or not outlines:
        raise ValueError("a forecast is of one dialog or more, and needs the outline of one")
    at_once = min(concurrency, dialogs, in_flight or dialogs)
    bounds = tuple(_mean([getattr(outline, name)() for outline in outlines]) for name in ("least", "likely", "most"))
    more = max(dialogs - len(pilot), 0)
    totals = {name: _total(name, pilot, more, bounds) for name in Figures._fields if name != "seconds"}
    money = totals.pop("picodollars")
    usd = None if money is None else Estimate(*(value / PICODOLLARS for value in (money.point, money.low, money.high)))
    return Forecast(
        dialogs=dialogs,
        pilot=len(pilot),
        usd=usd,
        seconds=_duration(pilot, more, bounds, at_once),
        tokens=_tokens(pilot, more, bounds),
        **{name: estimate for name, estimate in totals.items() if estimate is not None},
    )


def _total(name: str, pilot: Sequence[Figures], more: int, bounds: Sequence[Figures]) -> Estimate | None:
    sample = [getattr(figures, name) for figures in pilot]
    least, likely, most = (getattr(figures, name) for figures in bounds)
    if None in sample or (None in (least, likely, most) and (more or not sample)):
        return None
    return sum_of(sample, more, least=least, likely=likely, most=most).plus(sum(sample))


def _tokens(pilot: Sequence[Figures], more: int, bounds: Sequence[Figures]) -> Estimate:
    sample = [figures.prompt_tokens + figures.completion_tokens for figures in pilot]
    least, likely, most = (figures.prompt_tokens + figures.completion_tokens for figures in bounds)
    return sum_of(sample, more, least=least, likely=likely, most=most).plus(sum(sample))


def _duration(pilot: Sequence[Figures], more: int, bounds: Sequence[Figures], at_once: int) -> Estimate | None:
    """How long it takes to play all; it supposes that the model answers as fast then as it did for the pilot."""
    sample = [figures.seconds for figures in pilot if figures.seconds is not None]
    if not sample:
        return None
    mean = sum(sample) / len(sample)
    pace = sample[0] / max(pilot[0].calls, 1)
    least, most = pace * bounds[0].calls, pace * bounds[2].calls
    work = sum_of(sample, more, least=least, likely=mean, most=most).plus(sum(sample))
    return duration_of(sample, more, work, at_once, longest=max(most, *sample))


def _mean(figures: Sequence[Figures]) -> Figures:
    columns = zip(*figures, strict=True)
    return Figures(*(None if None in column else sum(column) / len(column) for column in columns))  # type: ignore[arg-type]
