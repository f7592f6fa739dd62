"""A journal's database, opened, and what goes wrong with it told in our own words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import JournalInvalid, JournalUnwritable
from .write_ahead import write_ahead_log_of

__all__ = ["TROUBLE", "closed_on_failure", "connected", "connected_for_reading", "found", "told", "told_as_unwritable"]

# What Python's driver and a damaged file can make of each other.
TROUBLE = (sqlite3.Error, ValueError, TypeError, OverflowError, MemoryError, SystemError, RecursionError)
# What is the matter with where the file is, not with what is in it.
_OBSTACLES = ("SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_LOCKED", "SQLITE_READONLY")


def connected(path: Path, synchronous: str) -> sqlite3.Connection:
    """Opens for writing, from one thread at a time. Raises `sqlite3.Error` when nothing can be written."""
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with closed_on_failure(database):
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA synchronous = {synchronous}")
        database.execute("BEGIN IMMEDIATE")
        database.execute("DELETE FROM meta WHERE 0")  # fails now, not at the first commit, where none is possible
        database.execute("ROLLBACK")
    return database


def found(path: Path) -> Path:
    """The file itself where `path` is a link: SQLite follows it too, and looks for its other files there."""
    try:
        file = path.resolve()
        if file.is_dir():
            raise JournalInvalid(str(path), "is a folder, no journal")
        if not file.is_file():
            raise JournalInvalid(str(path), "there is no such journal")
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        raise JournalInvalid(str(path), f"cannot be read: {_plainly(error)}") from error
    return file


def connected_for_reading(path: Path) -> sqlite3.Connection:
    """Opens without changing the file or its log. Raises `sqlite3.Error`.

    In a folder that cannot be written SQLite makes no shared memory; nobody else writes there either.
    """
    uri, log = path.as_uri(), write_ahead_log_of(path)
    # Without a log SQLite makes an empty one for whoever reads, and only who might write takes it away again.
    mode = "ro" if log.exists() else "rw"
    try:
        database = sqlite3.connect(f"{uri}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False)
        with closed_on_failure(database):
            database.execute("PRAGMA query_only = ON")
            database.execute("SELECT 1 FROM sqlite_master").fetchall()
    except sqlite3.OperationalError:
        if log.exists() and log.stat().st_size:
            raise
        database = sqlite3.connect(f"{uri}?immutable=1", uri=True, isolation_level=None, check_same_thread=False)
    return database


@contextmanager
def told(path: Path, *, is_writer: bool) -> Iterator[None]:
    """Whatever goes wrong while a journal is opened becomes `JournalInvalid`.

    Where the file may be whole, and a writer is only kept from it, it becomes `JournalUnwritable`.
    """
    try:
        yield
    except (*TROUBLE, OSError) as error:
        name = getattr(error, "sqlite_errorname", "")
        if name == "SQLITE_NOTADB":
            raise JournalInvalid(str(path), "is no journal of playact") from error
        if not isinstance(error, OSError) and not name.startswith(_OBSTACLES):
            raise JournalInvalid(str(path), f"is damaged: {_plainly(error)}") from error
        if is_writer:
            raise JournalUnwritable(str(path), _plainly(error)) from error
        raise JournalInvalid(str(path), f"cannot be read: {_plainly(error)}") from error


@contextmanager
def told_as_unwritable(path: Path) -> Iterator[None]:
    """Whatever goes wrong while a journal is written becomes `JournalUnwritable`."""
    try:
        yield
    except (*TROUBLE, OSError, RuntimeError) as error:
        raise JournalUnwritable(str(path), _plainly(error)) from error


@contextmanager
def closed_on_failure(database: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        database.close()
        raise


def _plainly(error: BaseException) -> str:
    """The error's words, or what it most often comes from."""
    match getattr(error, "sqlite_errorname", ""):
        case "SQLITE_FULL":
            return "the disk is full"
        case name if name.startswith("SQLITE_READONLY"):
            return "it, or its folder, may only be read"
        case "SQLITE_CANTOPEN":
            return "the folder is missing or may not be written"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error) if isinstance(error, sqlite3.Error) else f"{type(error).__name__}: {error}"
