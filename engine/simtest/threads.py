"""Work for worker threads is done at once, in the event loop: threads would bring real time into a simulation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio.lowlevel
import anyio.to_thread

from .. import daemon_thread

__all__ = ["no_threads"]


@contextmanager
def no_threads() -> Iterator[None]:
    """Meanwhile whatever runs functions in threads runs what it is given itself. A setting of the whole process."""
    real, real_daemon = anyio.to_thread.run_sync, daemon_thread.run_sync
    anyio.to_thread.run_sync = _at_once  # type: ignore[assignment]  # it takes all that the real one takes
    daemon_thread.run_sync = _at_once
    try:
        yield
    finally:
        anyio.to_thread.run_sync, daemon_thread.run_sync = real, real_daemon


async def _at_once(function: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
    await anyio.lowlevel.checkpoint()
    return function(*arguments)
