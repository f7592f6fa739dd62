"""`playact replay`: plays the dialogs of a journal again, asking no model, and holds them against what they were."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ..engine.errors import ReplayDiverged
from ..engine.journal.file import JournalFile
from ..engine.simulation import Simulation
from .session import Session

__all__ = ["ReplayCommand"]


@dataclass(kw_only=True)
class ReplayCommand:
    """What was asked for on the command line. A dialog that comes out otherwise has failed: then the exit code is 1."""

    journal: Path
    out: str | None = None
    overwrites: bool = False
    as_json: bool = False
    is_quiet: bool = False

    def run(self) -> int:
        """The exit code. Raises `SetupError` for what the user must put right."""
        with closing(JournalFile.read(self.journal)) as file:
            over = file.tally().over
        session = Session(
            open=lambda: Simulation.replay(self.journal, tune_collector=True),
            start=lambda simulation: simulation.run(ordered=True),
            dialogs=over,
            out=self.out,
            overwrites=self.overwrites,
            is_ordered=True,
            source=self.journal,
            as_json=self.as_json,
            is_quiet=self.is_quiet,
        )
        code = session.play()
        if code > 1 or session.report.statistics is None:
            return code
        diverged = session.report.failed_by(ReplayDiverged.__name__)
        if not self.is_quiet:
            verdict = f"{diverged} dialogs came out otherwise than" if diverged else "every dialog came out as"
            print(f"{verdict} in {self.journal}; no model was asked", file=sys.stderr)
        return 1 if diverged else 0
