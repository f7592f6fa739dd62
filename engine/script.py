"""For plain scripts: runs one awaitable from start to end."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import TypeVar

import anyio

__all__ = ["run"]

T = TypeVar("T")


def run(awaitable: Awaitable[T]) -> T:
    """What the awaitable gives, as in `dialog = run(alice.dialog_with(bob))`.

    Raises what it raises, and RuntimeError where an event loop runs already: there, say `await`.
    """

    async def main() -> T:
        return await awaitable

    try:
        return anyio.run(main)
    finally:
        if isinstance(awaitable, Coroutine):
            awaitable.close()  # where it never began, Python would warn that it was not awaited
