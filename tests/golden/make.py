"""Makes `journal-N.db`, the golden journal of the schema N that is current. Run by hand, once for each schema:

    python -m tests.golden.make

Never run it again for a schema that has been released: what it made then must open, replay and go on for ever, and
that is the very thing that `tests/engine/journal/test_golden.py` proves. A new schema gets a new file beside the old
ones. It prints the digests that the test compares.

The journal holds dialogs that finished, failed, met their budget and were forked, with tools, thoughts, instructions
and words that are not quite Unicode; number 6 is unfinished. It was played in three sessions, on virtual time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeVar

import anyio

from playact.engine import Dialog, Simulation, VirtualClock, virtual_time
from playact.engine.budget import Budget, Caps
from playact.engine.budget.prices import Price, Prices
from playact.engine.digest import DatasetDigest
from playact.engine.journal.disk import Step
from playact.engine.journal.file import JournalFile
from playact.engine.journal.schema import SCHEMA_VERSION

from .cast import FORK, SCENARIOS, model, price

__all__ = ["dataset_digest", "replay"]

T = TypeVar("T")

PRICES = Prices({"scripted": Price(2_500_000, 10_000_000, 1_250_000)}, as_of="2026-11-24")
SESSIONS = (
    frozenset({("Slow", 3), ("Slower", 2)}),
    frozenset({("Slower", 5)}),
    frozenset({("Slower", 5), ("Ada", 3)}),
)


class Inline:
    """A disk on which everything is done at once, so that no time passes meanwhile."""

    synchronous: Literal["FULL", "OFF"] = "FULL"

    async def run(self, step: Step, work: Callable[[], T]) -> T:
        return work()

    def rename(self, old: Path, new: Path) -> None:
        old.replace(new)


async def make(path: Path) -> None:
    first, *later = SESSIONS
    async with Simulation(
        model=model(first),
        journal=path,
        seed=2026,
        concurrency=16,
        budget=Budget(usd="0.05", per_dialog=Caps(calls=12)),
        prices=PRICES,
        clock=VirtualClock(),
        disk=Inline(),
    ) as simulation:
        dialogs: list[Dialog] = []
        async for dialog in simulation.run(iter(SCENARIOS)):
            dialogs.append(dialog)
            if len(dialogs) == len(SCENARIOS) - 2:
                break
        (parent,) = (dialog for dialog in dialogs if dialog.context is not None)
        await simulation.fork(parent, turn=2, scenario=FORK)
    for stops in later:
        clock = VirtualClock(1_700_100_000.0)
        async with Simulation.resume(path, model=model(stops), code=[price], clock=clock, disk=Inline()) as simulation:
            with anyio.move_on_after(10):
                async for _ in simulation.run():
                    pass


async def replay(path: Path) -> Mapping[str, Dialog]:
    """The dialogs that are over, by id, played again with what the journal holds."""
    async with Simulation.replay(path, code=[price]) as simulation:
        return {str(dialog.id): dialog async for dialog in simulation.run()}


def dataset_digest(dialogs: Mapping[str, Dialog]) -> str:
    digest = DatasetDigest()
    for dialog in dialogs.values():
        digest.add(dialog)
    return digest.hexdigest()


def main() -> None:
    path = Path(__file__).with_name(f"journal-{SCHEMA_VERSION}.db")
    library, options = virtual_time()
    anyio.run(make, path, backend=library, backend_options=dict(options))
    file = JournalFile.read(path)
    print(file.verify())
    for row in file.dialogs():
        print(row.number, row.reason, row.parent, row.digest)
    file.close()
    for leftover in ("-wal", "-shm"):
        path.with_name(path.name + leftover).unlink(missing_ok=True)
    print("dataset digest:", dataset_digest(anyio.run(replay, path)))


if __name__ == "__main__":
    main()
