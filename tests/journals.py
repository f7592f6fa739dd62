"""Journals for tests: one whose every moment is known, and the ways in which disks spoil files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from playact.engine.journal.entry import Entry, encoded
from playact.engine.journal.file import Batch, DialogRow, JournalFile, PlanRow
from playact.engine.journal.tally import Tally

__all__ = ["Moment", "Story", "copy_of", "flip"]

CONFIG = {"seed": 7, "model": "scripted", "name": "a journal of tests"}


@dataclass(frozen=True, slots=True)
class Moment:
    """All that a journal holds after one of its transactions."""

    tally: str
    scenarios: tuple[str, ...]
    plan: tuple[PlanRow, ...]
    dialogs: tuple[DialogRow, ...]
    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, file: JournalFile) -> Moment:
        """What a file holds now, all of it read and verified."""
        with file.snapshot():
            file.verify()
            return cls(
                file.tally().to_json(),
                tuple(file.scenarios()),
                tuple(file.plan()),
                tuple(file.dialogs()),
                tuple(file.entries(1)),
            )


class Story:
    """A run without models: transactions are written one after another, and each moment is remembered.

    Dialogs overlap: each takes six transactions, and begins two after the one before it.
    """

    def __init__(self, path: Path) -> None:
        self.file = JournalFile.create(path, CONFIG, synchronous="OFF")
        self.tally = Tally()
        self.moments = [Moment.of(self.file)]
        self._scenarios: list[str] = []
        self._plan: list[PlanRow] = []
        self._dialogs: dict[int, DialogRow] = {}
        self._entries: list[Entry] = []

    def go_on(self, transactions: int) -> None:
        for _ in range(transactions):
            self.file.commit(self._next())
            self.moments.append(
                Moment(
                    self.tally.to_json(),
                    tuple(self._scenarios),
                    tuple(self._plan),
                    tuple(self._dialogs.values()),
                    tuple(self._entries),
                )
            )

    def checkpoint(self, *, is_log_emptied: bool = False) -> None:
        """Copies the log into the file; unless it is emptied, it stays as it is until the next transaction."""
        how = "TRUNCATE" if is_log_emptied else "PASSIVE"
        self.file._database.execute(f"PRAGMA wal_checkpoint({how})").fetchall()

    def _next(self) -> Batch:
        batch, tally, step = Batch(), self.tally, len(self.moments)
        if step == 1:
            batch.scenarios = [(0, '{"cast":"Ada"}'), (1, '{"cast":"Bob"}')]
            batch.plan = [PlanRow(place, place % 2, None if place % 3 else place) for place in range(9)]
            self._scenarios, self._plan = [recipe for _, recipe in batch.scenarios], list(batch.plan)
            tally.scenarios, tally.planned, tally.total = 2, 9, 9
        if step % 2:
            number = len(self._dialogs)
            batch.dialogs[number] = DialogRow(number, f"dialog-{number}", number * 31, None, tally.entries + 1)
            tally.dialogs += 1
        self._dialogs.update(batch.dialogs)
        for number in [row.number for row in self._dialogs.values() if row.reason is None]:
            self._say(batch, number, step)
            row = self._dialogs[number]
            if sum(entry.dialog == number for entry in self._entries) == 6:
                row = replace(row, last=tally.entries, reason="finished", digest=f"{number:064x}")
                batch.dialogs[number] = self._dialogs[number] = row
                tally.ended["finished"] += 1
        batch.meta["tally"] = tally.to_json()
        return batch

    def _say(self, batch: Batch, number: int, step: int) -> None:
        position = self.tally.entries + 1
        content = {"agent": "Ada", "text": f"Words {step} of dialog {number}. " * 8}
        entry = Entry(position, number, 1e9 + position / 8, "Uttered", encoded(content))
        self.tally.add(entry)
        batch.entries.append(entry)
        self._entries.append(entry)


def copy_of(path: Path, folder: Path, *, marked: bool = True) -> Path:
    """What a process leaves that is killed now; `marked`: with the note of what was acknowledged."""
    folder.mkdir(exist_ok=True)
    target = folder / path.name
    for end in ("", "-wal", "-shm", "-mark"):
        source, copy = path.with_name(path.name + end), target.with_name(target.name + end)
        copy.unlink(missing_ok=True)
        if source.exists() and end != "-shm" and (marked or end != "-mark"):
            shutil.copyfile(source, copy)
    return target


def flip(path: Path, bit: int) -> None:
    """Turns one bit of a file over."""
    with path.open("r+b") as file:
        file.seek(bit // 8)
        (byte,) = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))
