"""Which of several lists' entries come together: each list is gone through in turn, and every combination comes."""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm, prod

__all__ = ["combination", "combinations"]


def combination(sizes: Sequence[int], number: int) -> tuple[int, ...]:
    """A place in each list, of lists with so many entries, for the dialog of this number.

    Neighbours differ in all lists that have more than one entry, so a few dialogs already use much of each list; and
    the first `combinations(sizes)` are all different.
    """
    places: list[int] = []
    period = 1  # after so many, what was chosen from the lists so far comes again
    for size in sizes:
        # Where both come round together, this list is shifted by one; else some combinations would never come.
        shift = number % (period * size) // lcm(period, size)
        places.append((number + shift) % size)
        period *= size
    return tuple(places)


def combinations(sizes: Sequence[int]) -> int:
    """How many there are."""
    return prod(sizes)
