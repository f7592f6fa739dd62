"""The body of an answer as it comes: whoever reads it sets the pace, for no more is taken in meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

from ..engine.errors import BackendError
from .http_answer import LARGEST_BODY, Answer, TooLarge

__all__ = ["BodyStream"]

_MOST_WAITING = 256 * 1024
_FEW_WAITING = 64 * 1024
# How long a server may take to end a body that has said all there is to say. The `openai` package waits as long.
_FAREWELL_S = 0.1


class BodyStream:
    """Filled by one connection, read by one task. Close it, also when it was not read to its end.

    `failure` turns what went wrong on the way into the error that a reader gets. What came before is read first.
    """

    def __init__(self, failure: Callable[[Exception], BackendError]) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.has_begun = False
        self.is_over = False
        self._failure = failure
        self._error: Exception | None = None
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._is_paused = False
        self._transport: asyncio.Transport | None = None
        self._turn: asyncio.Future[None] | None = None
        self._let_go: Callable[[], None] | None = None

    async def next(self) -> bytes:
        """The next piece, b"" at the end. Raises `BackendUnavailable`, `ReplyInvalid`."""
        while not self._pieces:
            if self._error is not None:
                raise self._failure(self._error) from self._error
            if self.is_over:
                return b""
            self._turn = asyncio.get_running_loop().create_future()
            await self._turn
        piece = self._pieces.popleft()
        self._size -= len(piece)
        if self._is_paused and self._size <= _FEW_WAITING:
            self._is_paused = False
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()
        return piece

    async def whole(self) -> Answer:
        """All of it, for a body that proves to be none to read in parts. Raises as `next`."""
        pieces: list[bytes] = []
        size = 0
        while piece := await self.next():
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_BODY:
                raise self._failure(TooLarge())
        return Answer(self.status, self.headers, b"".join(pieces))

    async def farewell(self) -> None:
        """Nothing more of it is wanted. Once it has ended its connection can be kept, so it gets a moment to do so."""
        if not self.is_over:
            try:
                async with asyncio.timeout(_FAREWELL_S):
                    while await self.next():
                        pass
            except (TimeoutError, BackendError):
                pass  # what was wanted is there

    def cut(self) -> BackendError:
        """The error for a body that ended before it had said all."""
        return self._failure(ConnectionResetError())

    def close(self) -> None:
        """The connection is kept if the body has ended, else closed."""
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            let_go()

    def begin(self, status: int, headers: Mapping[str, str], transport: asyncio.Transport) -> None:
        """The head of the answer is there."""
        self.status, self.headers, self._transport = status, headers, transport
        self.has_begun = True

    def when_closed(self, let_go: Callable[[], None]) -> None:
        self._let_go = let_go

    def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _MOST_WAITING and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """No more will come, and why, if it should have."""
        if not self.is_over:
            self.is_over = True
            self._error = error
            self._wake()

    def _wake(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None and not turn.done():
            turn.set_result(None)

    def __repr__(self) -> str:
        state = "over" if self.is_over else "coming" if self.has_begun else "not begun"
        return f"<BodyStream {state}, {self._size} bytes waiting>"
