"""The rules by which an attribute gets its value: plain values, which draw from a generator that they are given.

As users write them: "*" or "{llm}" and "{llm:HINT}" leave it to the model; a list is chosen from; "{20-30}" is a whole
number of that range, both ends included; "{txt:PATH}" is a line of a file, "{csv:COLUMN:PATH}" and "{tsv:COLUMN:PATH}"
a cell of a table's column, by name or number; a function is called; anything else is the value itself.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from ...engine.wording import meant
from .file_rules import Cell, FromFile, Line

__all__ = ["ByModel", "Computed", "Fixed", "OneOf", "Range", "Rule", "rule_of"]

_RANGE = re.compile(r"\{(-?\d+)-(-?\d+)\}")
_NAMED = re.compile(r"\{(\w+):(.*)\}", re.DOTALL)
_KINDS = ("llm", "txt", "csv", "tsv")


@dataclass(frozen=True)
class Fixed:
    """Always the same."""

    value: Any

    def draw(self, random: Random) -> Any:
        return self.value


@dataclass(frozen=True)
class OneOf:
    """One of several values, each as likely as the others."""

    values: Sequence[Any]

    def draw(self, random: Random) -> Any:
        return random.choice(self.values)


@dataclass(frozen=True)
class Range:
    """A whole number, both ends included."""

    low: int
    high: int

    def draw(self, random: Random) -> int:
        return random.randint(self.low, self.high)


@dataclass(frozen=True)
class ByModel:
    """A language model writes it; `hint` says more than the attribute's own description."""

    hint: str = ""


@dataclass(frozen=True)
class Computed:
    """A function's answer, also an asynchronous one's. It is given the attributes that its parameters name.

    needs: those that must be there before it. takes_all: it takes whatever else is there when its turn comes.
    """

    function: Callable[..., Any]
    needs: tuple[str, ...] = ()
    takes_all: bool = False

    @classmethod
    def of(cls, function: Callable[..., Any], attribute: str, known: Sequence[str]) -> Computed:
        """Raises ValueError when it needs what is no attribute."""
        try:
            parameters = inspect.signature(function).parameters.values()
        except ValueError:  # some that are built in do not say what they take
            return cls(function)
        needs, takes_all = [], False
        for parameter in parameters:
            is_optional = parameter.default is not parameter.empty or parameter.kind is parameter.VAR_POSITIONAL
            if parameter.kind is parameter.VAR_KEYWORD:
                takes_all = True
            elif parameter.kind is parameter.POSITIONAL_ONLY and not is_optional:
                raise ValueError(f"the function for {attribute!r} is given attributes by name, but wants one by place")
            elif (
                parameter.name in known
                and parameter.name != attribute
                and parameter.kind is not parameter.VAR_POSITIONAL
            ):
                needs.append(parameter.name)
            elif not is_optional:
                raise ValueError(
                    f"the function for {attribute!r} takes {parameter.name!r}, which is no other attribute; "
                    f"{meant(parameter.name, known)}"
                )
        return cls(function, tuple(needs), takes_all)

    async def answer(self, attributes: Mapping[str, Any]) -> Any:
        """Raises what the function raises."""
        if self.takes_all:
            value = self.function(**attributes)
        else:
            value = self.function(**{name: attributes[name] for name in self.needs if name in attributes})
        return await value if inspect.isawaitable(value) else value


Rule = Fixed | OneOf | Range | FromFile | ByModel | Computed


def rule_of(value: Any, attribute: str, known: Sequence[str]) -> Rule:
    """What a user has written for an attribute; `known` are the names of all. Raises ValueError for what is no rule."""
    if callable(value):
        return Computed.of(value, attribute, known)
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError(f"the list for {attribute!r} is empty; there is nothing to choose from")
        return OneOf(tuple(value))
    if not isinstance(value, str):
        return Fixed(value)
    return _told(value, attribute)


def _told(text: str, attribute: str) -> Rule:
    if text == "*":
        return ByModel()
    inner = text[1:-1] if text.startswith("{{") and text.endswith("}}") else text
    if inner == "{llm}":
        return ByModel()
    if numbers := _RANGE.fullmatch(inner):
        low, high = map(int, numbers.groups())
        if low > high:
            raise ValueError(f"the range {text!r} for {attribute!r} ends before it begins; say {{{high}-{low}}}")
        return Range(low, high)
    named = _NAMED.fullmatch(inner)
    if named is None:
        return Fixed(text)
    kind, rest = named.groups()
    if kind == "llm":
        return ByModel(rest.strip())
    if kind == "txt" and rest:
        return Line(rest)
    column, _, path = rest.partition(":")
    if kind in ("csv", "tsv") and column and path:
        return Cell(column, path, "," if kind == "csv" else "\t")
    if kind in _KINDS:
        raise ValueError(f"{text!r} for {attribute!r} is cut short; say {{txt:PATH}} or {{{kind}:COLUMN:PATH}}")
    raise ValueError(f"{text!r} for {attribute!r} is no rule that is known; {meant(kind, _KINDS)}")
