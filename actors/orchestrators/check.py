"""How a plan's step is known to be done."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from ...engine.dialog import Turn
from .rule import Pattern, Texts, holds, several

__all__ = ["Check"]


class Check(BaseModel):
    """Exactly one of four ways to tell that a step is done.

    pattern: a regular expression that is searched in a turn, whatever the case.
    keywords: words or phrases, of which a turn has one at least, whatever the case.
    predicate: a function of a turn's text.
    question: put to a model, with what was said since the step before; answered by yes or no.
    by: whose turns count, those of the agent, of the others, or of anyone. A question is shown them all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: Pattern | None = None
    keywords: Texts = ()
    predicate: Callable[[str], bool] | None = None
    question: str | None = None
    by: Literal["agent", "others", "anyone"] = "agent"

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        ways = (self.pattern is not None, bool(self.keywords), self.predicate is not None, bool(self.question))
        if sum(ways) != 1:
            raise ValueError("a check is exactly one of pattern, keywords, predicate and question")
        return self

    def first(self, turns: Sequence[Turn], begin: int, agent: str) -> int | None:
        """The place of the first turn from `begin` on that satisfies it; None where there is none, or a model must say.

        Raises what `predicate` raises.
        """
        for place in range(begin, len(turns)):
            turn = turns[place]
            if self._counts(turn, agent) and self._holds(turn.text):
                return place
        return None

    def _counts(self, turn: Turn, agent: str) -> bool:
        return self.by == "anyone" or (turn.speaker == agent) == (self.by == "agent")

    def _holds(self, text: str) -> bool:
        if self.predicate is not None:
            return bool(self.predicate(text))
        if self.pattern is not None:
            return holds(self.pattern, text)
        return any(
            re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in several(self.keywords)
        )
