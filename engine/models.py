"""The models of one run: each backend is opened once, at its first use, and closed when the run ends."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import cast

import anyio

from .completion import Backend
from .errors import SetupError

__all__ = ["Models", "backend_named"]


class Models:
    """Opens backends by their model string, "backend:model", or takes them as objects; `wrap` goes around each."""

    def __init__(self, wrap: Callable[[Backend], Backend] | None = None) -> None:
        self._wrap = wrap
        self._open: dict[str | int, Backend] = {}
        self._opening = anyio.Lock()

    def get(self, model: str | Backend) -> Backend | None:
        """The backend if it is open already."""
        return self._open.get(model if isinstance(model, str) else id(model))

    async def open(self, model: str | Backend) -> Backend:
        """The backend, opened if it is not yet. Raises `SetupError` when something must be put right first."""
        async with self._opening:
            backend = self.get(model)
            if backend is not None:
                return backend
            backend = backend_named(model) if isinstance(model, str) else model
            if self._wrap is not None:
                backend = self._wrap(backend)
            try:
                await backend.open()
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await backend.aclose()
                raise
            self._open[model if isinstance(model, str) else id(model)] = backend
            return backend

    async def aclose(self) -> None:
        """Closes all, also when the run was cancelled."""
        with anyio.CancelScope(shield=True):
            while self._open:
                _, backend = self._open.popitem()
                await backend.aclose()


def backend_named(model: str) -> Backend:
    """The backend of a model string, not opened yet. Raises `SetupError` when there is none, or it cannot be made.

    The engine knows the name of the plug, never what is plugged in.
    """
    plugs = entry_points(group="playact.engine", name="open_backend")
    if not plugs:
        raise SetupError("playact is not installed as a package; run `pip install -e .` in its folder")
    named = cast("Callable[[str], Backend]", next(iter(plugs)).load())
    return named(model)
