"""What a run opens once, at its first use, and all its dialogs share: each is held by a task of its own."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import anyio
from anyio.abc import TaskGroup

from .errors import SimulationClosed
from .log import logger

__all__ = ["Resources"]

T = TypeVar("T")


class Resources:
    """Opens things by their keys, and closes them when it is left.

    Each is entered and left in one and the same task, as whatever has a task group inside demands; cancelling a dialog
    that waits for one, or was the first to ask for it, cancels nothing of it. One that breaks off later is logged and
    stays as it is: those who use it notice, and may open another under another key.
    """

    def __init__(self) -> None:
        self._held: dict[Hashable, _Held] = {}
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> bool | None:
        tasks, self._tasks = self._tasks, None
        assert tasks is not None
        for held in self._held.values():
            held.released.set()
        return await tasks.__aexit__(kind, error, at)

    async def get(self, key: Hashable, open: Callable[[], AbstractAsyncContextManager[T]]) -> T:
        """What is open under `key`; opened first where nothing is. Raises what opening it raised, each time."""
        held = self._held.get(key)
        if held is None:
            if self._tasks is None:
                raise SimulationClosed
            held = self._held[key] = _Held()
            self._tasks.start_soon(held.hold, key, open)
        await held.ready.wait()
        if held.error is not None:
            raise held.error
        return cast("T", held.value)


class _Held:
    def __init__(self) -> None:
        self.ready = anyio.Event()
        self.released = anyio.Event()
        self.value: Any = None  # of the type that its user knows
        self.error: Exception | None = SimulationClosed()  # until it is open

    async def hold(self, key: Hashable, open: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        try:
            async with open() as self.value:
                self.error = None
                self.ready.set()
                await self.released.wait()
        except Exception as error:
            if self.ready.is_set():
                logger().warning("resource.broke_off", key=str(key), error=_innermost(error))
            else:
                self.error = error
        finally:
            self.ready.set()


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
