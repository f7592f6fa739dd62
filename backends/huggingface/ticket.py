"""The way back from the worker thread to the task that asked, on whichever event loop that runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import sniffio

from ...engine.completion import Delta

__all__ = ["Ticket"]


class Ticket:
    """Hands the deltas of one reply, or the error that ended it, to the task that made the ticket."""

    def __init__(self) -> None:
        self._post = _poster()
        self._arrived: deque[Delta | Exception] = deque()
        self._wake = anyio.Event()

    def put(self, news: Delta | Exception) -> None:
        """From any thread. Nothing happens when the event loop is gone, and nobody waits."""
        with suppress(RuntimeError):
            self._post(self._take, news)

    async def next(self) -> Delta:
        """The next delta. Raises the error that was put in its place."""
        while not self._arrived:
            await self._wake.wait()
        self._wake = anyio.Event()
        news = self._arrived.popleft()
        if self._arrived:
            self._wake.set()
        if isinstance(news, Exception):
            raise news
        return news

    def _take(self, news: Delta | Exception) -> None:
        self._arrived.append(news)
        self._wake.set()


def _poster() -> Callable[..., Any]:
    """How another thread has something done on the event loop that runs now."""
    if sniffio.current_async_library() == "trio":
        import trio

        return trio.lowlevel.current_trio_token().run_sync_soon
    import asyncio

    return asyncio.get_running_loop().call_soon_threadsafe
