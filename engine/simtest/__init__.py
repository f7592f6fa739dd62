"""Simulation testing: the whole engine on virtual time, with seeded schedules, faults and kills; needs no pytest."""

from .campaign import verdicts
from .trial import Trial, Verdict
from .world import Broken

__all__ = ["Trial", "Verdict", "Broken", "verdicts"]
