"""A journal's file: SQLite, append-only but for a few small rows, every row with a checksum of its own.

    meta      the run's configuration, and the tally of all that the log holds
    scenario  the recipes, each different one once
    plan      which recipe and seed each dialog has; dialog n has row n modulo their number
    dialog    where in the log a dialog begins and, once it is over, ends, and for what reason
    log       facts and answers in the order in which they became durable, numbered from 1 without a gap

Nothing is read that does not prove to be whole: a flipped bit, a lost row or a lost tail is a `JournalInvalid`, never
wrong data. SQLite itself keeps no checksum of its pages, and SQLite's own check reads the whole file.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

from ..errors import JournalInvalid, JournalUnwritable
from .entry import Entry
from .tally import Tally
from .write_ahead import lost_transactions

__all__ = ["Batch", "DialogRow", "JournalFile", "PlanRow", "SCHEMA_VERSION"]

SCHEMA_VERSION = 1
_APPLICATION = 0x504C4159  # "PLAY", which tells `file` and us whose file this is
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE scenario (number INTEGER PRIMARY KEY, recipe TEXT NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE plan (place INTEGER PRIMARY KEY, scenario INTEGER NOT NULL, seed INTEGER, checksum INTEGER NOT NULL)",
    "CREATE TABLE dialog (number INTEGER PRIMARY KEY, id TEXT NOT NULL, seed INTEGER NOT NULL, parent TEXT, "
    "first INTEGER NOT NULL, last INTEGER, reason TEXT, digest TEXT, checksum INTEGER NOT NULL)",
    "CREATE TABLE log (position INTEGER PRIMARY KEY, dialog INTEGER NOT NULL, time REAL NOT NULL, kind TEXT NOT NULL, "
    "body TEXT NOT NULL, checksum INTEGER NOT NULL)",
)
# What Python's driver and a damaged file can make of each other.
_TROUBLE = (sqlite3.Error, ValueError, TypeError, OverflowError, MemoryError, SystemError, RecursionError)


@dataclass(frozen=True, slots=True)
class DialogRow:
    """`first` and `last` are positions in the log; `last`, `reason` and `digest` are None until the dialog is over."""

    number: int
    id: str
    seed: int
    parent: str | None
    first: int
    last: int | None = None
    reason: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class PlanRow:
    place: int
    scenario: int
    seed: int | None


@dataclass(slots=True)
class Batch:
    """What is to become durable together."""

    scenarios: list[tuple[int, str]] = field(default_factory=list)
    plan: list[PlanRow] = field(default_factory=list)
    dialogs: dict[int, DialogRow] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)


class JournalFile:
    """One open connection, used by one thread at a time; see `create`, `open` and `read`. Close it with `close`.

    `damage` says what is known to be lost although the rest is whole; None most of the time.
    """

    def __init__(self, path: Path, database: sqlite3.Connection, damage: str | None = None) -> None:
        self.path = path
        self.damage = damage
        self._database = database

    @classmethod
    def create(
        cls,
        path: Path,
        config: Mapping[str, Any],
        *,
        synchronous: Literal["FULL", "OFF"] = "FULL",
        rename: Callable[[Path, Path], None] = os.replace,
    ) -> JournalFile:
        """Makes a new journal. Raises `JournalUnwritable` when that cannot be, or there is something already."""
        if path.exists() and path.stat().st_size:
            raise JournalInvalid(
                str(path), f"holds something already; go on with `playact resume {path}` or say another"
            )
        try:
            database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            with _closed_on_failure(database):
                _prepare(database, synchronous)
                database.execute("BEGIN")
                database.execute(f"PRAGMA application_id = {_APPLICATION}")
                database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                for table in _TABLES:
                    database.execute(table)
                file = cls(path, database)
                file._write(Batch(meta={"config": json.dumps(config), "tally": Tally().to_json()}))
                database.execute("COMMIT")
        except sqlite3.Error as error:
            raise JournalUnwritable(str(path), _plainly(error)) from error
        return file

    @classmethod
    def open(cls, path: Path, *, synchronous: Literal["FULL", "OFF"] = "FULL") -> JournalFile:
        """Opens a journal for writing. Raises `JournalInvalid` for what is no whole journal of a known version."""
        lost = _checked_for_existence(path)
        try:
            database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            with _closed_on_failure(database):
                _check_kind(path, database)
                _prepare(database, synchronous)
                _, valid, _ = database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                damage = lost.message(max(valid, 0))
                file = cls(path, database, damage)
                file.tally()
        except sqlite3.OperationalError as error:
            raise JournalInvalid(str(path), f"cannot be opened for writing: {_plainly(error)}") from error
        except _TROUBLE as error:
            raise JournalInvalid(str(path), f"is damaged: {error}") from error
        return file

    @classmethod
    def read(cls, path: Path) -> JournalFile:
        """Opens a journal for reading only, also while a run writes to it. Raises `JournalInvalid` as `open` does."""
        _checked_for_existence(path)
        try:
            try:
                database = sqlite3.connect(f"{_uri(path)}?mode=ro", uri=True, isolation_level=None)
                with _closed_on_failure(database):
                    _check_kind(path, database)
            except sqlite3.OperationalError:
                if path.with_name(path.name + "-wal").exists():
                    raise
                # In a folder that cannot be written SQLite makes no shared memory; nobody else writes there either.
                database = sqlite3.connect(f"{_uri(path)}?immutable=1", uri=True, isolation_level=None)
                with _closed_on_failure(database):
                    _check_kind(path, database)
        except _TROUBLE as error:
            raise JournalInvalid(str(path), f"cannot be read: {error}") from error
        return cls(path, database)

    def close(self) -> None:
        """Moves what is in the write-ahead log into the file, where that can be, and closes it."""
        self._database.close()

    def commit(self, batch: Batch) -> None:
        """Makes a batch durable, all of it or nothing. Raises `JournalUnwritable`."""
        database = self._database
        try:
            database.execute("BEGIN IMMEDIATE")
            try:
                self._write(batch)
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise JournalUnwritable(str(self.path), _plainly(error)) from error

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read meanwhile is of one moment, though a run writes on."""
        self._database.execute("BEGIN")
        try:
            yield
        finally:
            self._database.execute("COMMIT")

    def config(self) -> dict[str, Any]:
        """How the run was set up. Raises `JournalInvalid`."""
        config: dict[str, Any] = json.loads(self._meta("config"))
        return config

    def tally(self) -> Tally:
        """What the log holds, in numbers. Raises `JournalInvalid`."""
        return Tally.from_json(self._meta("tally"))

    def scenarios(self) -> list[str]:
        """The recipes by number."""
        rows = self._rows("scenario", "SELECT number, recipe, checksum FROM scenario ORDER BY number", ())
        return [recipe for (_, recipe) in self._gapless("scenario", rows, self.tally().scenarios)]

    def plan(self) -> list[PlanRow]:
        rows = self._rows("plan", "SELECT place, scenario, seed, checksum FROM plan ORDER BY place", ())
        return [PlanRow(*row) for row in self._gapless("plan", rows, self.tally().planned)]

    def dialogs(self) -> Iterator[DialogRow]:
        """All dialogs that have begun, by number."""
        columns = "number, id, seed, parent, first, last, reason, digest, checksum"
        rows = self._rows("dialog", f"SELECT {columns} FROM dialog ORDER BY number", ())  # noqa: S608  # no input in it
        return (DialogRow(*row) for row in self._gapless("dialog", rows, self.tally().dialogs))

    def entries(self, first: int, last: int | None = None) -> Iterator[Entry]:
        """The log from one position to another, both included, or to its end."""
        end = self.tally().entries if last is None else last
        query = (
            "SELECT position, dialog, time, kind, body, checksum FROM log WHERE position BETWEEN ? AND ? "
            "ORDER BY position"
        )
        rows = self._rows("log", query, (first, end))
        return (Entry(*row) for row in self._gapless("log", rows, end - first + 1, first))

    def verify(self) -> Tally:
        """Reads everything; gives the tally, counted anew. Raises `JournalInvalid` for whatever is not whole."""
        self.config(), self.scenarios(), self.plan()  # reading is the check
        counted = Tally.of(self.entries(1), self.dialogs(), len(self.scenarios()), len(self.plan()))
        if not counted.agrees_with(self.tally()):
            raise self._damaged("the tally does not agree with the log")
        return counted

    def _meta(self, name: str) -> str:
        rows = self._rows("meta", "SELECT name, value, checksum FROM meta WHERE name = ?", (name,))
        for _, value in rows:
            return str(value)
        raise self._damaged(f"its {name} is missing")

    def _write(self, batch: Batch) -> None:
        put = self._database.executemany
        if batch.scenarios:
            put("INSERT INTO scenario VALUES (?, ?, ?)", map(_sealed, batch.scenarios))
        if batch.plan:
            put("INSERT INTO plan VALUES (?, ?, ?, ?)", (_sealed((r.place, r.scenario, r.seed)) for r in batch.plan))
        if batch.entries:
            rows = (_sealed((e.position, e.dialog, e.time, e.kind, e.body)) for e in batch.entries)
            put("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", rows)
        if batch.dialogs:
            put(
                "INSERT OR REPLACE INTO dialog VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                map(_sealed, map(astuple, batch.dialogs.values())),
            )
        put("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", map(_sealed, batch.meta.items()))

    def _rows(self, table: str, query: str, values: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        """The rows without their checksums, which were right."""
        try:
            with closing(self._database.execute(query, values)) as rows:
                for *row, checksum in rows:
                    if checksum != _checksum(row):
                        raise self._damaged(f"{table} {row[0]} is not what was written")
                    yield tuple(row)
        except _TROUBLE as error:
            raise self._damaged(str(error)) from error

    def _gapless(
        self, table: str, rows: Iterator[tuple[Any, ...]], count: int, first: int = 0
    ) -> Iterator[tuple[Any, ...]]:
        """The rows, which are numbered without a gap and as many as there should be."""
        expected = first
        for row in rows:
            if row[0] != expected:
                raise self._damaged(f"{table} {expected} is missing")
            expected += 1
            yield row
        if expected != first + count:
            raise self._damaged(f"{table} {expected} is missing")

    def _damaged(self, what: str) -> JournalInvalid:
        return JournalInvalid(str(self.path), f"is damaged: {what}")

    def __repr__(self) -> str:
        return f"<JournalFile {self.path}>"


def _checksum(row: Iterable[Any]) -> int:
    """CRC-32, which no single flipped bit escapes; the form of each value tells 1, 1.0 and "1" apart."""
    return crc32("\x1f".join([f"'{value}" if type(value) is str else repr(value) for value in row]).encode("utf-8"))


def _sealed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*row, _checksum(row))


