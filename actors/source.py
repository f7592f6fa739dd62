"""Dialogs out of a file, whichever it is, or some of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ..engine.dialog import Dialog
from ..engine.errors import SetupError
from ..engine.journal.file import JournalFile
from ..engine.program.archive import dialogs_in
from ..engine.reading import is_journal, read_dialogs

__all__ = ["chosen", "none_in", "number_of"]

_ID_DIGITS = 8  # as many as an id's first group has; fewer digits are a number


def chosen(path: Path, wanted: str | None) -> Iterator[Dialog]:
    """All dialogs, or those that are wanted: by id, the beginning of it, the line, or the number in a journal.

    Raises `FileInvalid`, `JournalInvalid`.
    """
    if wanted is None:
        yield from read_dialogs(path)
    elif is_journal(path):
        yield from dialogs_in(path, set(_numbers(path, wanted)))
    else:
        yield from _by_line(path, wanted)


def number_of(journal: Path, wanted: str) -> int:
    """The one dialog of a journal that is meant. Raises `SetupError` when there is none, or more than one."""
    numbers = _numbers(journal, wanted)
    if len(numbers) != 1:
        what = "no dialog that is over and goes by" if not numbers else f"{len(numbers)} dialogs that go by"
        raise SetupError(f"{journal} has {what} {wanted!r}; say an id, the beginning of one, or a number")
    return numbers[0]


def none_in(path: Path) -> str:
    """What is said of a file or a journal that has no dialog to give, and why."""
    if path.is_dir() or not is_journal(path):
        return f"{path} holds no dialogs"
    return f"{path} holds no dialog that is over; see how far its run is: playact status {path}"


def _numbers(journal: Path, wanted: str) -> list[int]:
    with closing(JournalFile.read(journal)) as file:
        return [
            row.number
            for row in file.dialogs()
            if row.reason is not None
            and (row.number == int(wanted) if _is_number(wanted) else row.id.startswith(wanted))
        ]


def _by_line(path: Path, wanted: str) -> Iterator[Dialog]:
    is_line = _is_number(wanted)
    for line, dialog in enumerate(read_dialogs(path), 1):
        if wanted == str(line) if is_line else str(dialog.id).startswith(wanted):
            yield dialog
            if is_line or wanted == dialog.id:
                return  # there is one such; what follows may be long, or torn


def _is_number(wanted: str) -> bool:
    return wanted.isdecimal() and len(wanted) < _ID_DIGITS
