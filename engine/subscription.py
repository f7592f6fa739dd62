"""The event stream as one reader sees it: every record, slowing the run when behind, or just the newest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from .messages import Fact, Record
from .promise import Promise

__all__ = ["Subscription"]


class Subscription:
    """An async iterator over records, in the order they were published; it ends when the run does.

    `lossless`: holds at most `capacity` records; a publisher that finds it full waits until one is read.
    `latest`: holds the newest record only, never makes anyone wait, and counts those it passed over in `missed`.
    Leave it with `close` or as a context manager, also when stopping early: what nobody reads would hold up the run.
    One task may read it at a time.
    """

    def __init__(
        self,
        promise: Callable[[], Promise],
        kinds: tuple[type[Fact], ...],
        mode: Literal["lossless", "latest"],
        capacity: int,
        on_close: Callable[[Subscription], None],
    ) -> None:
        self.kinds = kinds
        self.missed = 0
        self._promise = promise
        self._mode = mode
        self._capacity = capacity
        self._on_close = on_close
        self._records: deque[Record[Fact]] = deque()
        self._reader: Promise | None = None
        self._writers: deque[Promise] = deque()
        self._closed = False

    def wants(self, fact: Fact) -> bool:
        return not self.kinds or isinstance(fact, self.kinds)

    def put_now(self, record: Record[Fact]) -> None:
        """Takes a record even when full; for facts published where nobody can wait, like a dialog's end."""
        if self._closed:
            return
        if self._mode == "latest" and self._records:
            self._records.clear()
            self.missed += 1
        self._records.append(record)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def put(self, record: Record[Fact]) -> None:
        """Takes a record; waits while full and lossless. It is taken also when the writer is cancelled meanwhile."""
        try:
            while self.is_full:
                writer = self._promise()
                self._writers.append(writer)
                try:
                    await writer
                except BaseException:
                    if not writer.cancelled():
                        self._let_a_writer_in()
                    raise
        finally:
            self.put_now(record)

    @property
    def is_full(self) -> bool:
        return self._mode == "lossless" and len(self._records) >= self._capacity and not self._closed

    def close(self) -> None:
        """No more records come; those already held can still be read. Closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        self._on_close(self)
        while self._writers:
            self._let_a_writer_in()
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Record[Fact]:
        while not self._records:
            if self._closed:
                raise StopAsyncIteration
            self._reader = self._promise()
            try:
                await self._reader
            finally:
                self._reader = None
        record = self._records.popleft()
        self._let_a_writer_in()
        return record

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()
        self._records.clear()

    def __repr__(self) -> str:
        return (
            f"<Subscription {self._mode} {len(self._records)}/{self._capacity} {'closed' if self._closed else 'open'}>"
        )

    def _let_a_writer_in(self) -> None:
        while self._writers:
            writer = self._writers.popleft()
            if not writer.done():
                writer.set_result(None)
                return
