"""Which objects of a generation are too much like one that is there already."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from itertools import count
from typing import Any

from .band import Band

__all__ = ["LIKE", "Likeness", "features_of", "likeness"]

LIKE = 0.8

_SILENT = (0,)  # of what says nothing: those have that in common
_WORD = re.compile(r"\w+")


class Likeness:
    """Objects by number, to find one that a new one is near-equal to.

    Near-equal: of all words that either says, each with the attribute that it stands in, at least four fifths stand in
    both (Jaccard's measure). Case, punctuation, accents' encoding, and how often a word comes do not count; attributes
    in `ignored`, which are the same in all, do not either. So two with the same name are not near-equal as long as the
    rest differs, and two are that differ in a name or a number only.

    The answer is exact, and depends only on what was added: of several near-equal it is that with the lowest number.
    Finding it among thousands takes no longer than among a few, unless many have much in common with the new one.
    """

    def __init__(self, ignored: frozenset[str] = frozenset()) -> None:
        self._ignored = ignored
        self._numbers: dict[str, _Numbers] = defaultdict(partial(_Numbers, count(1)))  # of words, by attribute
        self._features: dict[int, tuple[int, ...]] = {}
        self._bands: dict[int, Band] = {}

    def features(self, attributes: Mapping[str, Any]) -> tuple[int, ...]:
        """What counts of an object: its words, as numbers that hold for this `Likeness` only."""
        found: set[int] = set()
        for name, value in attributes.items():
            if name not in self._ignored:
                number = self._numbers[name].__getitem__
                for text in _texts(value):
                    found.update(map(number, _words(text)))
        return tuple(sorted(found)) or _SILENT

    def near_equal(self, features: tuple[int, ...]) -> int | None:
        """The number of an object that one with these features is near-equal to; None when there is none."""
        size = len(features)
        least, most = size * 4 // 5, size * 5 // 4  # what has more or fewer has not enough in common
        near: set[int] = set()
        for kind in range(least.bit_length(), most.bit_length() + 1):
            if (band := self._bands.get(kind)) is not None:
                # Of a and b features that two have, at least 4/9 of a + b are common to them: at most 1/9 differ.
                near |= band.near(features, (size + min(most, band.largest)) // 9)
        if not near:
            return None
        own = set(features)
        return min((number for number in near if likeness(own, self._features[number]) >= LIKE), default=None)

    def add(self, number: int, features: tuple[int, ...]) -> None:
        self._features[number] = features
        kind = len(features).bit_length()
        if kind not in self._bands:
            # Somewhat more groups than can differ, so that those that are in many objects need not be looked up.
            self._bands[kind] = Band((1 << kind) // 3 + 1)
        self._bands[kind].add(number, features)


class _Numbers(dict[str, int]):
    """Numbers for words, a new one for each that was not there."""

    def __init__(self, coming: Iterator[int]) -> None:
        self._coming = coming

    def __missing__(self, word: str) -> int:
        number = self[word] = next(self._coming)
        return number


def features_of(attributes: Mapping[str, Any], ignored: frozenset[str] = frozenset()) -> frozenset[tuple[str, str]]:
    """The words of an object, each with its attribute; one that says nothing has the empty set."""
    return frozenset(
        (name, word)
        for name, value in attributes.items()
        if name not in ignored
        for text in _texts(value)
        for word in _words(text)
    )


def likeness(one: set[Any] | frozenset[Any], other: Collection[Any]) -> float:
    """The share that both have of what either has, from 0 to 1; two that say nothing are the same."""
    common = len(one.intersection(other))
    together = len(one) + len(other) - common
    return common / together if together else 1.0


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif value is not None:
        yield str(value)
