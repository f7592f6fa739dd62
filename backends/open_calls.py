"""The calls that a backend has under way: each is limited in time, and all are given up when the backend closes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from ..engine.errors import BackendUnavailable

__all__ = ["OpenCalls"]


class OpenCalls:
    """For clients whose own time limits are for each read, and that do not end their calls when they are closed."""

    def __init__(self, backend: str, timeout_s: float) -> None:
        self._backend = backend
        self._timeout_s = timeout_s
        self._scopes: set[anyio.CancelScope] = set()
        self._is_closed = False
        self._all_left = anyio.Event()

    def deadline(self) -> float:
        """When a call that begins now must have ended."""
        return anyio.current_time() + self._timeout_s

    @contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """Raises `BackendUnavailable` once the time is over, or when all calls are given up."""
        if self._is_closed:
            raise self._failure()
        with anyio.CancelScope(deadline=deadline) as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)
                if self._is_closed and not self._scopes:
                    self._all_left.set()
        if scope.cancelled_caught:
            raise self._failure()

    async def give_up(self) -> None:
        """Ends all calls, and returns once they have ended."""
        self._is_closed = True
        for scope in self._scopes:
            scope.cancel()
        if self._scopes:
            await self._all_left.wait()

    def _failure(self) -> BackendUnavailable:
        if self._is_closed:
            return BackendUnavailable(self._backend, "the backend was closed during the call")
        return BackendUnavailable(self._backend, f"no reply within {self._timeout_s:g} s")

    def __repr__(self) -> str:
        return f"<OpenCalls {self._backend} {len(self._scopes)} under way{', closed' if self._is_closed else ''}>"
