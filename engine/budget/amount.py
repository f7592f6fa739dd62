"""What calls cost: how many they are, their tokens, and money in whole picodollars, so that sums are exact."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Amount", "NOTHING", "PICODOLLARS"]

PICODOLLARS = 10**12  # in one US dollar


class Amount(NamedTuple):
    """Adds and subtracts by component."""

    calls: int = 0
    tokens: int = 0
    picodollars: int = 0

    def __add__(self, other: Amount) -> Amount:  # type: ignore[override]  # tuples would be joined
        return Amount(self[0] + other[0], self[1] + other[1], self[2] + other[2])

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self[0] - other[0], self[1] - other[1], self[2] - other[2])


NOTHING = Amount()
