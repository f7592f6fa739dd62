"""The dialogs of one call of `Simulation.run`, in the order in which they finish."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio

from .dialog import Dialog
from .nursery import Nursery, open_nursery
from .promise import Promise

if TYPE_CHECKING:
    from .performance import Playable
    from .simulation import Simulation

__all__ = ["Run"]


class Run:
    """An async iterator; one task may read it at a time. Its dialogs begin when it is made, not when it is read.

    A finished dialog that is not taken keeps its place among the live ones, so a reader that stops stops the run.
    """

    def __init__(self, simulation: Simulation, scenarios: Iterable[Playable] | AsyncIterable[Playable]) -> None:
        self._simulation = simulation
        self._finished: deque[Dialog] = deque()
        self._reader: Promise | None = None
        self._is_over = False
        self._error: Exception | None = None
        self._on_end = self._take  # one bound method for all dialogs
        self._cancel_scope = anyio.CancelScope()
        simulation.runs.start_soon(self._conduct, scenarios, name="run")

    async def aclose(self) -> None:
        """Cancels the dialogs that are live and takes no more scenarios. Closing twice does nothing."""
        self._cancel_scope.cancel()
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
        self._simulation.retire()
        return dialog

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self.aclose()

    async def _conduct(self, scenarios: Iterable[Playable] | AsyncIterable[Playable]) -> None:
        try:
            with self._cancel_scope:
                async with open_nursery() as dialogs:
                    try:
                        if isinstance(scenarios, AsyncIterable):
                            async for scenario in scenarios:
                                await self._begin(scenario, dialogs)
                        else:
                            for scenario in scenarios:
                                await self._begin(scenario, dialogs)
                    except Exception as error:  # the caller's own, out of the iterable
                        self._error = error
        finally:
            self._is_over = True
            self._wake_reader()

    async def _begin(self, scenario: Playable, dialogs: Nursery) -> None:
        number = await self._simulation.admit()
        performance = self._simulation.prepare(scenario, number, self._on_end)
        performance.scope.task = dialogs.create_task(performance.play(scenario))

    def _take(self, dialog: Dialog) -> None:
        self._finished.append(dialog)
        self._wake_reader()

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
