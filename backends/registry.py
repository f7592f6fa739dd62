"""Finds a backend by its model string, "backend:model"; other distributions add theirs by entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from ..engine.completion import Backend
from ..engine.errors import SetupError, UnknownBackend

__all__ = ["backend_named", "backend_names"]

_GROUP = "playact.backends"


def backend_named(model: str) -> Backend:
    """The backend before the first colon, made with what stands after it; not opened yet.

    Raises `UnknownBackend` when nobody offers it, `SetupError` when it cannot be made.
    """
    name, _, rest = model.partition(":")
    offered = _offered()
    if name not in offered:
        raise UnknownBackend(model, tuple(sorted(offered)))
    try:
        factory = offered[name].load()
    except (ImportError, AttributeError) as error:
        raise SetupError(f"the backend {name} cannot be loaded: {error}; try to install its package again") from error
    backend: Backend = factory(rest)
    return backend


def backend_names() -> tuple[str, ...]:
    """The backends that are installed, ours and others'."""
    return tuple(sorted(_offered()))


def _offered() -> dict[str, EntryPoint]:
    """By name. Ours wins over another distribution's of the same name: installing a package must not redirect keys."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=_GROUP):
        if point.name not in found or point.value.startswith("playact."):
            found[point.name] = point
    return found
