"""The file of a cache: a reply for each key, with a checksum, shared by as many processes as like to."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

from ..engine.completion import Completion
from ..engine.errors import FileInvalid
from ..engine.journal.connection import TROUBLE, connected_for_reading
from ..engine.journal.entry import completion_of, encoded_reply

__all__ = ["CacheFile", "is_for_now"]

_APPLICATION = 0x706C6163  # "plac"
_VERSION = 1
_BUSY_S = 1.0  # so long one try waits for another process
# What is the matter for a moment only: another process writes, and took longer than it may.
_FOR_NOW = ("SQLITE_BUSY", "SQLITE_LOCKED")
_WHERE = ("SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY")


def is_for_now(error: Exception) -> bool:
    """Whether it is another process that writes, so that it may go well the next time."""
    return getattr(error, "sqlite_errorname", "").startswith(_FOR_NOW)


class CacheFile:
    """Read from one thread, written from another. A reply that was damaged is an error, never another reply.

    Opening makes the file, whole or not at all, unless it `is_read_only`. Raises `FileInvalid`, also while it is read:
    then the file, or the disk under it, is not to be trusted. Writing raises `sqlite3.Error`.
    """

    def __init__(self, path: Path, *, is_read_only: bool = False) -> None:
        self.path = path
        with self._told():
            if is_read_only:
                self._check_is_there()
                self._reader = self._writer = connected_for_reading(path.resolve())
            else:
                if not path.exists():
                    self._create()
                self._check_is_there()
                self._reader = self._connected()
                self._writer = self._connected()
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def get(self, key: bytes) -> Completion | None:
        """The reply that is kept under a key."""
        with self._told():
            try:
                row = self._reader.execute("SELECT reply, checksum FROM replies WHERE key = ?", (key,)).fetchone()
            except sqlite3.OperationalError as error:
                if is_for_now(error):
                    return None
                raise
        if row is None:
            return None
        reply, checksum = row
        if not isinstance(reply, str) or _checksum(key, reply) != checksum:
            raise self._invalid("is damaged: a reply in it is not as it was written; remove the file")
        return completion_of(json.loads(reply))

    def put(self, replies: Iterable[tuple[bytes, Completion]], *, replaces: bool) -> None:
        """Keeps replies, all or none; what is there already stays, unless told that the new one `replaces` it."""
        rows = []
        for key, completion in replies:
            reply = encoded_reply(0, "", completion)
            rows.append((key, reply, _checksum(key, reply)))
        verb = "REPLACE" if replaces else "IGNORE"
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            self._writer.executemany(f"INSERT OR {verb} INTO replies VALUES (?, ?, ?)", rows)  # noqa: S608  # ours
            self._writer.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._writer.execute("ROLLBACK")
            raise

    def close(self) -> None:
        for database in (self._reader, self._writer):
            with suppress(sqlite3.Error):
                database.close()

    def _connected(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        with contextlib.ExitStack() as stack:
            stack.callback(database.close)
            # A crash of the machine may lose the last replies, never harm the file.
            database.execute("PRAGMA synchronous = NORMAL")
            stack.pop_all()
        return database

    def _create(self) -> None:
        """Under another name first: whoever else opens it finds all of it, or makes it too, and one of both stays."""
        new = self.path.with_name(f"{self.path.name}-{secrets.token_hex(4)}")
        try:
            with closing(sqlite3.connect(new, isolation_level=None)) as database:
                database.execute(f"PRAGMA application_id = {_APPLICATION}")
                database.execute(f"PRAGMA user_version = {_VERSION}")
                database.execute(
                    "CREATE TABLE replies (key BLOB PRIMARY KEY, reply TEXT NOT NULL, checksum BLOB NOT NULL) STRICT"
                )
                database.execute("PRAGMA journal_mode = WAL")  # kept in the file
            try:
                os.link(new, self.path)
            except FileExistsError:
                pass  # somebody else was faster
            except OSError:  # a file system without links
                os.replace(new, self.path)
        finally:
            for piece in (new, *(new.with_name(new.name + end) for end in ("-wal", "-shm", "-journal"))):
                piece.unlink(missing_ok=True)

    def _check_is_there(self) -> None:
        if not self.path.is_file():
            raise self._invalid("is no file" if self.path.exists() else "there is no such cache")
        if not self.path.stat().st_size:
            raise self._invalid("is empty, and no cache of playact; say another name, or remove it")

    def _check(self) -> None:
        with self._told():
            application = self._reader.execute("PRAGMA application_id").fetchone()[0]
            version = self._reader.execute("PRAGMA user_version").fetchone()[0]
            if application != _APPLICATION:
                raise self._invalid("is no cache of playact; say another name")
            if version != _VERSION:
                raise self._invalid(f"was made by another version of playact (form {version}); say another name")
            self._reader.execute("SELECT key, reply, checksum FROM replies LIMIT 1").fetchall()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever goes wrong becomes `FileInvalid`."""
        try:
            yield
        except FileInvalid:
            raise
        except (*TROUBLE, OSError) as error:
            name = getattr(error, "sqlite_errorname", "")
            words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            if name == "SQLITE_NOTADB":
                raise self._invalid("is no cache of playact; say another name") from error
            if isinstance(error, OSError) or name.startswith((*_FOR_NOW, *_WHERE)):
                raise self._invalid(f"cannot be used: {words}") from error
            raise self._invalid(f"is damaged: {words}; remove the file") from error

    def _invalid(self, reason: str) -> FileInvalid:
        return FileInvalid(str(self.path), None, reason)

    def __repr__(self) -> str:
        return f"<CacheFile {self.path}>"


def _checksum(key: bytes, reply: str) -> bytes:
    return blake2b(reply.encode(), key=key, digest_size=8).digest()
