"""`playact simtest`: tries agents under faults and kills that seeds decide; shows the first that breaks a law."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TextIO

from ..engine.errors import SetupError
from ..engine.simtest import Trial, Verdict, verdicts
from .progress import duration
from .trial_file import trial_in

__all__ = ["SimtestCommand"]

_FAILED = 1
_TAIL = 20  # lines of what happened before a law was broken
_SCREEN_EVERY_S = 1.0
_LINE_EVERY_S = 5.0


@dataclass(frozen=True)
class SimtestCommand:
    """What was asked for on the command line. `seed`: this one alone, with all that happens."""

    file: Path
    seeds: Sequence[int]
    seed: int | None = None
    jobs: int | None = None
    as_json: bool = False

    def run(self) -> int:
        """The exit code: 1 when a law was broken. Raises `SetupError` when there is nothing that can be tried."""
        trial = trial_in(self.file)
        if self.seed is not None:
            verdict = trial.run(self.seed, keeps_trace=True)
            print("\n".join(verdict.trace), file=self._people)
            self._report(_Count(1, verdict.sessions, verdict.calls), verdict, 0.0, _TAIL * (not verdict.trace))
            return _FAILED if verdict.broken else 0
        return self._try_all(partial(trial_in, self.file))

    @property
    def _people(self) -> TextIO:
        """Where what is for people goes: standard output, unless that is for a program."""
        return sys.stderr if self.as_json else sys.stdout

    def _try_all(self, make: Callable[[], Trial]) -> int:
        jobs = min(self.jobs or _processors(), max(1, len(self.seeds) // 8))
        started = told = time.monotonic()
        count, failed = _Count(), None
        every_s = _SCREEN_EVERY_S if sys.stderr.isatty() else _LINE_EVERY_S
        try:
            with closing(verdicts(make, self.seeds, jobs=jobs)) as coming:
                for verdict in coming:
                    count.add(verdict)
                    if verdict.broken:
                        failed = verdict
                        break
                    if time.monotonic() - told > every_s:
                        told = time.monotonic()
                        _show(f"{count.seeds}/{len(self.seeds)} seeds · {_rate(count, told - started, self.seeds)}")
        except BrokenProcessPool as error:
            raise SetupError("a process that tried seeds was ended from outside, as when memory is short") from error
        finally:
            _show("")
            if sys.exc_info()[0] is KeyboardInterrupt:
                print(f"stopped after {count.seeds} seeds; they broke no law", file=sys.stderr)
        self._report(count, failed, time.monotonic() - started, _TAIL)
        return _FAILED if failed is not None else 0

    def _report(self, count: _Count, verdict: Verdict | None, seconds: float, tail: int) -> None:
        if verdict is not None and verdict.broken:
            first = verdict.broken[0]
            print(f"seed {verdict.seed} breaks a law: {first.law}\n  {first.message}", file=self._people)
            if tail and verdict.trace:
                print("\nwhat happened last (virtual seconds):", *verdict.trace[-tail:], sep="\n", file=self._people)
            print(f"\nagain: playact simtest {quote(str(self.file))} --seed {verdict.seed}", file=self._people)
        else:
            seeds = f"{count.seeds} seeds in {duration(seconds)}" if self.seed is None else f"seed {self.seed}"
            print(f"{seeds}: {count.sessions} sessions, {count.calls} calls, no law was broken", file=sys.stderr)
        if self.as_json:
            print(json.dumps(self._as_json(count, verdict, seconds), ensure_ascii=False))

    def _as_json(self, count: _Count, verdict: Verdict | None, seconds: float) -> dict[str, object]:
        broken = verdict.broken if verdict is not None else ()
        return {
            "seeds": count.seeds,
            "sessions": count.sessions,
            "calls": count.calls,
            "seconds": round(seconds, 3),
            "failed_seed": verdict.seed if verdict is not None and broken else None,
            "broken": [{"law": each.law, "message": each.message} for each in broken],
            "trace_digest": None if verdict is None else verdict.trace_digest,
        }


@dataclass(slots=True)
class _Count:
    seeds: int = 0
    sessions: int = 0
    calls: int = 0

    def add(self, verdict: Verdict) -> None:
        self.seeds += 1
        self.sessions += verdict.sessions
        self.calls += verdict.calls


def _rate(count: _Count, seconds: float, seeds: Sequence[int]) -> str:
    left = (len(seeds) - count.seeds) * seconds / count.seeds
    return f"{count.seeds / seconds:.0f} a second · {duration(left)} left"


def _show(line: str) -> None:
    """On a terminal in place of the line before."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
    elif line:
        print(line, file=sys.stderr, flush=True)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
