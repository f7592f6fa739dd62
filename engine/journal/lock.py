"""One process at a time may play the run of a journal: a lock that ends with its process, however that ends."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Self

from ..errors import JournalBusy, JournalInvalid, JournalUnwritable

__all__ = ["JournalLock"]


class JournalLock:
    """Held from its making until `release`. The file beside the journal says who holds it; it goes on release.

    Raises `JournalBusy` when another process, or another simulation of this one, holds it, `JournalUnwritable` when the
    file cannot be made. Locks of SQLite would not do: one that keeps other writers away for good keeps readers away
    too. On Windows nothing is locked. A process forked while it is held shares it, and cannot release it; should it
    outlive its parent, the journal is free when it ends.
    """

    def __init__(self, journal: Path) -> None:
        if os.path.isdir(journal):  # not where nobody may look, either
            raise JournalInvalid(str(journal), "is a folder; say a file in it")
        try:
            self._path = _beside(journal)
            self._file = self._locked()
        except BlockingIOError as error:
            raise JournalBusy(str(journal), _told(self._path)) from error
        except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
            reason = (isinstance(error, OSError) and error.strerror) or str(error)
            raise JournalUnwritable(str(journal), f"{reason} ({journal.name}-lock beside it)") from error
        self._process = os.getpid()
        with suppress(OSError):  # on a full disk nobody is told who it is
            os.ftruncate(self._file, 0)
            os.write(self._file, f"process {self._process} on {socket.gethostname()}".encode())

    @classmethod
    def holder(cls, journal: Path) -> str | None:
        """Who plays the run of a journal now, None when nobody does, or it cannot be told."""
        try:
            path = _beside(journal)
            file = os.open(path, os.O_RDONLY)
        except (OSError, RuntimeError):
            return None
        try:
            _lock(file, is_shared=True)
        except BlockingIOError:
            return _told(path)
        except OSError:
            return None
        finally:
            os.close(file)
        return None

    def release(self) -> None:
        """The file goes first, so that nobody waits for a file that is no longer there. Twice does nothing."""
        if self._file >= 0 and self._process == os.getpid():
            with suppress(OSError):  # a file that nobody holds is in nobody's way
                self._path.unlink()
            os.close(self._file)
            self._file = -1

    def _locked(self) -> int:
        while True:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                if _is_taken(file) and _is_at(self._path, file):
                    return file
            except BaseException:
                os.close(file)
                raise
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.release()


def _beside(journal: Path) -> Path:
    """A journal has one lock, whatever links lead to it. Raises OSError and RuntimeError."""
    file = journal.resolve()
    return file.with_name(file.name + "-lock")


def _is_taken(file: int) -> bool:
    """Takes the lock. False: somebody has just looked whether it is held. Raises BlockingIOError when it is."""
    try:
        _lock(file, is_shared=False)
    except BlockingIOError:
        _lock(file, is_shared=True)  # beside those who only look this is possible
        return False
    return True


def _lock(file: int, *, is_shared: bool) -> None:
    try:
        import fcntl
    except ModuleNotFoundError:
        return
    fcntl.flock(file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def _is_at(path: Path, file: int) -> bool:
    """Whether the file is still there: whoever held it may have released it, and taken it away."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _told(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace") or "another process"
    except OSError:
        return "another process"
