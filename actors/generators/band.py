"""Objects that have about as many features as each other, to find those that differ in few of them."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Band"]


class Band:
    """Objects by number; what they have is told in features, which are numbers too.

    Each feature belongs to one of `groups`. A feature that one of two objects has and the other has not makes them
    differ in one group only, so two that differ in at most d features have one at least of any d + 1 groups the same:
    it is enough to look at those that share one of the d + 1 rarest. As a rule nothing else shares these, so this takes
    no longer when there are more objects.
    """

    __slots__ = ("_first", "_groups", "_others", "largest")

    def __init__(self, groups: int) -> None:
        self.largest = 0  # features of one object
        self._groups = groups
        # Who has a group just so, by a sum over it: other groups with the same sum only make it look at more.
        self._first: dict[int, int] = {}
        self._others: dict[int, list[int]] = {}

    def add(self, number: int, features: Sequence[int]) -> None:
        """`features` in rising order."""
        self.largest = max(self.largest, len(features))
        for group in self._grouped(features):
            if self._first.setdefault(group, number) != number:
                self._others.setdefault(group, []).append(number)

    def near(self, features: Sequence[int], most: int) -> set[int]:
        """Objects among which are all those that differ in at most `most` features, fewer than there are groups."""
        shared = [group for group in self._grouped(features) if group in self._first]
        wanted = most + 1 - (self._groups - len(shared))  # the others are the rarest: nothing has them
        if wanted <= 0:
            return set()
        near: set[int] = set()
        for group in sorted(shared, key=self._how_many)[:wanted]:
            near.add(self._first[group])
            near.update(self._others.get(group, ()))
        return near

    def _how_many(self, group: int) -> int:
        return 1 + len(self._others.get(group, ()))

    def _grouped(self, features: Sequence[int]) -> list[int]:
        groups = list(range(self._groups))
        for feature in features:
            groups[feature % self._groups] += feature * feature
        return groups
