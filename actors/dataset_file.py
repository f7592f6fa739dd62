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

    Raises `SetupError`, in one line, when the file cannot be made, is there already and `overwrites` is off, or cannot
    take a dialog (a full disk): then the part of the line that got through is taken back.
    """

    def __init__(self, path: str, *, overwrites: bool = False) -> None:
        self.path = path
        self.dialogs = 0
        self._overwrites = overwrites
        self._file: BinaryIO

    def __enter__(self) -> Self:
        if self.path == "-":
            self._file = sys.stdout.buffer
            return self
        if not self._overwrites and os.path.isfile(self.path) and os.path.getsize(self.path):
            raise SetupError(f"{self.path} holds something already; choose another name or say --overwrite")
        try:
            self._file = open(self.path, "wb", buffering=0)  # closed by __exit__
        except OSError as error:
            raise SetupError(f"cannot write {self.path}: {error.strerror}") from error
        return self

    def write(self, dialog: Dialog) -> None:
        line = dialog.to_line().encode("utf-8", "surrogatepass") + b"\n"
        try:
            self._write(line)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise SetupError(
                f"cannot write {self.path}: {error.strerror}; it holds {self.dialogs} whole dialogs"
            ) from error
        self.dialogs += 1

    def _write(self, line: bytes) -> None:
        file = self._file
        if file is sys.stdout.buffer:
            file.write(line)
            file.flush()
            return
        start = file.tell()
        try:
            written = 0
            while written < len(line):
                written += file.write(line[written:])
        except OSError:
            with suppress(OSError):  # a device cannot take it back
                file.truncate(start)
                file.seek(start)
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.path != "-":
            self._file.close()
