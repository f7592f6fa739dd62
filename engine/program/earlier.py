"""What earlier sessions have left in a journal: its plan, and the dialogs that are not over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from ..journal.entry import Entry
from ..journal.file import DialogRow, JournalFile
from .past import Past
from .piece import Piece
from .plan import Plan, scenario_of

__all__ = ["Earlier"]


class Earlier:
    """Reads over a connection of its own, since the run writes over another meanwhile. Close it with `close`.

    The log is read from the first fact of the oldest dialog that is not over, and only where it is about such; what
    dialogs that are to be retried have behind them is read when their turn comes.

    retries: the endings that are no endings. Raises `JournalInvalid`.
    """

    def __init__(self, path: Path, run: str, *, retries: Sequence[str] = (), code: Sequence[object] = ()) -> None:
        self._file = JournalFile.read(path)
        self._run = run
        self._code = code
        self._rows: dict[int, DialogRow] = {}
        self.begun = 0  # dialogs from this number on have not begun
        for row in self._file.dialogs():
            self.begun += 1
            if row.reason is None or row.reason in retries:
                self._rows[row.number] = row
        self._entries = self._unfinished()
        self.plan = Plan(self._file)

    def numbers(self, planned: int) -> Iterator[int]:
        """The dialogs that are to be played, of so many in all, by number."""
        return chain(list(self._rows), range(self.begun, planned))

    def is_left(self, number: int) -> bool:
        return number in self._rows or number >= self.begun

    def pieces(self, numbers: Sequence[int]) -> list[Piece]:
        """Raises `CodeMissing`, `JournalInvalid`."""
        pasts, recipes = self.pasts(numbers), self.plan.recipes(numbers)
        return [Piece(scenario_of(recipes[n], self._code), n, pasts.get(n)) for n in numbers]

    def pasts(self, numbers: Sequence[int]) -> dict[int, Past]:
        """What those of some dialogs that have begun have behind them; each is given once."""
        rows = {number: self._rows.pop(number) for number in numbers if number in self._rows}
        retried = [row for row in rows.values() if row.reason is not None]
        entries: dict[int, list[Entry]] = defaultdict(list)
        if retried:
            first, last = min(row.first for row in retried), max(row.last or 0 for row in retried)
            for entry in self._file.entries_of([row.number for row in retried], first, last):
                entries[entry.dialog].append(entry)
        return {
            number: Past.of(entries.get(number) or self._entries.pop(number, []), self._run, row.id, row)
            for number, row in rows.items()
        }

    def close(self) -> None:
        self._file.close()

    def _unfinished(self) -> dict[int, list[Entry]]:
        entries: dict[int, list[Entry]] = defaultdict(list)
        rows = [row for row in self._rows.values() if row.reason is None]
        if rows:
            for entry in self._file.entries_of([row.number for row in rows], min(row.first for row in rows)):
                entries[entry.dialog].append(entry)
        return entries
