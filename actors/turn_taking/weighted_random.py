"""By chance, some more often than others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ...engine.dialog import Dialog
from ...engine.seeds import generator
from ..problem import problem
from .turn_policy import CHECKED

__all__ = ["WeightedRandom"]

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, config=CHECKED)
class WeightedRandom:
    """Draws the next speaker by the dialog's seed and the number of the turn, and by nothing else.

    weights: by name; who is not named has 1, who has 0 never speaks.
    may_repeat: whether somebody may be drawn twice running.
    """

    weights: Mapping[str, Weight] = field(default_factory=dict)
    may_repeat: bool = False

    def next_speaker(self, cast: Sequence[str], dialog: Dialog) -> int:
        last = dialog.turns[-1].speaker if dialog.turns and not self.may_repeat else None
        weights = [0.0 if name == last else self.weights.get(name, 1.0) for name in cast]
        drawing = generator(dialog.seed or 0, "turn policy", len(dialog))
        return drawing.choices(range(len(cast)), weights)[0]

    def check(self, cast: Sequence[str]) -> None:
        for name in self.weights:
            if name not in cast:
                told = f"WeightedRandom weighs {name!r}, who is not in the cast: {', '.join(cast)}"
                raise problem(told, "WeightedRandom", "weights", name)
        speaking = [name for name in cast if self.weights.get(name, 1.0)]
        if len(speaking) < (1 if self.may_repeat else 2):
            raise ValueError("WeightedRandom leaves nobody to speak next: give more of the cast a weight above 0")
