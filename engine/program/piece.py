"""One dialog of a run as it is to be played: from its first word, or from where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..journal.journal import Diary
from .past import Past

if TYPE_CHECKING:
    from ..performance import Playable

__all__ = ["Piece"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A scenario to be played, and the number of its dialog, which decides its id and its seed.

    past: where the dialog stands already. diary: that of a dialog which has begun in this very session.
    """

    scenario: Playable
    number: int
    past: Past | None = None
    diary: Diary | None = None
