"""Many objects, generated side by side; which ones depends on no order in which models answer."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from ...engine.dialog import Dialog, Ending
from ...engine.errors import GenerationIncomplete, TooManyFailures
from ...engine.run import Run
from ...engine.simulation import Simulation
from ...engine.statistics import Statistics
from .commission import Commission
from .likeness import Likeness
from .round import Round

__all__ = ["Generation", "Report"]

T = TypeVar("T")


@dataclass(slots=True)
class Report:
    """How a generation went.

    made: objects handed out. failed: attempts that came to nothing. repeats: attempts that came too near to another.
    alike: objects handed out that are near-equal to another all the same.
    """

    made: int = 0
    failed: int = 0
    repeats: int = 0
    alike: int = 0

    @property
    def uniqueness(self) -> float:
        """The share of the objects handed out that are near-equal to none before them; 1.0 of none."""
        return 1 - self.alike / self.made if self.made else 1.0


class Generation(Generic[T]):
    """An async iterator over the objects of a commission; `report` tells how it went.

    Iterate it where a simulation was given; without one it is a context manager too:
    `async with generator.stream(1000) as personas: async for persona in personas: ...`

    All objects are made at the same time, as the dialogs of a run are. They are then looked at, and handed out, in the
    order of their numbers. What failed, or came too near to one that was taken, is made again in a next round, with a
    seed of its own; there are as many rounds as the commission allows attempts. So what comes out depends on seeds and
    replies alone. What cannot be made raises `GenerationIncomplete`, after all others were handed out.
    """

    def __init__(
        self,
        commission: Commission,
        finish: Callable[[Mapping[str, Any], Dialog], T],
        *,
        simulation: Simulation | None = None,
        own: Callable[[], Simulation] | None = None,
        earlier: Mapping[str, Dialog] | None = None,
    ) -> None:
        """`own` makes a simulation when there is none. `earlier`: what a journal holds of this very generation."""
        commission.check()
        self.report = Report()
        self.is_out_of_money = False  # whether something was not made since the budget is spent
        self._commission = commission
        self._finish = finish
        self._simulation = simulation
        self._own = own
        self._is_resumed = earlier is not None
        self._earlier = dict(earlier or {})
        self._likeness = None if commission.repeats == "allow" else Likeness(commission.fixed)
        self._contents: dict[int, Mapping[str, Any]] = {}
        self._ready: deque[T] = deque()
        self._run: Run | None = None
        self._round: Round | None = None
        self._short: Counter[str] = Counter()
        self._reason = ""
        self._is_over = False
        self._planned = 0  # dialogs of the journal that is gone on with
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Raises `SetupError` when the simulation cannot be set up."""
        if self._simulation is None and self._own is not None:
            self._simulation = await self._stack.enter_async_context(self._own())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """What is still being made is given up."""
        if self._run is not None:
            async with self._run:
                pass
        await self._stack.__aexit__(kind, error, at)

    def statistics(self) -> Statistics:
        """Of the simulation that makes the objects. Raises RuntimeError before the generation is entered."""
        if self._simulation is None:
            raise RuntimeError("the generation has not begun; say `async with generation:`")
        return self._simulation.statistics()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._ready:
            if self._is_over:
                if not self._short:
                    raise StopAsyncIteration
                short, self._short = self._short, Counter()
                raise GenerationIncomplete((), self._commission.n, tuple(short.items()), self._reason)
            await self._go_on()
        self.report.made += 1
        return self._ready.popleft()

    async def _go_on(self) -> None:
        """One step: a round begun, an object looked at, or a round ended."""
        if self._round is None:
            self._begin(Round.first(self._commission))
        round = self._round
        assert round is not None
        try:
            dialog = None if self._run is None else await anext(self._run, None)
        except TooManyFailures as error:
            self._reason, dialog = str(error), None
            self._give_up(round)
            return
        if dialog is None:
            self._end(round)
        elif (place := round.places.get(str(dialog.id))) is None:
            self._earlier[str(dialog.id)] = dialog  # of a later round, which an earlier session had begun
        else:
            round.outcomes[place] = dialog
            self._look(round)

    def _begin(self, round: Round) -> None:
        simulation = self._simulation
        if simulation is None:
            raise RuntimeError(
                "no simulation: give one as simulation=, or say `async with generator.stream(...) as ...`"
            )
        if self._round is None and self._is_resumed:
            round.begin, self._planned = 0, simulation.program.dialogs
        else:
            last = self._round
            goes_on = last is not None and self._is_resumed
            round.begin = last.begin + len(last.makings) if last is not None and goes_on else simulation.program.dialogs
        count = len(round.makings)
        round.places = {simulation.dialog_id(round.begin + place): place for place in range(count)}
        for id, place in round.places.items():
            if id in self._earlier:
                round.outcomes[place] = self._earlier.pop(id)
        new = round.makings[max(0, self._planned - round.begin) :]
        if self._round is None and self._is_resumed and self._planned:
            self._run = simulation.run()  # without a plan, the earlier session ended before it had kept any
        elif new:
            self._run = simulation.run(new, is_more=self._is_resumed)
        else:
            self._run = None
        self._round = round
        self._look(round)

    def _look(self, round: Round) -> None:
        """Takes or refuses what is there, in the order of numbers."""
        while round.next in round.outcomes:
            self._judge(round, round.next, round.outcomes.pop(round.next))
            round.next += 1

    def _judge(self, round: Round, place: int, dialog: Dialog) -> None:
        index, ending = round.index(place), dialog.ending
        may_again = round.variant + 1 < self._commission.attempts
        if ending is None or ending.reason != "finished":
            self._reason = _in_words(ending)
            self.is_out_of_money |= ending is not None and ending.reason == "budget"
            self.report.failed += 1
            if may_again and ending is not None and ending.failed:
                round.once_more(place, dialog.seed or 0)
            else:
                self._short[self._commission.cell_name(index)] += 1
            return
        content = _content(dialog)
        features = self._likeness.features(content) if self._likeness is not None else ()
        if self._likeness is not None and (like := self._likeness.near_equal(features)) is not None:
            self.report.repeats += 1
            if may_again:
                round.once_more(place, dialog.seed or 0, self._particular(like))
                return
            if self._commission.repeats == "refuse":
                self._reason = "it came too near to another each time; take a warmer or larger model, or other rules"
                self._short[self._commission.cell_name(index)] += 1
                return
            self.report.alike += 1
        if self._likeness is not None:
            self._likeness.add(index, features)
            self._contents[index] = content
        self._ready.append(self._finish(content, dialog))

    def _end(self, round: Round) -> None:
        """A round is over. Where a dialog has no outcome, the run was stopped, and no other round helps."""
        self._run = None
        if round.next < len(round.makings):
            self._reason = self._reason or "the run was stopped"
            self._give_up(round)
        elif round.again:
            self._begin(round.following(self._commission))
        else:
            self._is_over = True

    def _give_up(self, round: Round) -> None:
        """Takes what is there, and counts the rest as missing."""
        for place in range(round.next, len(round.makings)):
            if place in round.outcomes:
                self._judge(round, place, round.outcomes.pop(place))
            else:
                self._short[self._commission.cell_name(round.index(place))] += 1
        for again in round.again:
            self._short[self._commission.cell_name(again.index)] += 1
        self._is_over = True

    def _particular(self, index: int) -> Mapping[str, Any]:
        return {n: value for n, value in self._contents[index].items() if n not in self._commission.fixed}


def _in_words(ending: Ending | None) -> str:
    if ending is None:
        return "it was not finished"
    if ending.reason == "budget":
        return f"the budget of {ending.detail} is spent"
    return ending.error or ending.detail or ending.reason


def _content(dialog: Dialog) -> Mapping[str, Any]:
    content: Mapping[str, Any] = next(e.content for e in reversed(dialog.events or []) if e.action == "generate")
    return content
