"""What a backend says of itself before it is opened: which packages it lacks, how it is set up, what it still wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Protocol, runtime_checkable

__all__ = ["Described", "Description", "Offer", "absent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Holds no secret, only whether there is one.

    extra: the extra of playact that brings the packages which it needs; empty when it needs none.
    missing: those of the packages that are not installed.
    facts: how it is set up here, by name, such as {"host": "api.openai.com", "key": "set"}.
    wants: what must still be put right before it can be used; empty when nothing must.
    """

    extra: str = ""
    missing: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    wants: str = ""


@runtime_checkable
class Described(Protocol):
    """A class of backends that can describe itself; it need not. Nothing heavy is imported for it, nothing opened.

    Raises `SetupError` when it is set up in a way that cannot be.
    """

    def describe(self) -> Description: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A backend that can be named in a model string, by `name` or one of its `aliases`.

    distribution: the package that brings it, empty for playact itself. description: None of one that gives none.
    trouble: why it cannot be described.
    """

    name: str
    aliases: tuple[str, ...] = ()
    distribution: str = ""
    description: Description | None = None
    trouble: str = ""


def absent(*modules: str) -> tuple[str, ...]:
    """Those of the modules that are not installed; none is imported."""
    return tuple(module for module in modules if not _is_there(module))


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # a parent that is not there, a module that is no package's
        return False
