"""A law: whatever fails, and however often, a population comes out exactly, or what is short is told to the number."""

from __future__ import annotations

from collections import Counter
from functools import partial
from random import Random
from typing import Any

import pytest

from playact.actors import Persona
from playact.actors.generators import PersonaGenerator
from playact.engine import CompletionRequest, Simulation
from playact.engine.errors import BackendRefused, GenerationIncomplete
from playact.engine.failures import FailurePolicy
from playact.engine.seeds import generator

from .filling import Filling

pytestmark = pytest.mark.anyio

SEEDS = range(40)


def spoiled(seed: int, rate: float, hopeless: bool, request: CompletionRequest, said: dict[str, Any]) -> Any:
    """So many are refused, some are no JSON, and where it is `hopeless` one role never is."""
    draw = generator(request.seed or 0, "spoils", seed)
    if draw.random() < rate:
        raise BackendRefused("scripted", "400: not this one")
    is_never = hopeless and "role 0" in repr(request.messages)
    return "no JSON" if is_never or draw.random() < rate / 4 else said


async def test_quotas_are_exact_or_the_shortage_is_told_cell_by_cell() -> None:
    short = exact = 0
    for seed in SEEDS:
        luck = Random(seed)
        counts = [luck.randint(1, 6) for _ in range(luck.randint(1, 5))]
        rate, hopeless = luck.uniform(0, 0.6), luck.random() < 0.3
        table = [{"role": f"role {place}", "count": count} for place, count in enumerate(counts)]

        spoils = partial(spoiled, seed, rate, hopeless)
        people = PersonaGenerator(Persona, ["name"])
        failures = FailurePolicy(stop_share=None, salvage=False)
        async with Simulation(model=Filling(spoils), seed=seed, failures=failures) as simulation:
            try:
                made = await people.generate(None, population=table, simulation=simulation, seed=seed, max_attempts=4)
                missing: dict[str, int] = {}
            except GenerationIncomplete as error:
                made = [person for person in error.made if isinstance(person, Persona)]
                missing = dict(error.short)

        got = Counter(person.role for person in made)
        for place, count in enumerate(counts):
            named = sum(number for name, number in missing.items() if f"role {place}" in name)
            assert got[f"role {place}"] + named == count, (seed, got, missing)
        assert len(made) + sum(missing.values()) == sum(counts)
        assert len({person.name for person in made}) == len(made)
        short, exact = short + bool(missing), exact + (not missing)
    assert short > 3
    assert exact > 10
