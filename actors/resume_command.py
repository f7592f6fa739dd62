"""`playact resume`: goes on with the run of a journal, which alone says how."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..engine.budget import Budget
from ..engine.errors import SetupError
from ..engine.journal.file import JournalFile
from ..engine.pace import Pace
from ..engine.program.resumption import Changes, paces_in
from ..engine.settings import Settings, Values
from ..engine.simulation import Simulation
from .seats import HumanSeat
from .seats.human_seat import for_one_person
from .session import Session

__all__ = ["ResumeCommand"]

_HUMAN = f"{HumanSeat.__module__}:{HumanSeat.__qualname__}"  # as a recipe names one


@dataclass(kw_only=True)
class ResumeCommand:
    """What was asked for on the command line; None leaves it as the journal has it."""

    journal: Path
    dialogs: int | None = None
    retries_failed: bool = False
    concurrency: int | None = None
    asking: Values = field(default_factory=Values)
    out: str | None = None
    overwrites: bool = False
    budget: Mapping[str, Any] | None = None
    prices: Path | None = None
    as_json: bool = False
    is_quiet: bool = False

    def run(self) -> int:
        """The exit code. Raises `SetupError` for what the user must put right."""
        with closing(JournalFile.read(self.journal)) as file:
            config, tally = file.config(), file.tally()
            has_human = any(_HUMAN in recipe for recipe in file.scenarios())
        memo = config.get("memo") or {}
        if not tally.has_begun:
            again = f"playact run {memo.get('file', 'FILE.yaml')} --journal {self.journal}"
            raise SetupError(f"{self.journal} was broken off before anything was planned; begin it again: {again} …")
        if has_human:
            self.concurrency = for_one_person(str(self.journal), self.concurrency)
        is_ordered = bool(memo.get("ordered"))
        session = Session(
            open=lambda: self._simulation(config),
            start=lambda simulation: simulation.run(ordered=is_ordered),
            out=self.out or memo.get("out"),
            overwrites=self.overwrites,
            appends=True,
            is_ordered=is_ordered,
            journal=self.journal,
            as_json=self.as_json,
            is_quiet=self.is_quiet,
            shows_progress=not has_human,
        )
        return session.play()

    def _simulation(self, config: Mapping[str, Any]) -> Simulation:
        changes: Changes = {"tune_collector": True}
        if self.concurrency is not None:
            changes["concurrency"] = self.concurrency
        if (in_flight := self.asking.get("in_flight")) is not None:
            changes["in_flight"] = in_flight
        if (cache := self.asking.get("reply_cache")) is not None:
            changes["cache"] = cache
        if (hedge := Settings().but(**self.asking).second_calls) is not None:
            changes["hedge"] = hedge
        requests, tokens = self.asking.get("requests_per_minute"), self.asking.get("tokens_per_minute")
        if requests is not None or tokens is not None:
            paces = paces_in(config)
            pace = paces.get("", Pace())
            changes["pace"] = {
                **paces,
                "": replace(
                    pace,
                    requests_per_minute=requests or pace.requests_per_minute,
                    tokens_per_minute=tokens or pace.tokens_per_minute,
                ),
            }
        if self.budget is not None:
            changes["budget"] = Budget.from_dict({**(config["budget"] or {}), **self.budget})
        if self.prices is not None:
            changes["prices"] = self.prices
        simulation = Simulation.resume(self.journal, dialogs=self.dialogs, retry_failed=self.retries_failed, **changes)
        if self.out is not None and self.out != "-":  # standard output is for this once
            simulation.memo["out"] = os.path.abspath(self.out)
        return simulation
