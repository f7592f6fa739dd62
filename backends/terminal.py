"""Lines that a person types, read so that waiting for one can be given up, and lines that are shown to that person."""

from __future__ import annotations

import os
import select
import sys
from functools import partial
from typing import TextIO

import anyio.to_thread

from ..engine import daemon_thread
from ..engine.transcript import plain

__all__ = ["Terminal"]

_CHUNK = 4096


class Terminal:
    """Standard input, or another descriptor, and standard error, where the progress of a run is shown too.

    What is shown is plain text: it can neither move the cursor nor colour the screen.
    """

    def __init__(self, descriptor: int | None = None, out: TextIO | None = None) -> None:
        self._descriptor = descriptor
        self._out = out
        self._read = bytearray()  # of the next line
        self._is_over = False

    def show(self, text: str, end: str = "\n") -> None:
        print(plain(text), end=end, file=self._out or sys.stderr, flush=True)

    async def line(self) -> str | None:
        """The next line without its end; None when there are no more. Cancelled, it leaves what was typed for later."""
        if sys.platform == "win32":  # there nothing says whether a read of standard input would wait
            text = await daemon_thread.run_sync(sys.stdin.readline)
            return text.rstrip("\r\n") if text else None
        while b"\n" not in self._read and not self._is_over:
            self._take(await self._chunk())
        if not self._read:
            return None
        line, _, rest = bytes(self._read).partition(b"\n")
        self._read[:] = rest
        return line.decode("utf-8", "replace").removesuffix("\r")

    def _take(self, chunk: bytes) -> None:
        self._read += chunk
        self._is_over = not chunk

    async def _chunk(self) -> bytes:
        """Waits in a thread, which ends when the waiting is cancelled: the pipe that it watches is closed then."""
        watched, held = os.pipe()
        descriptor = sys.stdin.fileno() if self._descriptor is None else self._descriptor
        try:
            work = partial(_read_when_ready, descriptor, watched)
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        finally:
            os.close(held)


def _read_when_ready(descriptor: int, watched: int) -> bytes:
    try:
        ready, _, _ = select.select([descriptor, watched], [], [])
        return os.read(descriptor, _CHUNK) if descriptor in ready and watched not in ready else b""
    except OSError:  # a terminal that has gone
        return b""
    finally:
        os.close(watched)
