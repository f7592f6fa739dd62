"""Rules that one object can follow for all dialogs at once: they go by what they are shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, ConfigDict, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs

from .orchestrator import Orchestrator

__all__ = ["CHECKED", "Condition", "Pattern", "Rule", "Shared", "Texts", "holds", "several"]

CHECKED = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Rule(Orchestrator):
    """An orchestrator whose parameters are checked, and all data, so that a scenario file can give them."""

    keeps_state: ClassVar[bool] = False
    elsewhere: ClassVar[Mapping[str, str]] = {}  # what sdialog calls by another name, and what to say here

    persistent: bool = False
    event_label: str | None = None

    def set_persistent(self, value: bool) -> None:
        """Raises TypeError: a rule never changes."""
        raise TypeError(f"a {type(self).__name__} never changes; make one with persistent={value}")

    @model_validator(mode="before")
    @classmethod
    def _by_place(cls, said: Any) -> Any:
        """In sdialog `persistent` and `event_label` may follow a rule's own parameters by place."""
        if not isinstance(said, ArgsKwargs):
            return said
        for name in (said.kwargs or {}).keys() & cls.elsewhere.keys():
            raise ValueError(f"a {cls.__name__} has no {name}; say {cls.elsewhere[name]}")
        own = sum(not each.kw_only for each in fields(cls))
        last = dict(zip(("persistent", "event_label"), said.args[own:], strict=False))
        if len(said.args) - own > len(last) or last.keys() & (said.kwargs or {}).keys():
            return said  # which is refused
        return ArgsKwargs(said.args[:own], {**(said.kwargs or {}), **last})


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Shared(Rule):
    """A rule that asks for nothing, so that no dialog needs a copy of its own."""

    def fresh(self) -> Self:
        return self


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text


def _kept(texts: Sequence[str] | str) -> tuple[str, ...] | str:
    return texts if isinstance(texts, str) else tuple(texts)


Pattern = Annotated[str, AfterValidator(_pattern)]
Texts = Annotated[Sequence[str] | str, AfterValidator(_kept)]  # one alone stands for itself
Condition = Pattern | Callable[[str], bool]


def holds(condition: Callable[[str], bool] | str, text: str) -> bool:
    """Whether a text is meant: by a function, or by a regular expression that is searched in it, whatever the case."""
    if isinstance(condition, str):
        return re.search(condition, text, re.IGNORECASE) is not None
    return condition(text)


def several(texts: Sequence[str] | str | None) -> tuple[str, ...]:
    """One text stands for a list of one."""
    return () if texts is None else (texts,) if isinstance(texts, str) else tuple(texts)
