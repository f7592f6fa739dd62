"""What a run is to play, and where each dialog of it stands; with a journal, by number and for good."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ..errors import SetupError
from ..journal.entry import Entry
from ..journal.file import DialogRow, JournalFile, PlanRow
from ..journal.journal import Diary, Journal
from .fork import Fork
from .past import Past
from .plan import Cycle, Plan

if TYPE_CHECKING:
    from ..performance import Playable

__all__ = ["Piece", "Program", "Unfinished", "each"]

T = TypeVar("T")
_SCENARIOS_KNOWN = 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """A scenario to be played.

    number: None for the next that is free. past: where the dialog stands already. fork: the dialog that it begins as.
    diary: that of a dialog which has begun in this very session.
    """

    scenario: Playable
    number: int | None = None
    past: Past | None = None
    fork: Fork | None = None
    diary: Diary | None = None


class Unfinished:
    """The dialogs of a journal that are to be taken up again, read when the run is resumed."""

    def __init__(self, file: JournalFile, run: str, *, retries: Sequence[str] = ()) -> None:
        self._file = file
        self._run = run
        self._open: dict[int, DialogRow] = {}
        self._entries: dict[int, list[Entry]] = defaultdict(list)
        self.begun = 0
        for row in file.dialogs():
            self.begun += 1
            if row.reason is None or row.reason in retries:
                self._open[row.number] = row
        first = min((row.first for row in self._open.values() if row.reason is None), default=None)
        for entry in file.entries(first) if first is not None else ():
            if entry.dialog in self._open and self._open[entry.dialog].reason is None:
                self._entries[entry.dialog].append(entry)

    def __iter__(self) -> Iterator[int]:
        return iter(self._open)

    def __contains__(self, number: int) -> bool:
        return number in self._open

    def past(self, number: int) -> Past:
        """What a dialog has behind it; one that is over is read now."""
        row = self._open[number]
        if row.reason is None:
            entries: Iterable[Entry] = self._entries.pop(number, ())
        else:
            entries = (entry for entry in self._file.entries(row.first, row.last) if entry.dialog == number)
        return Past.of(entries, self._run, row.id, row)


class Program:
    """The plan of a run, kept in its journal, and what of it is left to be played."""

    def __init__(self, journal: Journal, unfinished: Unfinished | None = None, *, code: Sequence[object] = ()) -> None:
        self._journal = journal
        self._unfinished = unfinished
        self._plan = Plan.of(journal.file, code)
        self._numbers = {recipe: number for number, recipe in enumerate(self._plan.recipes)}
        self._known: dict[int, tuple[Playable, int]] = {}  # by id(), with the scenario, so that the id stays its own

    @property
    def dialogs(self) -> int:
        """How many are planned by now."""
        total = self._journal.tally.total
        return len(self._plan.rows) if total is None else total

    def plan(self, scenarios: Sequence[Playable]) -> None:
        """Keeps the plan of a run whose scenarios are all there. Raises `SetupError` when it has one already."""
        journal = self._journal
        if journal.tally.planned:
            raise SetupError(f"{journal.file.path} has a plan already; another run needs a journal of its own")
        all_same = scenarios if not isinstance(scenarios, Cycle) else scenarios.scenarios
        if len({id(scenario) for scenario in all_same}) == 1:
            all_same = all_same[:1]
        for scenario in all_same[: len(scenarios)]:
            self.keep(scenario)
        journal.tally.total = len(scenarios)

    def keep(self, scenario: Playable) -> None:
        """Keeps one scenario more in a plan that is open. Raises `SetupError` when it is not."""
        if self._journal.tally.total is not None:
            raise SetupError(f"the plan of {self._journal.file.path} is complete; use another journal for more")
        row = PlanRow(len(self._plan.rows), self._number(scenario), scenario.seed)
        self._plan.rows.append(row)
        self._journal.keep_plan(row.scenario, row.seed)

    def extend(self, dialogs: int) -> None:
        """Plans more dialogs, by the same plan. Raises `SetupError` when there would be fewer than there are."""
        tally = self._journal.tally
        if tally.total is None:
            raise SetupError("the plan of this run is open: it has as many dialogs as were asked for by then")
        if dialogs < tally.total:
            raise SetupError(f"the run has {tally.total} dialogs already; say as many or more, not {dialogs}")
        tally.total = dialogs
        self._journal.touch()

    def pieces(self) -> Iterator[Piece]:
        """What is still to be played, out of the journal alone: the dialogs that have begun come first."""
        begun = 0
        if self._unfinished is not None:
            begun = self._unfinished.begun
            for number in self._unfinished:
                yield Piece(self._plan.scenario(number), number, self._unfinished.past(number))
        for number in range(begun, self.dialogs):
            yield Piece(self._plan.scenario(number), number)

    async def matched(self, scenarios: Iterable[Playable] | AsyncIterable[Playable]) -> AsyncGenerator[Piece, None]:
        """What is still to be played of scenarios that are given again, in the same order as when the run began.

        Raises `SetupError` when a scenario is not the one that its dialog was begun with.
        """
        number = 0
        async with aclosing(each(scenarios)) as source:
            async for scenario in source:
                if number >= self.dialogs:
                    self.keep(scenario)
                elif _recipe(scenario) != self._plan.recipes[self._plan.row(number).scenario]:
                    raise SetupError(f"dialog {number} was planned with another scenario than is given now")
                if self._unfinished is not None and number in self._unfinished:
                    yield Piece(scenario, number, self._unfinished.past(number))
                elif self._unfinished is None or number >= self._unfinished.begun:
                    yield Piece(scenario, number)
                number += 1

    def _number(self, scenario: Playable) -> int:
        """The number of a scenario's recipe, which is kept at its first use."""
        known = self._known.get(id(scenario))
        if known is not None:
            return known[1]
        recipe = _recipe(scenario)
        number = self._numbers.get(recipe)
        if number is None:
            number = self._numbers[recipe] = self._journal.keep_scenario(recipe)
            self._plan.recipes.append(recipe)
        if len(self._known) >= _SCENARIOS_KNOWN:
            self._known.clear()
        self._known[id(scenario)] = (scenario, number)
        return number


def _recipe(scenario: Playable) -> str:
    return json.dumps(scenario.recipe(), sort_keys=True, separators=(",", ":"))


async def each(source: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T, None]:
    """The items of either kind of iterable."""
    if isinstance(source, AsyncIterable):
        async for item in source:
            yield item
    else:
        for item in source:
            yield item
