"""Everyone in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...engine.dialog import Dialog

__all__ = ["RoundRobin", "after_last"]


@dataclass(frozen=True)
class RoundRobin:
    """Everyone in turn, in the order of the cast."""

    def next_speaker(self, cast: Sequence[str], dialog: Dialog) -> int:
        return len(dialog) % len(cast)


RoundRobin.__module__ = "playact.actors.stage"  # where it was: journals name it so


def after_last(cast: Sequence[str], dialog: Dialog) -> int:
    """Who comes after the last speaker in the cast, whatever the order was before; the first of all at the beginning.

    Where others than the cast's order decided about earlier turns, `RoundRobin` may give the floor to who just had it.
    """
    last = dialog.turns[-1].speaker if dialog.turns else None
    return (cast.index(last) + 1) % len(cast) if last in cast else 0
