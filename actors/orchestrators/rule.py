"""Rules that one object can follow for all dialogs at once: they go by what they are shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, ConfigDict
from pydantic.dataclasses import dataclass

from .orchestrator import Orchestrator

__all__ = ["CHECKED", "Condition", "Pattern", "Rule", "Shared", "holds"]

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


Pattern = Annotated[str, AfterValidator(_pattern)]
Condition = Callable[[str], bool] | Pattern


def holds(condition: Callable[[str], bool] | str, text: str) -> bool:
    """Whether a text is meant: by a function, or by a regular expression that is searched in it, whatever the case."""
    if isinstance(condition, str):
        return re.search(condition, text, re.IGNORECASE) is not None
    return condition(text)
