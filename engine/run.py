"""The dialogs of one call of `Simulation.run`, in the order in which they finish or, on request, of their scenarios."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio

from .dialog import Dialog
from .nursery import Nursery, open_nursery
from .program.piece import Piece
from .promise import Promise

if TYPE_CHECKING:
    from .performance import Performance
    from .simulation import Simulation

__all__ = ["Run"]


class Run:
    """An async iterator; one task may read it at a time. Its dialogs begin when it is made, not when it is read.

    A finished dialog that is not taken keeps its place among the live ones, so a reader that stops stops the run.
    With `ordered` a finished dialog keeps its place also while an earlier one is being played.
    """

    def __init__(self, simulation: Simulation, pieces: AsyncGenerator[Piece, None], *, ordered: bool = False) -> None:
        self._simulation = simulation
        self._finished: deque[Dialog] = deque()
        self._reader: Promise | None = None
        self._is_over = False
        self._error: Exception | None = None
        self._begun = 0
        self._next_place = 0
        self._ahead: list[tuple[int, Dialog]] = []  # a heap of those that finished before their turn
        self._failed: deque[_Failed] = deque()
        self._on_end = None if ordered else self._take  # one bound method for all dialogs, and so below
        self._on_failure = self._sees_to
        self._dialogs: Nursery
        self._cancel_scope = anyio.CancelScope()
        simulation.runs.start_soon(self._conduct, pieces, name="run")

    def stop(self) -> None:
        """Cancels the dialogs that are live and takes no more scenarios; what has finished can still be read."""
        self._cancel_scope.cancel()

    async def aclose(self) -> None:
        """Stops, and drops what is still to be read. Closing twice does nothing."""
        self.stop()
        self._error = None
        async for _ in self:
            pass

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Dialog:
        while not self._finished:
            if self._is_over:
                if self._error is not None:
                    error, self._error = self._error, None
                    raise error
                raise StopAsyncIteration
            self._reader = self._simulation.bus.promise()
            try:
                await self._reader
            finally:
                self._reader = None
        dialog = self._finished.popleft()
        self._simulation.admission.retire()
        return dialog

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self.aclose()

    async def _conduct(self, pieces: AsyncGenerator[Piece, None]) -> None:
        try:
            with self._cancel_scope:
                async with open_nursery() as self._dialogs:
                    await self._begin_all(pieces)
                # All others are over: what failed for a reason that may have passed gets its second chance.
                async with open_nursery() as self._dialogs:
                    while self._failed and await self._has_room():
                        self._begin_again(self._failed.popleft())
        finally:
            self._give_up()
            with anyio.CancelScope(shield=True):
                await self._simulation.settled()  # dialogs are handed out when their endings are durable
            while self._ahead:  # of a run that was stopped: those before them will never be over
                self._take(heapq.heappop(self._ahead)[1])
            self._is_over = True
            self._wake_reader()

    async def _begin_all(self, pieces: AsyncGenerator[Piece, None]) -> None:
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    if not await self._has_room():
                        return
                    performance = self._simulation.prepare(
                        piece, self._on_end or partial(self._take_in_order, self._begun)
                    )
                    self._begun += 1
                    performance.on_failure = self._on_failure
                    performance.scope.task = self._dialogs.create_task(performance.play(piece.scenario))
        except Exception as error:  # the caller's own, out of the iterable
            self._error = error

    async def _has_room(self) -> bool:
        """Waits for room for one more dialog; False when none may begin any more."""
        if self._simulation.is_out_of_money:
            return False
        await self._simulation.admission.admit()
        if self._simulation.is_out_of_money:
            self._simulation.admission.retire()
            return False
        return True

    def _sees_to(self, performance: Performance, error: BaseException) -> bool:
        """Whether a dialog that has failed gets a second chance, at the end or, where its place is held, at once."""
        simulation = self._simulation
        if not simulation.failures.policy.may_salvage(error) or self._cancel_scope.cancel_called:
            return False
        diary, past = performance.diary, performance.as_past()
        simulation.ended(performance)
        again = Piece(performance.scenario, performance.number, past, diary)
        simulation.failures.has_failed(str(error))
        failed = _Failed(again, error, performance.on_end)
        if self._on_end is None:
            self._begin_again(failed)
        else:
            self._failed.append(failed)
            self._check()
            simulation.admission.retire()
        return True

    def _begin_again(self, failed: _Failed) -> None:
        performance = self._simulation.prepare(failed.piece, failed.on_end)
        self._simulation.failures.gets_second_chance(str(failed.error))
        play = performance.play(failed.piece.scenario)
        performance.scope.task = self._dialogs.create_task(play)

    def _give_up(self) -> None:
        """Hands out the failed that get no second chance any more, since the run has ended."""
        while self._failed:
            failed = self._failed.popleft()
            self._simulation.failures.gets_second_chance(str(failed.error))
            self._simulation.admission.readmit()
            self._simulation.prepare(failed.piece, failed.on_end).fail(failed.error)

    def _take(self, dialog: Dialog) -> None:
        self._finished.append(dialog)
        self._check()
        self._wake_reader()

    def _take_in_order(self, place: int, dialog: Dialog) -> None:
        heapq.heappush(self._ahead, (place, dialog))
        while self._ahead and self._ahead[0][0] == self._next_place:
            self._next_place += 1
            self._take(heapq.heappop(self._ahead)[1])

    def _check(self) -> None:
        """Ends the run when so many dialogs have failed that going on is of no use."""
        verdict = self._simulation.failures.verdict(self._simulation.playing)
        if verdict is not None and self._error is None:
            self._error = verdict
            self._cancel_scope.cancel()

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


@dataclass(frozen=True, slots=True)
class _Failed:
    """A dialog that may be tried once more: from where it stands, why it failed, who is to get it."""

    piece: Piece
    error: BaseException
    on_end: Callable[[Dialog], None] | None
