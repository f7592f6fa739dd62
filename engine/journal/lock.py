"""One process at a time may play the run of a journal: a lock that ends with its process, however that ends."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Self

from ..errors import JournalBusy, JournalUnwritable

__all__ = ["JournalLock"]


class JournalLock:
    """Held from its making until `release`. The file beside the journal says who holds it; it goes on release.

    Raises `JournalBusy` when another process, or another simulation of this one, holds it. Locks of SQLite would not
    do: one that keeps other writers away for good keeps readers away too. On Windows nothing is locked.
    """

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(journal.name + "-lock")
        self._file = self._locked(journal)

    @classmethod
    def holder(cls, journal: Path) -> str | None:
        """Who plays the run of a journal now, None when nobody does."""
        try:
            lock = cls._try(journal.with_name(journal.name + "-lock"), os.O_RDWR)
        except BlockingIOError:
            return _told(journal.with_name(journal.name + "-lock"))
        except OSError:
            return None
        os.close(lock)
        return None

    def release(self) -> None:
        """The file goes first, so that nobody waits for a file that is no longer there."""
        if self._file >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = -1

    def _locked(self, journal: Path) -> int:
        while True:
            try:
                file = self._try(self._path, os.O_RDWR | os.O_CREAT)
            except BlockingIOError as error:
                raise JournalBusy(str(journal), _told(self._path)) from error
            except OSError as error:
                reason = error.strerror or str(error)
                raise JournalUnwritable(str(journal), f"{reason} ({self._path.name} beside it)") from error
            try:
                if os.fstat(file).st_ino == os.stat(self._path).st_ino:
                    break
            except FileNotFoundError:
                pass  # whoever held it has just released it, and taken the file away
            os.close(file)
        os.ftruncate(file, 0)
        os.write(file, f"process {os.getpid()} on {socket.gethostname()}".encode())
        return file

    @staticmethod
    def _try(path: Path, flags: int) -> int:
        file = os.open(path, flags, 0o644)
        try:
            import fcntl
        except ModuleNotFoundError:
            return file
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(file)
            raise
        return file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.release()


def _told(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace") or "another process"
    except OSError:
        return "another process"
