"""A text as names and markup are looked for in it: in one case, in one form of each sign, without invisible ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import category, normalize

__all__ = ["NOISE", "Folded", "form_of"]

# Beside white space: what may stand around a name or the word "to", such as emphasis and quotation marks.
NOISE = "*_~`\"'()<>#@=.-\u2013\u2014\u2018\u2019\u201a\u201c\u201d\u201e\u2039\u203a«»"
_ALIKE = {
    "\u3010": "[",
    "\u3011": "]",
    "\u3014": "[",
    "\u3015": "]",
    "\u2236": ":",
    "\ua789": ":",
}  # to NFKD they are not


@dataclass(frozen=True, slots=True)
class Folded:
    """`places` has where in the text each sign of the folded one comes from, and last the text's end."""

    text: str
    places: Sequence[int]

    @classmethod
    def of(cls, text: str) -> Folded:
        if text.isascii():
            return cls(text.lower(), range(len(text) + 1))
        signs = [(each, place) for place, sign in enumerate(text) for each in _folded(sign)]
        return cls("".join(each for each, _ in signs), [*(place for _, place in signs), len(text)])


def form_of(name: str) -> str:
    """What two writings of one name have in common."""
    return " ".join(Folded.of(name).text.split()).strip(NOISE + " ")


def _folded(sign: str) -> str:
    if sign.isascii():
        return sign.lower()
    if category(sign) == "Cf" or "\ufe00" <= sign <= "\ufe0f":
        return ""
    return normalize("NFKD", normalize("NFKD", _ALIKE.get(sign, sign)).casefold())
