"""A law: whatever fails, and however often, a population comes out exactly, or what is short is told to the number."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from playact.actors import Persona
from playact.actors.generators import PersonaGenerator
from playact.actors.playbill import Playbill
from playact.actors.playbill.casting import Casting
from playact.engine import CompletionRequest, Simulation
from playact.engine.errors import BackendRefused, GenerationIncomplete, SetupError
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


async def test_quotas_of_a_scenario_file_are_exact_or_the_file_is_refused_with_how_many_there_are(
    tmp_path: Path,
) -> None:
    file = tmp_path / "play.yaml"
    short = exact = 0
    for seed in SEEDS:
        luck = Random(seed)
        counts = [luck.randint(1, 6) for _ in range(luck.randint(1, 5))]
        rate, hopeless = luck.uniform(0, 0.4), luck.random() < 0.3
        rows = ", ".join(f"{{role: role {place}, count: {count}}}" for place, count in enumerate(counts))
        file.write_text(
            "cast: [{persona: {generate: {generated_attributes: [name], max_attempts: 4, "
            f"population: [{rows}]}}}}}}, {{name: Bob}}]",
            encoding="utf-8",
        )
        model = Filling(partial(spoiled, seed, rate, hopeless))
        casting = Casting(playbill=Playbill.from_file(file), dialogs=1, seed=seed, model=model)

        refusal, filled = "", None
        try:
            filled = await casting.filled()
        except SetupError as error:
            refusal = str(error)

        if filled is None:
            told = re.match(r"cast\[0\]: (\d+) of (\d+) were generated: .", refusal)
            assert told is not None, refusal
            assert int(told[1]) < int(told[2]) == sum(counts)
        else:
            people = [each.cast[0].persona for each in filled.scenarios(sum(counts))]
            got = Counter(person.role for person in people if isinstance(person, Persona))
            assert got == {f"role {place}": count for place, count in enumerate(counts)}
        short, exact = short + (filled is None), exact + (filled is not None)
    assert short > 3
    assert exact > 10
