"""How many transactions of a journal were acknowledged, noted beside it, for the day its write-ahead log is lost.

A log that was cut off or is missing leaves a journal that looks whole, only older: nothing in it can tell. The note is
there while a run goes on and after it was killed. It is written after the transaction and never waits for the disk, so
it may be behind the journal, and never ahead of one that is whole.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["Mark"]

_DIGITS = 20  # always as many, so that on a full disk an old number can still be written over


class Mark:
    """An open note. Where it cannot be written, nothing is noted: it is worth less than the run."""

    def __init__(self, journal: Path) -> None:
        self._path = _beside(journal)
        self._file = -1
        with suppress(OSError):
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)

    @classmethod
    def number(cls, journal: Path) -> int:
        """How many transactions there are at least; 0 when nothing is noted."""
        try:
            text = _beside(journal).read_bytes()
        except OSError:
            return 0
        return int(text) if len(text) == _DIGITS and text.isdigit() else 0

    def note(self, number: int) -> None:
        if self._file >= 0:
            with suppress(OSError):
                os.lseek(self._file, 0, os.SEEK_SET)
                os.write(self._file, b"%0*d" % (_DIGITS, number))

    def close(self, *, is_needed: bool) -> None:
        """Takes the note away when everything is in the journal itself."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            if not is_needed:
                with suppress(OSError):
                    self._path.unlink()

    @classmethod
    def forget(cls, journal: Path) -> None:
        """Takes away what was noted of a journal that is no longer there. Raises OSError."""
        _beside(journal).unlink(missing_ok=True)


def _beside(journal: Path) -> Path:
    return journal.with_name(journal.name + "-mark")
