"""`playact run`: plays the dialogs of a scenario file."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from ..engine.budget import Budget
from ..engine.completion import Parameters
from ..engine.errors import SetupError
from ..engine.failures import FailurePolicy
from ..engine.settings import Settings, Values, defaults, overlaid
from ..engine.simulation import Simulation
from .playbill import Playbill
from .seats.human_seat import for_one_person
from .session import Session, memo

if TYPE_CHECKING:
    from .playbill.casting import Casting

__all__ = ["RunCommand"]

_FEWEST_MADE = 2  # people of a pilot, where there is one for each dialog: one says nothing of how they differ


@dataclass(kw_only=True)
class RunCommand:
    """What was asked for on the command line; None leaves it to the scenario file, and that to the settings."""

    file: Path
    dialogs: int | None = None
    model: str | None = None
    model_parameters: Parameters = Parameters()
    asking: Values = field(default_factory=Values)
    concurrency: int | None = None
    seed: int | None = None
    max_turns: int | None = None
    out: str | None = None
    overwrites: bool = False
    is_ordered: bool = False
    journal: Path | None = None
    budget: Budget | None = None
    prices: Path | None = None
    stop_share: float | None = None
    is_dry: bool = False
    pilot: int = 0
    as_json: bool = False
    is_quiet: bool = False

    def run(self) -> int:
        """The exit code. Raises `SetupError` for what the user must put right."""
        playbill = Playbill.from_file(self.file)
        if self.is_dry:
            return self._foretell(playbill)
        dialogs = self.dialogs or playbill.dialogs
        if playbill.seats:
            playbill = self._filled(self._casting(playbill, dialogs))
        changes = {} if self.max_turns is None else {"max_turns": self.max_turns}
        scenarios = playbill.scenarios(dialogs, **changes)
        if playbill.has_human:
            self.concurrency = for_one_person(str(self.file), self.concurrency or playbill.concurrency)
        session = Session(
            open=lambda: self._simulation(playbill),
            start=lambda simulation: simulation.run(scenarios, ordered=self.is_ordered),
            dialogs=dialogs,
            out=self.out,
            overwrites=self.overwrites,
            is_ordered=self.is_ordered,
            journal=self.journal,
            as_json=self.as_json,
            is_quiet=self.is_quiet,
            shows_progress=not playbill.has_human,
        )
        return session.play()

    def _foretell(self, playbill: Playbill) -> int:
        from .dry_run_command import dry_run

        dialogs, budget = self.dialogs or playbill.dialogs, self.budget
        casting = None
        if self.pilot and playbill.seats:
            casting = self._casting(playbill, dialogs if self.journal else min(dialogs, max(self.pilot, _FEWEST_MADE)))
            casting.measures, casting.dialogs_foretold = True, dialogs
            playbill = self._filled(casting)
        return dry_run(
            playbill,
            dialogs=dialogs,
            cast=() if casting is None else casting.took,
            budget_left=self.budget,
            model=self.model,
            model_parameters=self.model_parameters,
            settings=self._settings(),
            concurrency=self.concurrency,
            seed=self.seed,
            max_turns=self.max_turns,
            pilot=self.pilot,
            prices=self.prices,
            budget=budget,
            journal=self.journal,
            memo=memo(self.file, self.out, is_ordered=self.is_ordered),
            as_json=self.as_json,
        )

    def _casting(self, playbill: Playbill, dialogs: int) -> Casting:
        """Of a file that leaves seats to generators."""
        from .playbill.casting import Casting

        if self.journal is not None and self.journal.exists():
            raise SetupError(f"{self.journal} is there already; go on with `playact resume {self.journal}`")
        self.seed = next((seed for seed in (self.seed, playbill.seed) if seed is not None), secrets.randbits(31))
        return Casting(
            playbill=playbill,
            dialogs=dialogs,
            seed=self.seed,
            model=self.model or playbill.model,
            concurrency=self.concurrency or playbill.concurrency,
            journal=self.journal,
            budget=self.budget,
            prices=self.prices,
            is_quiet=self.is_quiet,
        )

    def _filled(self, casting: Casting) -> Playbill:
        """The file with its cast; what that has cost is taken from the budget."""
        sampling = overlaid(self.model_parameters, casting.playbill.model_parameters)
        said = {
            name: value for name, value in {**asdict(sampling), **self.asking}.items() if value not in (None, (), {})
        }
        with defaults(**said):
            filled = anyio.run(casting.filled)
        self.budget = casting.budget
        return filled

    def _simulation(self, playbill: Playbill) -> Simulation:
        return Simulation(
            model=self.model or playbill.model,
            model_parameters=overlaid(self.model_parameters, playbill.model_parameters),
            concurrency=self.concurrency or playbill.concurrency,
            seed=self.seed if self.seed is not None else playbill.seed,
            failures=None if self.stop_share is None else FailurePolicy(stop_share=self.stop_share),
            journal=self.journal,
            budget=self.budget,
            prices=self.prices,
            memo=memo(self.file, self.out, is_ordered=self.is_ordered),
            tune_collector=True,
            settings=self._settings(),
            opens_model=playbill.asks_its_model,
        )

    def _settings(self) -> Settings:
        return Settings.current().but(**self.asking)