def _prepare(database: sqlite3.Connection, synchronous: str) -> None:
    database.execute("PRAGMA busy_timeout = 5000")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(f"PRAGMA synchronous = {synchronous}")


def _check_kind(path: Path, database: sqlite3.Connection) -> None:
    """Raises `JournalInvalid` unless the tables are exactly ours: then no view, trigger or other name can mislead."""
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA cell_size_check = ON")
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    found = [sql for (sql,) in database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")]
    if application != _APPLICATION and found != list(_TABLES):
        raise JournalInvalid(str(path), "is no journal of playact")
    if version > SCHEMA_VERSION:
        raise JournalInvalid(
            str(path), f"was made by a newer playact (schema {version}, known {SCHEMA_VERSION}); update"
        )
    if version != SCHEMA_VERSION or application != _APPLICATION or found != list(_TABLES):
        raise JournalInvalid(str(path), f"is damaged: its schema {version} is not as it was made")


def _checked_for_existence(path: Path) -> Any:
    if not path.is_file():
        raise JournalInvalid(str(path), "there is no such journal")
    return lost_transactions(path)


@contextmanager
def _closed_on_failure(database: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        database.close()
        raise


def _plainly(error: sqlite3.Error) -> str:
    """SQLite's words, and what they most often come from."""
    name = getattr(error, "sqlite_errorname", "")
    match name:
        case "SQLITE_FULL":
            return "the disk is full"
        case "SQLITE_READONLY" | "SQLITE_READONLY_DBMOVED" | "SQLITE_READONLY_DIRECTORY":
            return "it may only be read"
        case "SQLITE_CANTOPEN":
            return "the folder is missing or may not be written"
    return f"{error}"


def _uri(path: Path) -> str:
    return path.resolve().as_uri()
