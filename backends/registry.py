"""Finds a backend by its model string, "backend:model"; other distributions add theirs by entry point."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

from ..engine.completion import Backend
from ..engine.description import Described, Offer
from ..engine.embedding import Embedder
from ..engine.errors import SetupError, UnknownBackend

__all__ = ["backend_named", "backend_names", "embedder_named", "offers"]

_GROUP = "playact.backends"
_EMBEDDERS = "playact.embedders"


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


def embedder_named(name: str) -> Embedder:
    """The embedder before the first colon, made with what stands after it; not opened yet. Raises `SetupError`."""
    kind, _, rest = name.partition(":")
    offered = _offered(_EMBEDDERS)
    if kind not in offered:
        raise SetupError(f'there is no embedder "{name}"; there are {", ".join(sorted(offered))}')
    try:
        factory = offered[kind].load()
    except (ImportError, AttributeError) as error:
        raise SetupError(f"the embedder {kind} cannot be loaded: {error}; try to install its package again") from error
    embedder: Embedder = factory(rest)
    return embedder


def backend_names() -> tuple[str, ...]:
    """The backends that are installed, ours and others'."""
    return tuple(sorted(_offered()))


def offers() -> list[Offer]:
    """What is installed, described without opening anything. One factory of several names is offered once.

    Modules of backends are imported; what is heavy, they import only when they are opened.
    """
    points: dict[str, list[EntryPoint]] = {}
    for point in _offered().values():
        points.setdefault(point.value, []).append(point)
    return [_offer(of_one) for of_one in points.values()]


def _offer(points: Sequence[EntryPoint]) -> Offer:
    name, *aliases = sorted((point.name for point in points), key=lambda name: (len(name), name))
    point = points[0]
    brought_by = None if point.value.startswith("playact.") else point.dist
    description, trouble = None, ""
    try:
        maker = getattr(point.load(), "__self__", None)  # the class, of a factory that is a method of one
        if isinstance(maker, Described):
            description = maker.describe()
    except Exception as error:  # that one cannot be described must not hide the others
        trouble = str(error) or type(error).__name__
    return Offer(
        name=name,
        aliases=tuple(aliases),
        distribution=f"{brought_by.name} {brought_by.version}" if brought_by else "",
        description=description,
        trouble=trouble,
    )


def _offered(group: str = _GROUP) -> dict[str, EntryPoint]:
    """By name. Ours wins over another distribution's of the same name: installing a package must not redirect keys."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        if point.name not in found or point.value.startswith("playact."):
            found[point.name] = point
    return found
