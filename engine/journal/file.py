"""A journal's file: SQLite, append-only but for a few small rows, every row with a checksum of its own.

Nothing is read that does not prove to be whole: a flipped bit, a lost row or a lost tail is a `JournalInvalid`, never
wrong data. SQLite itself keeps no checksum of its pages, and SQLite's own check reads the whole file.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Self

from ..errors import JournalInvalid, JournalUnwritable
from .connection import TROUBLE, closed_on_failure, connected, connected_for_reading, found, told, told_as_unwritable
from .creation import create_whole, discard
from .entry import Entry
from .lock import JournalLock
from .mark import Mark
from .rows import Batch, DialogRow, PlanRow, checksum, sealed, sealed_dialog, sealed_entry
from .schema import SCHEMA_VERSION, check_schema
from .tally import Tally
from .write_ahead import Loss, loss_in, write_ahead_log_of

__all__ = ["Batch", "DialogRow", "JournalFile", "PlanRow", "SCHEMA_VERSION"]


class JournalFile:
    """One open connection, used by one thread at a time; see `create`, `open` and `read`. Close it with `close`.

    `damage` says what is known to be lost although the rest is whole; None most of the time.
    """

    def __init__(self, path: Path, database: sqlite3.Connection, *, mark: Mark | None = None) -> None:
        self.path = path
        self.damage: str | None = None
        self._database = database
        self._mark = mark  # None for those who only read
        self._place = _place(path) if mark is not None else None
        self._commits = 0
        self._has_committed = False
        self._is_closed = False

    @classmethod
    def create(
        cls,
        path: Path,
        config: Mapping[str, Any],
        *,
        synchronous: Literal["FULL", "OFF"] = "FULL",
        rename: Callable[[Path, Path], None] = os.replace,
    ) -> Self:
        """Makes a new journal, all of it or nothing.

        One in which nothing was planned yet, as a process leaves it that was killed just after its start, gives way.
        The caller holds the lock. Raises `JournalInvalid` when there is something else already, `JournalUnwritable`
        when it cannot be made.
        """
        meta = {"config": json.dumps(config), "tally": Tally().to_json(), "commits": "0"}
        with told_as_unwritable(path):
            path = path.resolve()  # SQLite follows links too, and looks for its other files there
            if cls._is_unused(path):
                discard(path)
            create_whole(
                path, lambda database: _put(database, Batch(meta=meta)), rename, is_synced=synchronous != "OFF"
            )
        return cls.open(path, synchronous=synchronous)

    @classmethod
    def open(cls, path: Path, *, synchronous: Literal["FULL", "OFF"] = "FULL") -> Self:
        """Opens a journal for writing. The caller holds its lock, see `JournalLock`.

        Raises `JournalInvalid` for what is no whole journal of a known version and leaves that as it is; raises
        `JournalUnwritable` when it can only be read.
        """
        path = found(path)
        with told(path, is_writer=True):
            proved = cls._proved(path, loss_in(path))
            proved.close()
            file = cls(path, connected(path, synchronous), mark=Mark(path))
        file.damage, file._commits = proved.damage, proved._commits
        return file

    @classmethod
    def read(cls, path: Path) -> Self:
        """Opens a journal for reading only, also while a run writes to it. Raises `JournalInvalid` as `open` does."""
        path = found(path)
        with told(path, is_writer=False):
            # A log that is being written is the run's own business: it has looked at it before.
            return cls._proved(path, None if JournalLock.holder(path) else loss_in(path))

    @classmethod
    def _is_unused(cls, path: Path) -> bool:
        try:
            with closing(cls.read(path)) as file:
                return file.damage is None and not file.tally().has_begun
        except JournalInvalid:
            return False

    @classmethod
    def _proved(cls, path: Path, loss: Loss | None) -> Self:
        acknowledged = Mark.number(path)
        database = connected_for_reading(path)
        with closed_on_failure(database):
            check_schema(path, database)
            file = cls(path, database)
            with file.snapshot():
                file._prove(loss, acknowledged)
        return file

    def close(self) -> None:
        """Moves what is in the write-ahead log into the file, where that can be, and closes it. Twice does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self._database.close()
        if self._mark is not None:
            is_needed = True
            with suppress(OSError):
                is_needed = write_ahead_log_of(self.path).exists()
            # What is lost is told until the run goes on.
            self._mark.close(is_needed=is_needed or (self.damage is not None and not self._has_committed))

    def commit(self, batch: Batch) -> None:
        """Makes a batch durable, all of it or nothing. Raises `JournalUnwritable`."""
        database = self._database
        batch.meta["commits"] = str(self._commits + 1)
        if _place(self.path) != self._place:  # what is written now would be found by nobody
            raise JournalUnwritable(str(self.path), "it is no longer where it was")
        with told_as_unwritable(self.path):
            database.execute("BEGIN IMMEDIATE")
            try:
                _put(database, batch)
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
        self._commits += 1
        self._has_committed = True
        if self._mark is not None:
            self._mark.note(self._commits)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read meanwhile is of one moment, though a run writes on."""
        if self._mark is not None or self._database.in_transaction:
            yield  # a writer is alone, and a snapshot within another is the same
            return
        self._database.execute("BEGIN")
        try:
            yield
        finally:
            # Nothing is lost with it. A damaged file may have ended it already, an iterator be given up after its file.
            with suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")

    def config(self) -> dict[str, Any]:
        """How the run was set up. Raises `JournalInvalid`."""
        return self._parsed("config", _object)  # type: ignore[no-any-return]  # as the parser gives it

    def tally(self) -> Tally:
        """What the log holds, in numbers. Raises `JournalInvalid`."""
        return self._parsed("tally", Tally.from_json)  # type: ignore[no-any-return]  # as the parser gives it

    def scenarios(self) -> list[str]:
        """The recipes by number. Raises `JournalInvalid`."""
        with self.snapshot():
            count = self.tally().scenarios
            rows = self._rows("scenario", "SELECT number, recipe, checksum FROM scenario ORDER BY number", ())
            return [recipe for (_, recipe) in self._gapless("scenario", rows, count)]

    def plan(self) -> list[PlanRow]:
        """Raises `JournalInvalid`."""
        with self.snapshot():
            count = self.tally().planned
            rows = self._rows("plan", "SELECT place, scenario, seed, checksum FROM plan ORDER BY place", ())
            return [PlanRow(*row) for row in self._gapless("plan", rows, count)]

    def dialogs(self) -> Iterator[DialogRow]:
        """All dialogs that have begun, by number. Raises `JournalInvalid`, at the end if old and new rows are mixed."""
        columns = "number, id, seed, parent, first, last, reason, digest, checksum"
        query = f"SELECT {columns} FROM dialog ORDER BY number"  # noqa: S608  # no input in it
        ended: Counter[str] = Counter()
        with self.snapshot():
            tally = self.tally()
            for values in self._gapless("dialog", self._rows("dialog", query, ()), tally.dialogs):
                row = DialogRow(*values)
                if row.reason is not None:
                    ended[row.reason] += 1
                yield row
        if ended != +tally.ended:
            raise self._damaged("the dialogs do not agree with the tally")

    def entries(self, first: int, last: int | None = None) -> Iterator[Entry]:
        """The log from one position to another, both included, or to its end. Raises `JournalInvalid`."""
        query = (
            "SELECT position, dialog, time, kind, body, checksum FROM log WHERE position BETWEEN ? AND ? "
            "ORDER BY position"
        )
        with self.snapshot():
            end = self.tally().entries if last is None else last
            for row in self._gapless("log", self._rows("log", query, (first, end)), end - first + 1, first):
                yield Entry(*row)

    def entries_of(self, dialogs: Iterable[int], first: int, last: int | None = None) -> Iterator[Entry]:
        """As `entries`, but only those of some dialogs; the others are counted, not read. Raises `JournalInvalid`."""
        query = (
            "SELECT position, dialog, time, kind, body, checksum FROM log WHERE position BETWEEN ? AND ? "
            "AND dialog IN (SELECT value FROM json_each(?)) ORDER BY position"
        )
        with self.snapshot():
            end = self.tally().entries if last is None else last
            if self._count("log", "position", first, end) != end - first + 1:
                raise self._damaged(f"log {first} to {end} has gaps")
            for row in self._rows("log", query, (first, end, json.dumps(list(dialogs)))):
                yield Entry(*row)

    def recipes(self, numbers: Iterable[int]) -> dict[int, str]:
        """Some of the recipes, by number. Raises `JournalInvalid`."""
        query = "SELECT number, recipe, checksum FROM scenario WHERE number IN (SELECT value FROM json_each(?))"
        wanted = set(numbers)
        found = dict(self._rows("scenario", query, (json.dumps(sorted(wanted)),)))
        if missing := wanted - found.keys():
            raise self._damaged(f"scenario {min(missing)} is missing")
        return found

    def verify(self) -> Tally:
        """Reads everything; gives the tally, counted anew. Raises `JournalInvalid` for whatever is not whole."""
        with self.snapshot():
            self.config()  # reading is the check
            self._check_ends()
            counted = Tally.of(self.entries(1), self.dialogs(), len(self.scenarios()), len(self.plan()))
            if not counted.agrees_with(self.tally()):
                raise self._damaged("the tally does not agree with the log")
        return counted

    def _prove(self, loss: Loss | None, acknowledged: int) -> None:
        """Finds out what is lost, and whether what is left is of one moment.

        A log that is read in part only lays old pages over newer ones, if those were in the file already.
        """
        self._commits = self._parsed("commits", int)
        missing = acknowledged - self._commits
        if missing > 0:
            words = f"what was written last is lost, {missing} transactions, for its write-ahead log is cut or missing"
            self.damage = words
        elif loss is not None and not (loss.is_last_only and acknowledged):  # what nobody was told of is not lost
            self.damage = loss.words
        self._check_ends()
        if self.damage is not None:
            self.verify()
            for (finding,) in self._database.execute("PRAGMA integrity_check(1)"):
                if finding != "ok":
                    raise self._damaged(finding)

    def _check_ends(self) -> None:
        """No table goes on behind what the tally counts, or ends before: the log may be long, its end is near."""
        tally = self.tally()
        ends = (
            ("log", "position", tally.entries),
            ("dialog", "number", tally.dialogs - 1),
            ("plan", "place", tally.planned - 1),
            ("scenario", "number", tally.scenarios - 1),
        )
        for table, column, last in ends:
            query = f"SELECT {column} FROM {table} ORDER BY {column} DESC LIMIT 1"  # noqa: S608  # no input in it
            found = next((number for (number,) in self._database.execute(query)), 0 if table == "log" else -1)
            if found != last:
                raise self._damaged(f"{table} ends at {found}, not at {last}")

    def _count(self, table: str, column: str, first: int, last: int) -> int:
        query = f"SELECT count(*) FROM {table} WHERE {column} BETWEEN ? AND ?"  # noqa: S608  # no input in it
        try:
            (count,) = self._database.execute(query, (first, last)).fetchone()
        except TROUBLE as error:
            raise self._damaged(str(error)) from error
        return int(count)

    def _parsed(self, name: str, parse: Callable[[str], Any]) -> Any:
        rows = self._rows("meta", "SELECT name, value, checksum FROM meta WHERE name = ?", (name,))
        for _, value in rows:
            try:
                return parse(value)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise self._damaged(f"its {name} cannot be understood: {error}") from error
        raise self._damaged(f"its {name} is missing")

    def _rows(self, table: str, query: str, values: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        """The rows without their checksums, which were right."""
        try:
            for *row, found in self._database.execute(query, values):
                if found != checksum(row):
                    raise self._damaged(f"{table} {row[0]} is not what was written")
                yield tuple(row)
        except TROUBLE as error:
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


def _put(database: sqlite3.Connection, batch: Batch) -> None:
    put = database.executemany
    if batch.scenarios:
        put("INSERT INTO scenario VALUES (?, ?, ?)", map(sealed, batch.scenarios))
    if batch.plan:
        put("INSERT INTO plan VALUES (?, ?, ?, ?)", (sealed((r.place, r.scenario, r.seed)) for r in batch.plan))
    if batch.entries:
        put("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", map(sealed_entry, batch.entries))
    if batch.dialogs:
        rows = map(sealed_dialog, batch.dialogs.values())
        put("INSERT OR REPLACE INTO dialog VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    put("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", map(sealed, batch.meta.items()))


def _place(path: Path) -> tuple[int, int] | None:
    """Which file of the system a path leads to, None for none."""
    try:
        there = os.stat(path)
    except OSError:
        return None
    return there.st_dev, there.st_ino


def _object(text: str) -> dict[str, Any]:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise TypeError("it is no object")
    return content
