"""A JSON Lines file that dialogs are written to as they finish; every line in it is a whole dialog."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from types import TracebackType
from typing import BinaryIO, Self

from ..engine.dialog import Dialog
from ..engine.errors import SetupError

__all__ = ["DatasetFile"]


class DatasetFile:
    """Use it as a context manager. Each dialog is handed to the operating system when it is written.

    path: a file, a pipe or a device; "-" is standard output.
    overwrites: what the file held before goes when the first dialog is written, so a run that cannot start costs
        nothing.

    Raises `SetupError`, in one line, when the file cannot be made, is there already and `overwrites` is off, or cannot
    take a dialog (a full disk): then the part of the line that got through is taken back. Raises BrokenPipeError when
    nobody reads standard output any more.
    """

    def __init__(self, path: str, *, overwrites: bool = False) -> None:
        self.name = "standard output" if path == "-" else path
        self.dialogs = 0
        self._path = path
        self._overwrites = overwrites
        self._file: BinaryIO

    def __enter__(self) -> Self:
        if self._path == "-":
            self._file = sys.stdout.buffer
            return self
        if not self._path:
            raise SetupError("the name of the file to write is empty")
        if not self._overwrites and os.path.isfile(self._path) and os.path.getsize(self._path):
            raise SetupError(f"{self._path} holds something already; choose another name or say --overwrite")
        try:
            self._file = open(self._path, "ab", buffering=0)  # closed by __exit__
        except OSError as error:
            raise SetupError(f"cannot write {self._path}: {error.strerror}") from error
        return self

    def write(self, dialog: Dialog) -> None:
        # A lone surrogate, which some model may say, has no UTF-8; written as it is, it would spoil the whole file.
        line = dialog.to_line().encode("utf-8", "replace") + b"\n"
        try:
            if self._path == "-":
                self._file.write(line)
                self._file.flush()
            else:
                self._write_whole(line)
        except OSError as error:
            if self._path == "-" and isinstance(error, BrokenPipeError):
                raise
            raise SetupError(
                f"cannot write {self.name}: {error.strerror}; it holds {self.dialogs} whole dialogs"
            ) from error
        self.dialogs += 1

    def _write_whole(self, line: bytes) -> None:
        file = self._file
        if self._overwrites and not self.dialogs and os.path.isfile(self._path):
            file.truncate(0)
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
