"""A JSON Lines file that dialogs are written to as they finish; every line in it is a whole dialog."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ..engine.dialog import Dialog
from ..engine.errors import FileInvalid, SetupError

__all__ = ["DatasetFile", "refuse_journal"]

_BLOCK = 1 << 16
_OF_A_JOURNAL = ("", "-wal", "-shm", "-lock", "-mark", "-new")


class DatasetFile:
    """Use it as a context manager. Each dialog is handed to the operating system when it is written.

    path: a file, a pipe or a device; "-" is standard output.
    overwrites: what the file held before goes when the first dialog is written, so a run that cannot start costs
        nothing.
    journals: what must not be written, neither they nor the files that lie beside them.
    appends: what the file holds stays, but for the torn line that a killed process may have left at its end, which
        goes when the first dialog is written: until then somebody else may be writing.

    `dialogs` is how many were written; once `is_counted`, how many there are.

    Raises `SetupError`, in one line, when the file cannot be made, is there already and `overwrites` is off, or cannot
    take a dialog (a full disk): then the part of the line that got through is taken back. Raises BrokenPipeError when
    nobody reads standard output any more.
    """

    def __init__(
        self, path: str, *, overwrites: bool = False, appends: bool = False, journals: Sequence[Path] = ()
    ) -> None:
        self.name = "standard output" if path == "-" else path
        self.dialogs = 0
        self.is_counted = not appends
        self._path = path
        self._overwrites = overwrites
        self._appends = appends
        self._journals = journals
        self._file: BinaryIO

    def __enter__(self) -> Self:
        if self._path == "-":
            self._file = sys.stdout.buffer
            return self
        if not self._path:
            raise SetupError("the name of the file to write is empty")
        for journal in self._journals:
            refuse_journal(self._path, journal)
        is_new = not os.path.isfile(self._path) or not os.path.getsize(self._path)
        if not (self._overwrites or self._appends or is_new):
            raise SetupError(f"{self._path} holds something already; choose another name or say --overwrite")
        try:
            self._file = open(self._path, "ab", buffering=0)  # closed by __exit__
        except OSError as error:
            raise SetupError(f"cannot write {self._path}: {error.strerror}") from error
        return self

    @property
    def is_regular(self) -> bool:
        """Whether it is a file that can be read again, not a pipe, a device or standard output."""
        return self._path != "-" and stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)

    @property
    def is_empty(self) -> bool:
        return not os.fstat(self._file.fileno()).st_size

    def holds_any(self, ids: Container[str]) -> bool:
        """Whether one of its dialogs has one of these ids; or whether it holds none at all, so that none is foreign."""
        with open(self._path, "rb") as file:
            first = file.readline()
            if not first.endswith(b"\n"):
                return first[:1] in (b"", b"{")  # nothing yet, or the torn beginning of a dialog
            file.seek(0)
            return any(_content(line)[0] in ids for line in file)

    def contents(self) -> list[tuple[str, str]]:
        """Id and digest of each dialog, line by line; ("", "") for a line that is no dialog."""
        try:
            with open(self._path, "rb") as file:
                return [_content(line) for line in file]
        except FileNotFoundError:  # it was taken away meanwhile
            return []

    def replace(self, dialogs: Iterable[Dialog]) -> None:
        """Puts other dialogs in the place of all that the file holds, at once. Raises `SetupError`."""
        path = Path(os.path.realpath(self._path))  # a link stays one
        draft = path.with_name(f".{path.name}.draft")  # always that, so that the draft of a killed process goes too
        try:
            with open(draft, "wb") as file:
                self.dialogs = sum(bool(file.write(_line(dialog))) for dialog in dialogs)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(draft, os.fstat(self._file.fileno()).st_mode)
            os.replace(draft, path)
        except OSError as error:
            raise SetupError(f"cannot write {self.name}: {error.strerror}; it is as it was") from error
        finally:
            draft.unlink(missing_ok=True)

    def write(self, dialog: Dialog) -> None:
        line = _line(dialog)
        try:
            if self._path == "-":
                self._file.write(line)
                self._file.flush()
            else:
                self._write_whole(line)
        except OSError as error:
            if self._path == "-" and isinstance(error, BrokenPipeError):
                raise
            dialogs = "whole dialogs only" if self._appends else f"{self.dialogs} whole dialogs"
            raise SetupError(f"cannot write {self.name}: {error.strerror}; it holds {dialogs}") from error
        self.dialogs += 1

    def _write_whole(self, line: bytes) -> None:
        file = self._file
        if not self.dialogs and self.is_regular and (self._overwrites or self._appends):
            file.truncate(0 if self._overwrites else _end_of_last_line(self._path))
        end = os.fstat(file.fileno()).st_size
        written = 0
        try:
            while written < len(line):
                written += file.write(line[written:])
        except OSError:
            with suppress(OSError):  # a pipe or a device cannot take it back
                file.truncate(end)
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._path != "-":
            self._file.close()


def refuse_journal(path: str, journal: Path) -> None:
    """Raises `SetupError` when the path is that of a journal, or of what lies beside it."""
    if any(_is_same(path, f"{journal}{ending}") for ending in _OF_A_JOURNAL):
        raise SetupError(f"{path} belongs to the journal {journal}; choose another name for the dialogs")


def _is_same(path: str, other: str) -> bool:
    """Also over links, and when neither is there yet."""
    if os.path.exists(path) and os.path.exists(other):
        return os.path.samefile(path, other)
    return os.path.realpath(path) == os.path.realpath(other)


def _line(dialog: Dialog) -> bytes:
    # A lone surrogate, which some model may say, has no UTF-8; written as it is, it would spoil the whole file.
    return dialog.to_line().encode("utf-8", "replace") + b"\n"


def _end_of_last_line(path: str) -> int:
    """Where the last whole line of a file ends."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            begin = max(0, end - _BLOCK)
            file.seek(begin)
            line_end = file.read(end - begin).rfind(b"\n")
            if line_end >= 0:
                return begin + line_end + 1
            end = begin
    return 0


def _content(line: bytes) -> tuple[str, str]:
    try:
        dialog = Dialog.from_json(line.decode())
    except (FileInvalid, ValueError):  # a UnicodeDecodeError is one
        return "", ""
    return str(dialog.id), dialog.digest()
