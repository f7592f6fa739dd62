"""Looks at each reply of one agent for flaws. Most replies have none, and looking at those costs next to nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...engine.dialog import Turn
from ...engine.messages import FlawFound
from .flaw import FLAWS, Flaw, Kind
from .goodbye_loop import HINTS as _FAREWELLS
from .goodbye_loop import goodbye_loop
from .manners import Manners
from .meta_talk import HINTS as _META_TALK
from .meta_talk import meta_talk
from .role_swap import Names
from .said_again import alike, echo, is_stuttered, repetition, stutter
from .speech import plain_words

if TYPE_CHECKING:
    from ...engine.attributes import AttributeModel

__all__ = ["Watch"]

_HINTS = _META_TALK | _FAREWELLS
_EVIDENCE = 200  # signs of what shows a flaw; the turn itself has all of it
_MACHINE = re.compile(
    r"\b(?:a\.?i\.?|artificial|bot|robots?|chat ?bot|language model|llm|machine|android|automated|computer program|"
    r"virtual assistant|voice assistant|digital assistant|cyborg|droid|neural|gpt\S*|software)\b",
    re.IGNORECASE,
)


class Watch:
    """Sees the flaws of one agent's replies; keeps nothing, so that all dialogs of a scenario share one."""

    __slots__ = ("_is_machine", "_kinds", "_manners", "_name", "_names", "_persona")

    def __init__(self, name: str, others: Sequence[str], persona: AttributeModel | None, manners: Manners) -> None:
        self._name = name
        self._names = Names(name, others)
        self._persona = persona
        self._manners = manners
        self._kinds = frozenset(kind for kind in FLAWS if manners.to(kind) != "ignore")
        self._is_machine: bool | None = None

    @classmethod
    def over(cls, name: str, others: Sequence[str], persona: AttributeModel | None, manners: Manners) -> Watch | None:
        """None where there is nothing to look for."""
        watch = cls(name, others, persona, manners)
        return watch if watch._kinds else None

    def flaws_in(self, text: str, turns: Sequence[Turn]) -> Sequence[Flaw]:
        """The flaws of a reply to these turns, of each kind one at the most. Takes time linear in the text's length."""
        found: list[tuple[Kind, str | None]] = []
        spoken = plain_words(text)
        has_brackets = "[" in text or "(" in text or "*" in text or "{" in text
        if has_brackets or not _HINTS.isdisjoint(spoken):
            hints = _META_TALK.intersection(spoken)
            if hints or has_brackets:
                machine = self._speaks_as_machine
                found.append(("meta_talk", meta_talk(text, hints, has_brackets=has_brackets, is_machine=machine)))
            if not _FAREWELLS.isdisjoint(spoken):
                found.append(("goodbye_loop", goodbye_loop(text, self._name, turns)))
        if self._names.are_near(text):
            found.append(("role_swap", self._names.role_swap(text)))
        if near := alike(text, turns):
            found.append(("echo", echo(text, self._name, turns, near)))
            found.append(("repetition", repetition(text, self._name, turns, near)))
        if is_stuttered(text):
            found.append(("repetition", stutter(text)))
        if not found:
            return ()
        seen = {kind: words for kind, words in found if words is not None and kind in self._kinds}
        return [Flaw(kind, words) for kind, words in seen.items()]

    def retries(self, flaws: Sequence[Flaw], retries: int) -> bool:
        """Whether the reply is to be asked for again, after so many times."""
        return retries < self._manners.retries and any(self._manners.to(flaw.kind) == "retry" for flaw in flaws)

    def notes(self, flaws: Sequence[Flaw], text: str, *, is_retried: bool) -> list[FlawFound]:
        """What the dialog keeps of it."""
        notes = []
        for flaw in flaws:
            is_end = self._manners.to(flaw.kind) == "end"
            outcome = "retried" if is_retried else "ended" if is_end else "recorded"
            evidence = flaw.evidence[:_EVIDENCE]
            notes.append(FlawFound(self._name, flaw.kind, evidence, outcome, text if is_retried else ""))
        return notes

    @property
    def _speaks_as_machine(self) -> bool:
        if self._is_machine is None:
            said = " ".join(map(str, self._persona.fields().values())) if self._persona is not None else ""
            self._is_machine = _MACHINE.search(f"{self._name} {said}") is not None
        return self._is_machine
