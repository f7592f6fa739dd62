"""Whom the head of an aside means: the names between "[to" and the colon, or the bracket that closes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from unicodedata import normalize

from .folded import NOISE, Folded, form_of

__all__ = ["Addressees", "Head"]

_ALL = frozenset(("all", "everyone", "everybody"))
_BE = ("honest", "fair", "frank", "sure", "clear", "exact", "precise", "blunt", "brief", "safe", "continued")
_PHRASES = frozenset((*(f"be {how}" for how in _BE), "begin with", "start with", "conclude", "sum up", "wit"))
_AROUND = rf"[\s{re.escape(NOISE)}]*+"
_BETWEEN = r"[,;&/+|、]|\b(?:and|or)\b"
_around = re.compile(_AROUND)
_between = re.compile(_BETWEEN)
_other = re.compile(rf"(?:(?!{_BETWEEN})[^:\[\]])++")
_opening = re.compile(rf"{_AROUND}:?{_AROUND}")
_behind = re.compile(r"\s*+:?")


class Head(NamedTuple):
    """Of an aside, read up to `end` in the folded text.

    hearers: None for all, () for nobody.
    has_words_inside: whether the aside's words stand before the closing bracket; else it is all that follows.
    is_clear: whether it is written as the head of an aside, whoever is named in it.
    """

    end: int
    hearers: tuple[str, ...] | None
    has_words_inside: bool = False
    is_clear: bool = True


class Addressees:
    """Those of a cast to whom one speaker may whisper, its confidants.

    A name means who has it as a whole, in any case, or else the only one of the cast, speaker included, whose first
    name it is. Only then are "all", "everyone" and "everybody" what they say. Where two names differ in case alone, it
    is who is written so. Whoever is meant and is no confidant does not hear it, nor does anybody in his stead.
    """

    def __init__(self, confidants: Sequence[str], cast: Sequence[str]) -> None:
        self._confidants = tuple(confidants)
        self._forms: dict[str, list[str]] = {}
        firsts: dict[str, list[str]] = {}
        for name in dict.fromkeys((*cast, *confidants)):
            if form := form_of(name):
                self._forms.setdefault(form, []).append(name)
                firsts.setdefault(form_of(form.split()[0].rstrip(":,;")), []).append(name)
        for first, names in firsts.items():
            if first and len(names) == 1:
                self._forms.setdefault(first, names)
        forms = sorted(self._forms, key=len, reverse=True)
        one = "|".join(re.escape(form).replace(r"\ ", r"\s+") for form in forms) or r"(?!)"
        self._name = re.compile(rf"(?P<name>{one}){_AROUND}(?:only\b{_AROUND})?+(?={_BETWEEN}|[:\[\]]|$)")

    def hearers(self, names: Iterable[str]) -> tuple[str, ...]:
        """The confidants whom the names mean."""
        found = {name for wanted in names for name in self._meant(wanted)}
        return tuple(name for name in self._confidants if name in found)

    def head(self, text: str, folded: Folded, at: int) -> Head | None:
        """What stands behind "[to", from `at` in the folded text; None where it is a phrase, as [to be honest] is."""
        signs, names = folded.text, list[str]()
        first = at = _past(_opening, signs, at)
        while True:
            at = _past(_around, signs, at)
            if found := self._name.match(signs, at):
                names.append(text[folded.places[at] : folded.places[found.end("name")]])
            elif not (found := _between.match(signs, at) or _other.match(signs, at)):
                break
            at = found.end()
        words = re.sub(r"\s+only$", "", form_of(signs[first:at]))
        hearers = None if words in _ALL and words not in self._forms else self.hearers(names)
        if signs[at : at + 1] == ":":
            return Head(at + 1, hearers, has_words_inside=True)
        if signs[at : at + 1] != "]":
            return Head(at, (), is_clear=False)
        if not names and words in _PHRASES:
            return None
        return Head(_past(_behind, signs, at + 1), hearers, is_clear=hearers != ())

    def _meant(self, wanted: str) -> Sequence[str]:
        meant = self._forms.get(form_of(wanted), ())
        return [name for name in meant if normalize("NFC", name) == normalize("NFC", wanted.strip())] or meant


def _past(pattern: re.Pattern[str], signs: str, at: int) -> int:
    found = pattern.match(signs, at)
    return at if found is None else found.end()
