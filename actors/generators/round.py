"""One round of a generation: objects that are made at the same time, and what comes of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...engine.dialog import Dialog
from .commission import Commission
from .making import Making

__all__ = ["Again", "Round"]

_NAMED = 3  # so many of those that an object was too much like are named to the model


@dataclass(frozen=True, slots=True)
class Again:
    """An object that is to be made again. `seed` is that of its first time."""

    index: int
    seed: int
    unlike: tuple[Mapping[str, Any], ...]


class Round:
    """Objects that are made at the same time; `begin` is the number of the first one's dialog in the run."""

    def __init__(self, makings: Sequence[Making], variant: int, earlier: Sequence[Again] = ()) -> None:
        self.makings = makings
        self.variant = variant
        self.begin = 0
        self.places: dict[str, int] = {}  # by the dialog's id
        self.outcomes: dict[int, Dialog] = {}
        self.next = 0
        self.again: list[Again] = []
        self._earlier = earlier

    @classmethod
    def first(cls, commission: Commission) -> Round:
        return cls(commission.makings(), 0)

    def following(self, commission: Commission) -> Round:
        variant = self.variant + 1
        makings = [commission.again(each.index, each.seed, variant, each.unlike) for each in self.again]
        return Round(makings, variant, tuple(self.again))

    def index(self, place: int) -> int:
        return self._earlier[place].index if self._earlier else place

    def _unlike(self, place: int) -> tuple[Mapping[str, Any], ...]:
        return self._earlier[place].unlike if self._earlier else ()

    def once_more(self, place: int, seed: int, *unlike: Mapping[str, Any]) -> None:
        """An object comes again in the next round; `seed` is that of its dialog, `unlike` what it was too much like."""
        first = self._earlier[place].seed if self._earlier else seed
        self.again.append(Again(self.index(place), first, (*self._unlike(place), *unlike)[-_NAMED:]))
