"""In an order that is written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ...engine.dialog import Dialog
from ..problem import problem
from .turn_policy import CHECKED

__all__ = ["ScriptedOrder"]


@dataclass(frozen=True, config=CHECKED)
class ScriptedOrder:
    """One name for each turn. After the last it begins again, or, without `repeats`, the dialog is over."""

    order: Annotated[tuple[str, ...], Field(min_length=1)]
    repeats: bool = True

    def next_speaker(self, cast: Sequence[str], dialog: Dialog) -> int | None:
        turn = len(dialog)
        if turn >= len(self.order) and not self.repeats:
            return None
        return cast.index(self.order[turn % len(self.order)])

    def check(self, cast: Sequence[str]) -> None:
        for place, name in enumerate(self.order):
            if name not in cast:
                told = f"ScriptedOrder names {name!r}, who is not in the cast: {', '.join(cast)}"
                raise problem(told, "ScriptedOrder", "order", place)
