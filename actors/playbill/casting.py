"""A cast is generated before its dialogs are played: by the same model, within the same budget, and only once."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ...engine.budget import Budget
from ...engine.budget.preparation import Preparation
from ...engine.budget.prices import Prices
from ...engine.completion import Backend
from ...engine.errors import GenerationIncomplete, JournalUnwritable, PlayactError, SetupError
from ...engine.journal.file import JournalFile
from ...engine.program.archive import kept_in
from ...engine.program.resumption import Changes, config_in
from ...engine.seeds import derive, generator
from ...engine.settings import Settings
from ..pilot import figures_of
from ..progress import Progress, shown_progress
from .generated import GeneratedContexts, GeneratedPersonas
from .playbill import Playbill

if TYPE_CHECKING:
    from ..generators import Generation, Population
    from ..generators.blueprint import Blueprint

__all__ = ["CastUnpaid", "Casting"]


class CastUnpaid(SetupError):
    """The budget was spent before the cast was whole. Where there is a journal, what there is of it is kept."""


@dataclass
class Casting:
    """Fills the seats of a scenario file that are left to generators.

    journal: that of the run to come. What is generated is kept beside it, in `NAME.cast-2.db` for the second seat, so
    that a process that was killed meanwhile, started again with the same words, does not ask again for what it has.
    What rules alone make is not kept, and no model is opened for it.
    budget: what is left of it afterwards is for the dialogs.
    measures: `took` then says of each seat what its people took, for a run of `dialogs_foretold` dialogs.
    is_quiet: not where progress is to be shown on standard error.
    """

    playbill: Playbill
    dialogs: int
    seed: int
    model: str | Backend | None = None
    concurrency: int | None = None
    journal: Path | None = None
    budget: Budget | None = None
    prices: Prices | str | Path | None = None
    is_quiet: bool = True
    measures: bool = False
    dialogs_foretold: int | None = None

    took: list[Preparation] = field(default_factory=list, init=False)

    async def filled(self) -> Playbill:
        """The scenario file with its cast. Raises `SetupError` when somebody cannot be generated, see `CastUnpaid`."""
        seats = self.playbill.seats
        with TemporaryDirectory(prefix="playact-cast-") as folder:
            people = {
                place: await self._made(each, f"cast[{place}]", self._kept(each, f".cast-{place + 1}.db", folder))
                for place, each in seats.personas.items()
            }
            contexts: Sequence[Any] = ()
            if seats.contexts is not None:
                journal = self._kept(seats.contexts, ".contexts.db", folder)
                contexts = await self._made(seats.contexts, "contexts", journal)
        return self.playbill.filled(people, contexts)

    def _kept(self, asked: GeneratedPersonas | GeneratedContexts, ending: str, folder: str) -> Path:
        """Where its journal is. What rules make costs nothing to make again, so it is not kept."""
        beside = None if self.journal is None else self.journal.with_suffix(ending)
        if beside is not None and (asked.asks or beside.exists()):
            return beside
        return Path(folder, f"run{ending}")

    async def _made(self, asked: GeneratedPersonas | GeneratedContexts, place: str, journal: Path) -> list[Any]:
        if journal.exists():  # noqa: ASYNC240  # nothing else is going on yet
            generation = await self._resumed(asked, place, journal)
        else:
            generation = self._begun(asked, place, journal)
        made: list[Any] = []
        is_unpaid = False
        failure: PlayactError | None = None  # which the tasks that show progress would put into a group
        count = asked.count(self.dialogs)
        try:
            async with (
                generation,
                shown_progress(Progress(count, noun=place), generation.statistics, sys.stderr, is_quiet=self.is_quiet),
            ):
                try:
                    async for each in generation:
                        made.append(each)
                except PlayactError as error:
                    failure, is_unpaid = error, generation.is_out_of_money
        except JournalUnwritable as error:  # when it is opened or closed
            failure = error
        finally:
            self._count(journal)
        if self.measures and failure is None:
            self._measure(asked, place, journal)
        if isinstance(failure, GenerationIncomplete):
            said = f"{place}: {len(made)} of {count} were generated: {failure.reason}"
            if not is_unpaid:
                raise SetupError(said) from failure
            again = "say the same with a higher cap" + (" to go on" if self.journal is not None else "")
            raise CastUnpaid(f"{said}; {again}") from failure
        if isinstance(failure, JournalUnwritable):  # which none resumes by itself
            again = "say the same again to go on"
            raise SetupError(
                f"cannot write {failure.path}: {failure.reason}; put that right, then {again}"
            ) from failure
        if failure is not None:
            raise failure
        if asked.quotas() is not None:  # which two seats have in like order: women would only ever meet women
            generator(self.seed, place, "order").shuffle(made)
        return made

    def _begun(self, asked: GeneratedPersonas | GeneratedContexts, place: str, journal: Path) -> Generation[Any]:
        try:
            return (
                asked.generator()
                .under(self.playbill.prompts)
                .stream(
                    asked.count(self.dialogs),
                    seed=derive(self.seed, place),
                    max_attempts=asked.max_attempts,
                    population=asked.quotas(),
                    repeats=asked.repeats,
                    model=asked.model or self.model,
                    concurrency=self.concurrency,
                    budget=self.budget,
                    prices=self.prices,
                    journal=journal,
                )
            )
        except ValueError as error:  # such as counts of a population that do not come to the number asked for
            raise SetupError(f"{place}: {error}") from error

    async def _resumed(
        self, asked: GeneratedPersonas | GeneratedContexts, place: str, journal: Path
    ) -> Generation[Any]:
        """What an earlier process has begun, if it was just this. Raises `SetupError` for anything else."""
        from ..generators import Commission

        maker = asked.generator().under(self.playbill.prompts)
        memo = config_in(journal).get("memo", {}).get("generation")
        kept = None if memo is None else Commission.from_memo(memo)
        same = kept is not None and (
            kept.n == asked.count(self.dialogs)
            and kept.seed == derive(self.seed, place)
            and _wording(kept.blueprint) == _wording(maker.blueprint)
            and _rows(kept.population) == _rows(asked.quotas())
            and asked.repeats in (None, kept.repeats)
        )
        if not same:
            raise SetupError(
                f"{journal} holds what was generated for another run; say the same file, -n and --seed as then, "
                "take it away, or name another journal"
            )
        model = asked.model or self.model or Settings.current().model
        changes: Changes = {}
        if self.budget is not None:
            changes["budget"] = self.budget
        if self.concurrency is not None:
            changes["concurrency"] = self.concurrency
        return await type(maker).resume(journal, model=model, **changes)

    def _count(self, journal: Path) -> None:
        """Takes what was spent from the budget."""
        if self.budget is not None and journal.exists():
            with closing(JournalFile.read(journal)) as file:
                tally = file.tally()
            self.budget = self.budget.after(tally.spent, tally.seconds)

    def _measure(self, asked: GeneratedPersonas | GeneratedContexts, place: str, journal: Path) -> None:
        with closing(JournalFile.read(journal)) as file:
            tally = file.tally()
            made = [figures_of(kept, 0, is_priced=not tally.unpriced) for kept in kept_in(file)]
        self.took.append(
            Preparation(
                name=place,
                made=made,
                count=asked.count(self.dialogs_foretold or self.dialogs),
                seconds=tally.seconds,
                most_attempts=asked.max_attempts,
            )
        )


def _wording(blueprint: Blueprint) -> tuple[object, ...]:
    """All that decides what is made, but for the model, which may be another one when it is gone on with."""
    told = blueprint.told(blueprint.prompts), blueprint.prompt, dict(blueprint.prompts)
    return (blueprint.kind, dict(blueprint.given), dict(blueprint.rules), *told)


def _rows(population: Population | None) -> Sequence[Mapping[str, Any]]:
    return () if population is None else population.to_dict()
