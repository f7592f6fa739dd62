"""`playact fork`: goes on otherwise from a turn of a dialog, and pays only for what comes after it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ..engine.budget import Budget
from ..engine.completion import Parameters
from ..engine.dialog import Dialog
from ..engine.errors import SetupError
from ..engine.journal.file import JournalFile
from ..engine.performance import Playable
from ..engine.program.archive import dialogs_in
from ..engine.program.plan import Plan, scenario_of
from ..engine.program.resumption import config_in, parameters_in
from ..engine.reading import is_journal
from ..engine.seeds import derive
from ..engine.settings import Settings, Values, overlaid
from ..engine.simulation import Simulation
from .playbill import Playbill
from .scenario import Scenario
from .session import Session, memo
from .source import chosen, number_of

__all__ = ["ForkCommand"]


@dataclass(frozen=True, slots=True)
class _Parent:
    """The dialog, and how it is to go on; in `settings` models sample as they did when it was played."""

    dialog: Dialog
    scenario: Playable
    model: str | None
    model_parameters: Parameters
    settings: Settings


@dataclass(kw_only=True)
class ForkCommand:
    """What was asked for on the command line; None leaves it as it is in the journal that the dialog comes from."""

    file: Path
    id: str
    turn: int
    scenario: Path | None = None
    dialogs: int = 1
    model: str | None = None
    model_parameters: Parameters = Parameters()
    asking: Values = field(default_factory=Values)
    seed: int | None = None
    max_turns: int | None = None
    out: str | None = None
    overwrites: bool = False
    journal: Path | None = None
    budget: Budget | None = None
    prices: Path | None = None
    as_json: bool = False
    is_quiet: bool = False

    def run(self) -> int:
        """The exit code. Raises `SetupError` for what the user must put right."""
        parent = self._parent()
        dialog, scenario = parent.dialog, parent.scenario
        if self.turn > len(dialog):
            raise SetupError(f"dialog {dialog.id} has {len(dialog)} turns; say --turn {len(dialog)} or less")
        if self.max_turns is not None and isinstance(scenario, Scenario):
            scenario = scenario.model_copy(update={"max_turns": self.max_turns})
        seed = derive(dialog.seed or 0 if self.seed is None else self.seed, "fork", str(dialog.id), self.turn)
        forks = [
            dialog.forked(turn=self.turn, scenario=scenario, seed=self._seed(number)) for number in range(self.dialogs)
        ]
        session = Session(
            open=lambda: Simulation(
                model=self.model or parent.model,
                model_parameters=overlaid(self.model_parameters, parent.model_parameters),
                seed=seed,
                journal=self.journal,
                budget=self.budget,
                prices=self.prices,
                memo=memo(self.file, self.out, is_ordered=False),
                tune_collector=True,
                settings=parent.settings,
            ),
            start=lambda simulation: simulation.run(forks),
            dialogs=self.dialogs,
            out=self.out,
            overwrites=self.overwrites,
            journal=self.journal,
            source=self.file,
            as_json=self.as_json,
            is_quiet=self.is_quiet,
        )
        return session.play()

    def _parent(self) -> _Parent:
        playbill = None if self.scenario is None else Playbill.from_file(self.scenario)
        other = None if playbill is None else playbill.with_stand_ins(1).scenarios(1)[0]
        parameters = Parameters() if playbill is None else playbill.model_parameters
        settings = Settings.current().but(**self.asking)
        if is_journal(self.file):
            number = number_of(self.file, self.id)
            (dialog,) = dialogs_in(self.file, {number})
            config = config_in(self.file)
            as_before = settings.sampling_as(parameters_in(config))
            return _Parent(dialog, other or self._scenario_of(number), config["model"], parameters, as_before)
        if playbill is None or other is None:
            raise SetupError(f"{self.file} does not say who goes on, and how; say --scenario FILE.yaml")
        for dialog in chosen(self.file, self.id):
            return _Parent(dialog, other, playbill.model, parameters, settings)
        raise SetupError(f"{self.file} has no dialog {self.id!r}; say an id, the beginning of one, or a line's number")

    def _scenario_of(self, number: int) -> Playable:
        with closing(JournalFile.read(self.file)) as file:
            return scenario_of(Plan(file).recipes([number])[number], ())

    def _seed(self, number: int) -> int | None:
        """The first fork has the seed of the dialog unless another is asked for: then only what is changed differs."""
        if number == 0 and self.seed is None:
            return None
        return derive(self.seed or 0, "fork", number)
