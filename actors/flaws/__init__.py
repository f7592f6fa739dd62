"""What gives away that no person speaks: seen in the words alone, recorded unless said otherwise."""

from .flaw import FLAWS, Flaw
from .manners import Manners
from .watch import Watch

__all__ = ["FLAWS", "Flaw", "Manners", "Watch"]
