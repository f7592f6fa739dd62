"""A value that one task waits for and another supplies, once: on asyncio its own future, on trio the same by hand.

This is the engine's only way to wait for another task. An event of anyio does the same at four times the price and
six times the memory, which a hundred thousand waiting dialogs would feel.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol

import sniffio

__all__ = ["Promise", "promises"]


class Promise(Protocol):
    """One task may await it. A waiter that was cancelled leaves it `cancelled()`, unless it was kept just before."""

    def set_result(self, value: Any, /) -> None: ...

    def set_exception(self, error: BaseException, /) -> None: ...

    def done(self) -> bool: ...

    def cancelled(self) -> bool: ...

    def __await__(self) -> Generator[Any, None, Any]: ...


def promises() -> Callable[[], Promise]:
    """The maker of promises for the event loop that runs now."""
    if sniffio.current_async_library() == "trio":
        return _trio_promises()
    import asyncio

    return asyncio.get_running_loop().create_future


def _trio_promises() -> Callable[[], Promise]:
    import trio

    class TrioPromise:
        __slots__ = ("_error", "_state", "_task", "_value")

        def __init__(self) -> None:
            self._state = "pending"
            self._task: trio.lowlevel.Task | None = None
            self._value: Any = None
            self._error: BaseException | None = None

        def set_result(self, value: Any, /) -> None:
            self._value = value
            self._keep()

        def set_exception(self, error: BaseException, /) -> None:
            self._error = error
            self._keep()

        def done(self) -> bool:
            return self._state != "pending"

        def cancelled(self) -> bool:
            return self._state == "cancelled"

        def __await__(self) -> Generator[Any, None, Any]:
            return self._wait().__await__()

        def _keep(self) -> None:
            assert self._state == "pending"
            self._state = "kept"
            if self._task is not None:
                trio.lowlevel.reschedule(self._task)

        async def _wait(self) -> Any:
            if self._state == "pending":
                self._task = trio.lowlevel.current_task()

                def abort(_: Any) -> trio.lowlevel.Abort:
                    self._state = "cancelled"
                    return trio.lowlevel.Abort.SUCCEEDED

                await trio.lowlevel.wait_task_rescheduled(abort)
            if self._error is not None:
                raise self._error
            return self._value

    return TrioPromise
