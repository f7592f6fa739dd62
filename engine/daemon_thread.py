"""Runs what may block, or never end, in a thread that neither the event loop nor the end of the process waits for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread

__all__ = ["run_sync"]

T = TypeVar("T")


async def run_sync(function: Callable[..., T], *arguments: object) -> T:
    """What the function gives or raises.

    Cancelling ends the waiting only: the thread is left to itself, where anyio's own would keep the process from
    ending. As many are waited for at once as anyio allows for its threads.
    """
    token = anyio.lowlevel.current_token()
    done = anyio.Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(function(*arguments))
        except BaseException as error:
            errors.append(error)
        with suppress(anyio.RunFinishedError):  # nobody waits any longer
            anyio.from_thread.run_sync(done.set, token=token)

    async with anyio.to_thread.current_default_thread_limiter():
        Thread(target=copy_context().run, args=(work,), name="playact worker", daemon=True).start()
        await done.wait()
    if errors:
        raise errors[0]
    return results[0]
