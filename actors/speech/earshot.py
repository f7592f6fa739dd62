"""Who hears whom, whatever is said: a rule of the place, where asides are a speaker's own choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol

from pydantic import BeforeValidator, ConfigDict, SkipValidation
from pydantic.dataclasses import dataclass

from ..problem import problem

__all__ = ["Earshot", "Hearing", "HearingRule"]


class Hearing(Protocol):
    """Decides who hears what. One object serves many dialogs, and must say the same when it is asked again."""

    def hearers(self, speaker: str, text: str, cast: Sequence[str]) -> Sequence[str] | None:
        """Who of those for whom it was meant hear what a speaker said; None is all of them."""
        ...


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Earshot:
    """By the speaker alone: `of={"Ana": ["Ben"]}` says that Ana is heard by Ben only; who is not in it, by all."""

    of: Mapping[str, tuple[str, ...]]

    def hearers(self, speaker: str, text: str, cast: Sequence[str]) -> Sequence[str] | None:
        return self.of.get(speaker)

    def check(self, cast: Sequence[str]) -> None:
        """Raises ValueError when it names somebody who is not in the cast."""
        for name in {*self.of, *(name for names in self.of.values() for name in names)}:
            if name not in cast:
                raise problem(f"who hears whom is about the cast, {', '.join(cast)}; {name!r} is not one of them", name)


def _rule(value: Any) -> Any:
    """A mapping stands for an `Earshot`. Raises ValueError for what is none, and no rule of the user's."""
    if value is None or hasattr(value, "hearers"):
        return value
    if isinstance(value, Mapping):
        content = value["Earshot"] if list(value) == ["Earshot"] else {"of": value}
        if isinstance(content, Mapping):
            return Earshot(**content)
    raise ValueError("say who hears whom, as in {Ana: [Ben]}, or give an object of yours with a method `hearers`")


HearingRule = Annotated[Hearing | None, SkipValidation(), BeforeValidator(_rule)]
