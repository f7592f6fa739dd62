"""What was foretold of a run, for a person or as JSON: a forecast, what it rests on, and what it cost to make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine.budget import Budget, Prices
from ..engine.budget.forecast import Forecast
from ..engine.budget.outline import Outline, assumptions
from ..engine.budget.prediction import Estimate
from ..engine.budget.preparation import Preparation
from ..engine.wording import counted, dollars
from .pilot import Pilot
from .progress import duration

__all__ = ["Foretold"]

_FAILED, _BUDGET_SPENT = 1, 3


@dataclass(kw_only=True)
class Foretold:
    """The forecast is of all; what is made before the dialogs, such as people, is among it and in `cast` by itself.

    is_cast_open: it is yet to be made, and not counted.
    """

    forecast: Forecast
    outlines: Sequence[Outline]
    prices: Prices
    budget: Budget | None
    concurrency: int
    model: str
    seed: int | None
    unpriced: Sequence[str]
    pilot: Pilot | None = None
    cast: Sequence[Preparation] = ()
    is_cast_open: bool = False

    @property
    def exit_code(self) -> int:
        pilot = self.pilot
        if pilot is None:
            return 0
        return _FAILED if pilot.failed else _BUDGET_SPENT if pilot.spent else 0

    def to_dict(self, journal: Path | None) -> dict[str, Any]:
        """Each estimate is [low, point, high], or null when it cannot be told."""
        pilot, reached, budget = self.pilot, self._reached(), self.budget
        whole = self.forecast.to_dict()
        within = None if budget is None else self.forecast.within(budget).to_dict()
        return {
            **whole,
            "within_budget": within and {name: within[name] for name in ("calls", "tokens", "usd", "seconds")},
            "cast": [
                {"place": each.name, "made": len(each.made), "count": each.count, "calls": each.calls}
                | {"tokens": each.tokens, "usd": each.usd, "seconds": each.seconds}
                for each in self.cast
            ],
            "pilot": None if pilot is None else {**vars(pilot)},
            "reaches": None if reached is None else {"cap": reached[0], "after_dialogs": reached[1]},
            "unpriced": list(self.unpriced),
            "assumptions": list(self._assumptions()),
            "prices_as_of": self.prices.as_of,
            "model": self.model,
            "seed": self.seed,
            "journal": None if journal is None else str(journal),
        }

    def lines(self, journal: Path | None) -> list[str]:
        """For a person."""
        now = self.forecast
        lines = [f"{'forecast of ' + counted(_count(now.dialogs), 'dialog'):<28}{'about':>14}{'from':>14}{'to':>14}"]
        rows: tuple[tuple[str, Estimate | None, Callable[[float], str]], ...] = (
            ("turns", now.turns, _count),
            ("calls", now.calls, _count),
            ("tokens of prompts", now.prompt_tokens, _count),
            ("tokens of replies", now.completion_tokens, _count),
            ("US dollars", now.usd, dollars),
            (f"time, {self.concurrency} at once", now.seconds, duration),
            ("dataset", now.dataset_bytes, _bytes),
            ("journal", now.journal_bytes, _bytes),
        )
        for name, estimate, form in rows:
            cells = (
                ("unknown", "", "") if estimate is None else map(form, (estimate.point, estimate.low, estimate.high))
            )
            lines.append(f"  {name:<26}" + "".join(f"{cell:>14}" for cell in cells).rstrip())
        lines.append(f"model {self.model}" + ("" if self.seed is None else f", seed {self.seed}"))
        if (reached := self._reached()) is not None:
            lines.append(
                f"the budget of {reached[0]} does for about {counted(reached[1], 'dialog')}, then the run ends; "
                "the fewer are live at once, the more of them are finished by then"
            )
        elif self.budget is not None:
            lines += [_against(*each) for each in self.forecast.against(self.budget)]
        lines += self._of_the_pilot(journal)
        lines += [f"- {said}" for said in self._assumptions()]
        return lines

    def _of_the_pilot(self, journal: Path | None) -> list[str]:
        pilot = self.pilot
        if pilot is None:
            return ["an estimate from assumptions: nothing was played; --pilot K plays K dialogs and measures"]
        lines = [self._of_the_cast(each) for each in self.cast]
        cost = _cost(pilot.usd)
        lines.append(
            f"the pilot: {counted(pilot.played, 'dialog')} in {duration(pilot.seconds)}, "
            f"{counted(pilot.calls, 'call')}, {counted(_count(pilot.tokens), 'token')}, {cost}; "
            "it is part of the forecast"
        )
        if pilot.failed:
            lines.append(f"{counted(pilot.failed, 'dialog')} of the pilot failed")
        if pilot.spent:
            lines.append(f"the pilot ended after {pilot.played} of {counted(pilot.asked_for, 'dialog')}: {pilot.spent}")
        lines.append(
            "the pilot was not kept; --journal PATH keeps it as the run's beginning"
            if journal is None
            else f"go on with: playact resume {journal}"
        )
        return lines

    def _of_the_cast(self, cast: Preparation) -> str:
        made = f"{len(cast.made)} of {cast.count}" if cast.more else f"{cast.count}"
        return (
            f"{cast.name}: {made} generated in {duration(cast.seconds)}, {counted(cast.calls, 'call')}, "
            f"{counted(_count(cast.tokens), 'token')}, {_cost(cast.usd)}; all of them are part of the forecast"
        )

    def _assumptions(self) -> Sequence[str]:
        said: list[str] = []
        if self.unpriced:
            said.append(f"no price is known of {', '.join(self.unpriced)}; give it in a file: --prices FILE")
        elif self.forecast.usd is not None and self.forecast.usd.high > 0:
            own = self.prices.source
            said.append(f"prices as of {self.prices.as_of}" + (f", and {own}" if own else ""))
        played = self.forecast.pilot
        if self.is_cast_open:
            said.append("what the file leaves to generators is not counted; --pilot K generates it and measures")
        if played < 2:
            said += assumptions(self.outlines)
        if played == 1:
            said.append("one dialog says nothing of how dialogs differ: the intervals are the widest there can be")
        if played > 1:
            said.append("the other dialogs are like the pilot's; intervals hold in 19 of 20 cases (Student's t)")
        if played:
            at_once = counted(self.concurrency, "live dialog")
            said.append(f"the model answers as fast with {at_once} as it did for the pilot")
        if 0 < played < len(self.outlines):
            said.append(f"the pilot has met {played} of {counted(len(self.outlines), 'context')}")
        return said

    def _reached(self) -> tuple[str, int] | None:
        return None if self.budget is None else self.forecast.reaches(self.budget)


def _cost(usd: float | None) -> str:
    return "an unknown cost" if usd is None else f"{dollars(usd)} US dollars at the most"


def _count(number: float) -> str:
    return f"{round(number):,}"


def _against(cap: str, limit: float, estimate: Estimate | None) -> str:
    """A word on a cap that is not likely to be reached."""
    if estimate is None:
        return f"whether the budget of {cap} is reached cannot be told"
    form = dollars if "dollar" in cap else _count
    verdict = "it may be reached" if estimate.high > limit else "it suffices"
    return f"of the budget of {cap}, about {form(estimate.point)}, at the most {form(estimate.high)}: {verdict}"


def _bytes(number: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
