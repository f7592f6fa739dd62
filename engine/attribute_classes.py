"""Classes of attributes by their names: those that are imported at the moment of asking, a user's own among them."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import TypeVar

from pydantic import BaseModel

from .errors import SetupError

__all__ = ["class_named", "classes_of"]

Kind = TypeVar("Kind", bound=BaseModel)


def class_named(family: type[Kind], name: str | None) -> type[Kind]:
    """The class of that name that is the family's or extends it; the family itself when there is no name.

    Raises `SetupError` when there is none, or when there are two: neither is taken for the other.
    """
    if name is None:
        if family.model_fields:
            return family
        raise SetupError("names no class in _metadata.className; say which it is, as in object_class=Persona")
    same = [kind for kind in classes_of(family) if kind.__name__ == name]
    if not same:
        raise SetupError(_unknown(family, name))
    if len(same) > 1:
        places = " and ".join(sorted(f"{kind.__module__}:{kind.__qualname__}" for kind in same))
        raise SetupError(f"{name} is the name of {places}; say which it is, as in object_class={name}")
    return same[0]


def classes_of(family: type[Kind]) -> list[type[Kind]]:
    """The family and all that extends it. A class that was defined again, as in a notebook, counts as its last form."""
    return list({f"{kind.__module__}:{kind.__qualname__}": kind for kind in (family, *_below(family))}.values())


def _below(family: type[Kind]) -> Iterator[type[Kind]]:
    for kind in family.__subclasses__():
        yield kind
        yield from _below(kind)


def _unknown(family: type[BaseModel], name: str) -> str:
    root = next(kind for kind in reversed(family.__mro__) if issubclass(kind, BaseModel) and kind is not BaseModel)
    if any(kind.__name__ == name for kind in classes_of(root)):
        return f"is a {name}, no {family.__name__}; read it with {root.__name__} or {name}, or say object_class="
    close = get_close_matches(name, [kind.__name__ for kind in classes_of(family)], 1)
    hint = f"did you mean {close[0]}?" if close else "import the module that has it, or say object_class="
    return f"is of the class {name}, which is not known here; {hint}"
