"""What is said when objects are generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from ...engine.budget import Budget
from ...engine.budget.prices import Prices
from ...engine.completion import Backend
from ...engine.simulation import Simulation
from .commission import Repeats
from .population import Population

__all__ = ["GenerateOptions", "RunOptions"]


class RunOptions(TypedDict, total=False):
    """Which objects there are to be, and what makes them.

    population: which attributes how many objects are to have; with counts it says how many there are, too.
    repeats: "avoid" (unless only rules decide), "refuse" or "allow"; see `Commission`.
    simulation: the run to play in; else there is one of its own, with `model`, `concurrency`, `budget`, `prices` and
        `journal`.
    """

    population: Population | Sequence[Mapping[str, Any]] | Mapping[str, Any] | None
    repeats: Repeats | None
    simulation: Simulation | None
    model: str | Backend | None
    concurrency: int | None
    budget: Budget | None
    prices: Prices | str | Path | None
    journal: str | Path | None


class GenerateOptions(RunOptions, total=False):
    """How objects are generated.

    temperature: of the model, for this generation. seed: decides all choices; without one the run's seed does.
    id, parent_id, notes: for the metadata; an id for one object only.
    max_attempts: how often an attribute is asked for, and how often an object is made that fails or repeats another.
    """

    temperature: float | None
    seed: int | None
    id: int | str | None
    parent_id: int | str | None
    notes: str | None
    max_attempts: int
