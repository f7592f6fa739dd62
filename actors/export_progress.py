"""How an export is going: a line that renews itself on a terminal, else a line now and then."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self, TextIO

from ..engine.dialog import Dialog
from ..engine.wording import counted
from .progress import duration

__all__ = ["ExportProgress"]

_LINE_EVERY_S = 5.0
_SCREEN_EVERY_S = 0.25


class ExportProgress:
    """Use it as a context manager. total: how many dialogs there are, None when that is not known.

    Says nothing of what takes less time than it waits between two lines. When `out` has gone, nothing more is shown.
    """

    def __init__(self, total: int | None, out: TextIO, *, is_quiet: bool = False) -> None:
        self._total = total
        self._out = out
        self._is_quiet = is_quiet
        self._is_screen = out.isatty() and os.environ.get("TERM") != "dumb"
        self._every_s = _SCREEN_EVERY_S if self._is_screen else _LINE_EVERY_S
        self._has_line = False

    def through(self, dialogs: Iterable[Dialog]) -> Iterator[Dialog]:
        """The dialogs, counted."""
        begin = said = time.monotonic()
        for number, dialog in enumerate(dialogs, 1):
            yield dialog
            now = time.monotonic()
            if now - said >= self._every_s and not self._is_quiet:
                said = now
                self._say(self.line(number, now - begin))

    def line(self, done: int, seconds: float) -> str:
        rate = f"{done / seconds:,.0f} a second"
        if self._total is None:
            return f"{counted(f'{done:,}', 'dialog')} · {rate}"
        left = duration(max(self._total - done, 0) * seconds / done)
        return f"{done:,}/{counted(f'{self._total:,}', 'dialog')} · {rate} · {left} left"

    def close(self) -> None:
        """Takes the line away."""
        if self._has_line:
            self._has_line = False
            self._write("\r\x1b[K")

    def _say(self, line: str) -> None:
        self._has_line = self._is_screen
        self._write(f"\r\x1b[K{line}" if self._is_screen else f"{line}\n")

    def _write(self, text: str) -> None:
        with suppress(OSError):
            self._out.write(text)
            self._out.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
