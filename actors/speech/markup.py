"""A turn as its speaker writes it, taken apart: *does it*, [to Bob: tells him], [thought: keeps it].

Only what was declared is taken for markup; all else stays speech.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ...engine.said import ACTION, SPEECH, Said

__all__ = ["Markup"]

_ALL = frozenset(("all", "everyone", "everybody"))


class Markup:
    """Reads the turns of one speaker.

    channels: those that were declared. confidants: to whom asides may go, None where there are none at all.

    An aside to somebody else than those is heard by nobody, and one that is not closed, or closed behind the names,
    goes to the end: what was meant for few never becomes public by a slip.
    """

    def __init__(self, channels: Collection[str], confidants: Sequence[str] | None) -> None:
        names = [name for name in channels if name != SPEECH]
        forms = []
        if ACTION in channels:
            forms.append(r"(?<![\w*])\*(?P<action>[^\s*](?:[^*\n]*[^\s*])?)\*(?![\w*])")
        if names:
            forms.append(rf"\[\s*(?P<channel>{'|'.join(map(re.escape, names))})\s*:")
        self._confidants = confidants or ()
        if self._confidants:
            one = "|".join(sorted({re.escape(form) for name in self._confidants for form in self._forms(name)}))
            forms.append(rf"\[\s*to\s+(?P<bare>(?:{one})(?:(?:\s*[,&]\s*|\s+and\s+)(?:{one}))*)\s*\]\s*:?")
        if confidants is not None:
            forms.append(rf"\[\s*to\s+(?P<names>(?:{_odd(confidants)}[^\[\]:\n])+):")
        self._form = re.compile("|".join(forms) or r"(?!)", re.IGNORECASE)

    def parts(self, text: str) -> list[Said]:
        """In order, without empty ones. Who hears the parts of a channel other than speech is not said yet."""
        parts: list[Said] = []
        place = 0
        while (found := self._form.search(text, place)) is not None:
            parts.append(Said(SPEECH, text[place : found.start()]))
            groups = found.groupdict()
            if action := groups.get("action"):
                parts.append(Said(ACTION, action))
                place = found.end()
                continue
            end = len(text) if groups.get("bare") else _closing(text, found.end())
            words, place = text[found.end() : end], end + 1
            if names := groups.get("names") or groups.get("bare"):
                parts.append(Said(SPEECH, words, self._hearers(names)))
            else:
                parts.append(Said(groups["channel"].lower(), words))
        parts.append(Said(SPEECH, text[place:]))
        return [part._replace(text=part.text.strip()) for part in parts if part.text.strip()]

    def hearers(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those confidants whom the names mean: whole names in any case, or first names that only one has.

        Where two differ in case alone, it is who is written so.
        """
        found: set[str] = set()
        for wanted in (name.strip() for name in names):
            meant = [name for name in self._confidants if wanted.casefold() in self._forms(name)]
            found.update([wanted] if wanted in meant else meant)
        return tuple(name for name in self._confidants if name in found)

    def _hearers(self, names: str) -> tuple[str, ...] | None:
        if names.strip().casefold() in _ALL:
            return None
        several = re.split(r",|&|\band\b", re.sub(r"\bonly\s*$", "", names.strip(), flags=re.IGNORECASE))
        return self.hearers([names]) or self.hearers(several)  # a name may have an "and" in it

    def _forms(self, name: str) -> set[str]:
        first = name.split()[0].casefold() if name.split() else ""
        same = [other for other in self._confidants if other.split() and other.split()[0].casefold() == first]
        return {name.casefold(), first} if len(same) == 1 else {name.casefold()}


def _odd(names: Sequence[str]) -> str:
    """Names with signs in them that end a name as a rule, for a pattern."""
    return "".join(f"{re.escape(name)}|" for name in names if re.search(r"[\[\]:\n]", name))


def _closing(text: str, place: int) -> int:
    """Where the bracket closes that was opened before `place`; the end of the text where it does not."""
    depth = 1
    for at in range(place, len(text)):
        depth += {"[": 1, "]": -1}.get(text[at], 0)
        if not depth:
            return at
    return len(text)
