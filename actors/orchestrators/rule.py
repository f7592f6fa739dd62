"""Rules that one object can follow for all dialogs at once: they go by what they are shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, ConfigDict
from pydantic.dataclasses import dataclass

from .orchestrator import Orchestrator

__all__ = ["CHECKED", "Condition", "Pattern", "Rule", "Shared", "Texts", "holds", "several"]

CHECKED = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Rule(Orchestrator):
    """An orchestrator whose parameters are checked, and all data, so that a scenario file can give them."""

    keeps_state: ClassVar[bool] = False

    persistent: bool = False
    event_label: str | None = None


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
