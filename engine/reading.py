"""Dialogs out of whatever holds them: a file of one or of many, a journal, a folder, a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .dialog import Dialog
from .errors import FileInvalid

__all__ = ["is_journal", "read_dialogs"]

_HEAD = b"SQLite format 3\0"
_ONE = (".json", ".csv", ".tsv", ".txt")


def read_dialogs(path: str | Path) -> Iterator[Dialog]:
    """The dialogs one by one, in flat memory, in the order in which they stand there.

    A journal gives those that are over; a folder those of `data/`, where it has one, out of its Parquet files, or else
    its files of single dialogs, as `Dialog.from_folder` does. A file of no telling name is JSON Lines.

    Raises `FileInvalid`, with the line where there is one, `JournalInvalid`, and `ExtraMissing` for Parquet without
    pyarrow.
    """
    path = Path(path)
    if path.is_dir():
        yield from _in_folder(path)
    elif is_journal(path):
        from .program.archive import dialogs_in

        yield from dialogs_in(path)
    elif path.suffix.lower() in _ONE:
        yield Dialog.from_file(path)
    elif path.suffix.lower() == ".parquet":
        from .exports.columns import read_table

        yield from read_table(path)
    else:
        yield from Dialog.read_lines(path)


def is_journal(path: Path) -> bool:
    """By how the file begins; a pipe is none, for what is read from it is gone. Raises `FileInvalid`."""
    if path.exists() and not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_HEAD)) == _HEAD
    except OSError as error:
        raise FileInvalid(str(path), None, f"cannot be read: {error.strerror}") from error


def _in_folder(path: Path) -> Iterator[Dialog]:
    folder = path / "data" if (path / "data").is_dir() else path
    tables = sorted(folder.rglob("*.parquet"))
    for table in tables:
        yield from read_dialogs(table)
    if not tables:
        yield from Dialog.from_folder(folder)
