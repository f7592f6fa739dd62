"""Which objects of a generation are too much like one that is there already."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

__all__ = ["LIKE", "Likeness", "features_of", "likeness"]

LIKE = 0.8

_NONE: list[int] = []
_SILENT = frozenset(("",))  # of what says nothing: those have that in common
_WORD = re.compile(r"\w+")


class Likeness:
    """Objects by number, to find one that a new one is near-equal to.

    Near-equal: of all words that either says, each with the attribute that it stands in, at least a share of
    `threshold` stand in both (Jaccard's measure). Case, punctuation, accents' encoding, and how often a word comes do
    not count; attributes in `ignored`, which are the same in all, do not either. So two with the same name are not
    near-equal as long as the rest differs, and two are that differ in a name or a number only.

    The answer is exact, and depends only on what was added: of several near-equal it is that with the lowest number.
    """

    def __init__(self, ignored: frozenset[str] = frozenset(), *, threshold: float = LIKE) -> None:
        self._ignored = ignored
        self._threshold = threshold
        self._features: dict[int, frozenset[str]] = {}  # by number, in the order of adding
        self._having: dict[str, list[int]] = defaultdict(list)

    def features(self, attributes: Mapping[str, Any]) -> frozenset[str]:
        """What counts of an object."""
        return features_of(attributes, self._ignored) or _SILENT

    def near_equal(self, features: frozenset[str]) -> int | None:
        """The number of an object that one with these features is near-equal to; None when there is none."""
        # What has a share of `threshold` of its features in common with another has one of any so many of them; so it
        # is enough to look at those that have one of the rarest.
        enough = len(features) - ceil(self._threshold * len(features)) + 1
        lists = sorted((self._having.get(feature, _NONE) for feature in features), key=len)[:enough]
        alike = (n for n in set().union(*lists) if likeness(features, self._features[n]) >= self._threshold)
        return min(alike, default=None)

    def add(self, number: int, features: frozenset[str]) -> None:
        self._features[number] = features
        for feature in features:
            self._having[feature].append(number)


def features_of(attributes: Mapping[str, Any], ignored: frozenset[str] = frozenset()) -> frozenset[str]:
    """The words of an object, each with its attribute; one that says nothing has the empty set."""
    return frozenset(
        f"{name} {word}"
        for name, value in attributes.items()
        if name not in ignored
        for text in _texts(value)
        for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    )


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """The share that both have of what either has, from 0 to 1; two that say nothing are the same."""
    common = len(one & other)
    together = len(one) + len(other) - common
    return common / together if together else 1.0


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif value is not None:
        yield str(value)
