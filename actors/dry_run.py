"""A dry run: what a run will take, supposed from its scenarios or predicted from a pilot that is played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..engine.budget import PICODOLLARS, Budget, Prices
from ..engine.budget.forecast import forecast
from ..engine.budget.outline import Figures
from ..engine.budget.preparation import Preparation
from ..engine.clock import Clock
from ..engine.completion import Backend, Parameters
from ..engine.journal.disk import Disk
from ..engine.journal.file import JournalFile
from ..engine.models import backend_named
from ..engine.program.archive import kept_in
from ..engine.program.resumption import name_of
from ..engine.settings import Settings, overlaid
from ..engine.simulation import Simulation
from .foretold import Foretold
from .outlines import Outliner
from .pilot import Pilot, figures_of
from .playbill import Playbill
from .scenario import Scenario

__all__ = ["DryRun"]


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """A run that is to be foretold; the parameters are those of `dry_run`."""

    playbill: Playbill
    dialogs: int
    model: str | Backend | None
    concurrency: int
    prices: Prices
    seed: int | None = None
    max_turns: int | None = None
    budget: Budget | None = None
    budget_left: Budget | None = None
    cast: Sequence[Preparation] = ()
    is_cast_open: bool = False
    clock: Clock | None = None
    disk: Disk | None = None
    model_parameters: Parameters = Parameters()
    settings: Settings = field(default_factory=Settings.current)

    @property
    def scenarios(self) -> Sequence[Scenario]:
        changes = {} if self.max_turns is None else {"max_turns": self.max_turns}
        return self.playbill.scenarios(self.dialogs, **changes)

    def supposed(self) -> Foretold:
        """From the scenarios alone; no model is opened or called."""
        model = self.model or self.settings.model
        backend = backend_named(model) if isinstance(model, str) else model
        return self._foretold(backend, (), self.seed)

    async def predicted(self, pilot: int, journal: Path, memo: Mapping[str, Any] | None = None) -> Foretold:
        """From so many dialogs of the run, which are played into a new journal as its beginning."""
        sizes: dict[str, int] = {}
        async with Simulation(
            model=self.model,
            model_parameters=self.model_parameters,
            concurrency=self.concurrency,
            seed=self.seed,
            journal=journal,
            budget=self.budget_left or self.budget,
            prices=self.prices,
            memo=memo,
            clock=self.clock,
            disk=self.disk,
            settings=self.settings,
        ) as simulation:
            backend = await simulation.models.open(simulation.model)
            async for dialog in simulation.run(self.scenarios, first=min(pilot, self.dialogs)):
                sizes[str(dialog.id)] = len(dialog.to_line().encode("utf-8", "replace")) + 1
            now, purse = simulation.statistics(), simulation.purse
            assert purse is not None
            assert simulation.journal is not None
            is_priced, spent = now.usd is not None, simulation.journal.tally.spent
        with closing(JournalFile.read(journal)) as file:
            kept = list(kept_in(file))
            figures = [figures_of(each, sizes.get(each.row.id, 0), is_priced=is_priced) for each in kept]
        told = self._foretold(backend, figures, simulation.seed)
        told.pilot = Pilot(
            asked_for=min(pilot, self.dialogs),
            played=len(figures),
            failed=sum(each.row.reason == "failed" for each in kept),
            calls=spent.calls,
            tokens=spent.tokens,
            usd=spent.picodollars / PICODOLLARS if is_priced else None,
            seconds=now.seconds,
            spent="" if purse.end is None else str(purse.end),
        )
        return told

    def _foretold(self, backend: Backend, figures: Sequence[Figures], seed: int | None) -> Foretold:
        different = list({id(scenario): scenario for scenario in self.scenarios}.values())
        sampling = overlaid(self.model_parameters, self.settings.model_parameters)
        outliner = Outliner(backend=backend, prices=self.prices, sampling=sampling)
        outlines = [outliner.outline(scenario) for scenario in different]
        limits = (self.settings.in_flight, backend.capabilities.in_flight)
        in_flight = min((each for each in limits if each is not None), default=None)
        whole = forecast(self.dialogs, figures, outlines, concurrency=self.concurrency, in_flight=in_flight)
        for each in self.cast:
            whole = whole.after(each.taken(concurrency=self.concurrency, in_flight=in_flight))
        return Foretold(
            forecast=whole,
            outlines=outlines,
            prices=self.prices,
            budget=self.budget,
            concurrency=self.concurrency,
            model=name_of(backend),
            seed=seed,
            unpriced=outliner.unpriced(different),
            cast=self.cast,
            is_cast_open=self.is_cast_open,
        )
