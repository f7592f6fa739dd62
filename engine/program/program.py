"""What a run is to play, by number: each dialog has its number before it begins, whatever else is being played."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from ..errors import SetupError
from ..journal.disk import Disk
from ..journal.journal import Journal
from .earlier import Earlier
from .piece import Piece
from .plan import Cycle, encoded_recipe

if TYPE_CHECKING:
    from ..performance import Playable

__all__ = ["Program", "each", "the_first"]

T = TypeVar("T")
_KNOWN = 1024
_READ_AT_ONCE = 256


class Program:
    """The plan of a run. With a journal it is kept there, and a resumed run needs nothing else.

    `dialogs` counts what is planned by now. A sequence that begins a run is its plan: `extend` can say more of it. What
    comes any other way is planned one by one.
    """

    def __init__(
        self, journal: Journal | None = None, disk: Disk | None = None, earlier: Earlier | None = None
    ) -> None:
        self._journal = journal
        self._disk = disk
        self._earlier = earlier
        self._known: dict[int, tuple[Playable, int]] = {}  # by id(), with the scenario, so that the id stays its own
        self._numbers: dict[str, int] = {}
        self._repeated: list[tuple[int, int | None]] = []  # the rows, while there are fewer than dialogs
        self._pieces: deque[Piece] = deque()  # read, and not yet taken
        self._next = 0  # dialogs of earlier sessions below this number have been read
        self.dialogs = 0
        if journal is not None:
            tally = journal.tally
            self.dialogs = tally.planned if tally.total is None else tally.total
            if earlier is not None and tally.planned < self.dialogs:
                self._repeated = [earlier.plan.row(place) for place in range(tally.planned)]
        self._planned_earlier = self.dialogs

    def plan(self, scenarios: Sequence[Playable]) -> range:
        """Plans all of a sequence; gives the numbers of its dialogs."""
        begin = self.dialogs
        journal = self._journal
        if journal is None:
            self.dialogs += len(scenarios)
        elif begin or not scenarios:
            for scenario in scenarios:
                self.keep(scenario)
        else:
            few = scenarios.scenarios if isinstance(scenarios, Cycle) else scenarios
            if all(scenario is few[0] for scenario in few):
                few = few[:1]
            rows = [(self._number(journal, scenario), scenario.seed) for scenario in few[: len(scenarios)]]
            for row in rows:
                journal.keep_plan(*row)
            self.dialogs = journal.tally.total = len(scenarios)
            self._repeated = rows if len(rows) < len(scenarios) else []
        return range(begin, self.dialogs)

    def keep(self, scenario: Playable) -> int:
        """Plans one scenario more; gives the number of its dialog."""
        number = self.dialogs
        journal = self._journal
        if journal is not None:
            recipe = self._number(journal, scenario)
            for place in range(journal.tally.planned, number):  # what was said by repeating is said in full now
                journal.keep_plan(*self._repeated[place % len(self._repeated)])
            self._repeated = []
            journal.keep_plan(recipe, scenario.seed)
            if journal.tally.total is not None:
                journal.tally.total += 1
        self.dialogs += 1
        return number

    def extend(self, dialogs: int) -> None:
        """Plans more dialogs by the same plan, so many in all. Raises `SetupError` when that cannot be."""
        journal = self._journal
        assert journal is not None
        if journal.tally.total is None:
            raise SetupError("the plan of this run is open: it has as many dialogs as were asked for by then")
        if dialogs < self.dialogs:
            raise SetupError(f"the run has {self.dialogs} dialogs already; say as many or more, not {dialogs}")
        if not self._repeated and self._earlier is not None:
            self._repeated = [self._earlier.plan.row(place) for place in range(journal.tally.planned)]
        self.dialogs = self._planned_earlier = journal.tally.total = dialogs
        journal.touch()

    async def left(self) -> AsyncGenerator[Piece, None]:
        """What earlier sessions have left to be played, out of the journal alone, by number; each piece once."""
        assert self._earlier is not None
        assert self._disk is not None
        numbers = (number for number in self._earlier.numbers(self._planned_earlier) if number >= self._next)
        while True:
            if not self._pieces:
                batch = list(islice(numbers, _READ_AT_ONCE))
                if not batch:
                    return
                self._next = batch[-1] + 1
                self._pieces += await self._disk.run("read", partial(self._earlier.pieces, batch))
            yield self._pieces.popleft()

    async def matched(self, scenarios: Iterable[Playable] | AsyncIterable[Playable]) -> AsyncGenerator[Piece, None]:
        """What is still to be played of scenarios that are given again, in the same order as when the run began.

        Raises `SetupError` when a scenario is not the one that its dialog was planned with.
        """
        earlier, disk, planned = self._earlier, self._disk, self._planned_earlier
        assert earlier is not None
        assert disk is not None
        async with aclosing(each(scenarios)) as source:
            number = -1
            async for scenario in source:
                number += 1
                if number >= planned:
                    yield Piece(scenario, self.keep(scenario))
                elif not earlier.plan.is_planned(number, scenario):
                    raise SetupError(f"dialog {number} was planned with another scenario than is given now")
                elif number >= self._next:
                    self._next = number + 1
                    if not earlier.is_left(number):
                        continue
                    pasts = await disk.run("read", partial(earlier.pasts, [number])) if number < earlier.begun else {}
                    yield Piece(scenario, number, pasts.get(number))

    def _number(self, journal: Journal, scenario: Playable) -> int:
        """The number of a scenario's recipe. One that has not been seen for long is kept once more."""
        known = self._known.get(id(scenario))
        if known is not None:
            return known[1]
        recipe = encoded_recipe(scenario)
        number = self._numbers.get(recipe)
        if number is None:
            if len(self._numbers) >= _KNOWN:
                self._numbers.clear()
            number = self._numbers[recipe] = journal.keep_scenario(recipe)
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[id(scenario)] = (scenario, number)
        return number


async def each(source: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T, None]:
    """The items of either kind of iterable. An asynchronous generator that is not read to its end is closed."""
    if isinstance(source, AsyncGenerator):
        async with aclosing(source):
            async for item in source:
                yield item
    elif isinstance(source, AsyncIterable):
        async for item in source:
            yield item
    else:
        for item in source:
            yield item


async def the_first(count: int, source: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """So many items at the most; no more are asked for, and the source is closed."""
    async with aclosing(source):
        while count > 0:
            try:
                yield await anext(source)
            except StopAsyncIteration:
                return
            count -= 1
