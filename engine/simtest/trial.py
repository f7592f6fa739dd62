"""One trial: a run whose schedule, network, disk and end are drawn from a seed, held against the laws."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .plan import Plan
from .play import Play
from .subject import Subject
from .world import Broken

__all__ = ["Trial", "Verdict"]

_JOURNAL = "run.db"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a seed. `broken`: the laws that were, first things first; none is what one hopes for.

    trace: what happened, line by line; empty where nothing was broken, unless it was asked for.
    trace_digest: the same whenever this seed is tried again.
    """

    seed: int
    broken: tuple[Broken, ...]
    trace: tuple[str, ...]
    trace_digest: str
    sessions: int
    calls: int

    @property
    def is_well(self) -> bool:
        return not self.broken


class Trial(Subject):
    """Scenarios that can be tried with any seed."""

    def run(self, seed: int, *, keeps_trace: bool = False) -> Verdict:
        """Tries one seed. It raises nothing that the subject of the trial raises: that breaks a law."""
        play = Play(self, Plan.drawn(seed))
        with _global_random_seeded(seed), _folder() as folder:
            play.run(folder / _JOURNAL)
        world = play.world
        broken = tuple(Broken(each.law, each.message.replace(f"{folder}{os.sep}", "")) for each in world.broken)
        lines = tuple(world.trace.lines()) if keeps_trace or broken else ()
        return Verdict(seed, broken, lines, world.trace.digest(), world.session + 1, play.ledger.calls)


@contextmanager
def _global_random_seeded(seed: int) -> Iterator[None]:
    """What goes by the global generator is found out; so that the seed shows it again, it is the same each time."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder of its own, in memory where there is such a place."""
    memory = Path("/dev/shm")  # noqa: S108  # only ever a folder of our own making in it
    where = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="playact-simtest-", dir=where) as folder:
        yield Path(folder)
