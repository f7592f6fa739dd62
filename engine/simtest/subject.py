"""What is tried: scenarios, and what thinks in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..completion import Backend
from ..errors import SetupError
from ..performance import Playable
from ..program.plan import scenario_of

__all__ = ["Subject"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """scenarios: the dialogs of a run take them in turn, from one on that the seed decides.

    backend: what any model stands for, made anew for each run, from the trial's seed.
    code: functions and classes that the scenarios use, as `Simulation.resume` wants them. Where it lacks some, runs are
    resumed by giving the scenarios again, and are not replayed.
    """

    scenarios: Sequence[Playable]
    backend: Callable[[int], Backend]
    code: Sequence[object] = ()

    @cached_property
    def is_self_contained(self) -> bool:
        """Whether a journal and `code` are enough to make the scenarios again."""
        try:
            for scenario in self.scenarios:
                scenario_of({**scenario.recipe(), "seed": scenario.seed}, self.code)
        except SetupError:  # code that is missing, or goes by the same name as other code
            return False
        return True
