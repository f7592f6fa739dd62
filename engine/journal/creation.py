"""A new journal's file comes into being whole or not at all, whenever the process is killed meanwhile."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from ..errors import JournalInvalid
from .mark import Mark
from .schema import make_schema
from .write_ahead import write_ahead_log_of

__all__ = ["create_whole", "discard"]


def create_whole(
    path: Path, fill: Callable[[sqlite3.Connection], None], rename: Callable[[Path, Path], None], *, is_synced: bool
) -> None:
    """Makes the tables under another name beside the journal's, has `fill` put its first rows in, and renames it.

    What an earlier creation left half done is no obstacle, nor is an empty file; anything else is. Leaves nothing when
    it fails. Raises `JournalInvalid` for the obstacle, OSError and `sqlite3.Error` for what else may fail.
    """
    _refuse_what_is_there(path)
    new = path.with_name(path.name + "-new")
    try:
        discard(new)
        with closing(sqlite3.connect(new, isolation_level=None)) as database:
            # A crash in here leaves a file that nobody opens, so SQLite need not prepare for one.
            database.execute("PRAGMA journal_mode = MEMORY")
            database.execute("PRAGMA synchronous = OFF")
            database.execute("BEGIN")
            make_schema(database)
            fill(database)
            database.execute("COMMIT")
            database.execute("PRAGMA journal_mode = WAL")  # it is kept in the file, which is not written twice then
        if is_synced:
            _sync(new)
        Mark.forget(path)
        rename(new, path)
    except BaseException:
        with suppress(OSError):
            discard(new)
        raise
    if is_synced:
        with suppress(OSError):  # not every system can do this for a folder; all that can be had was asked for
            _sync(path.parent)


def discard(path: Path) -> None:
    """Takes a journal away, itself last, so that what is left in between is a journal still. Raises OSError."""
    Mark.forget(path)
    for piece in (write_ahead_log_of(path), path.with_name(path.name + "-shm"), path):
        piece.unlink(missing_ok=True)


def _refuse_what_is_there(path: Path) -> None:
    if path.is_dir():
        raise JournalInvalid(str(path), "is a folder; say a file in it")
    if path.exists() and not path.is_file():
        raise JournalInvalid(str(path), "is no plain file; say another name")
    if path.exists() and path.stat().st_size:
        raise JournalInvalid(str(path), f"holds something already; go on with `playact resume {path}` or say another")
    log = write_ahead_log_of(path)
    if log.exists() and log.stat().st_size:
        raise JournalInvalid(str(path), f"is gone, but its write-ahead log is still there; move {log} away first")


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
