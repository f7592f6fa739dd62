"""Personas of the packaged model, real: 135 million parameters, and all of them valid."""

from __future__ import annotations

import pytest

from playact.actors import Persona
from playact.actors.generators import PersonaGenerator
from playact.backends.embedded import EmbeddedBackend

pytestmark = [pytest.mark.asyncio, pytest.mark.engine, pytest.mark.timeout(300)]


async def test_fifty_personas_of_the_packaged_model_are_all_valid_and_in_their_quotas() -> None:
    generator = PersonaGenerator(Persona, ["name", "role", "personality", "background"])
    generator.set(age="{20-70}")
    population = [{"gender": "female", "weight": 0.6}, {"gender": "male", "weight": 0.4}]
    model = EmbeddedBackend(slots=16, context_tokens=768)

    async with generator.stream(50, model=model, population=population, seed=1) as generation:
        personas = [persona async for persona in generation]

    assert len(personas) == 50
    assert all(p.name and p.role and p.personality and p.background and 20 <= int(p.age or 0) <= 70 for p in personas)
    assert sum(persona.gender == "female" for persona in personas) == 30
    assert generation.report.uniqueness == 1.0
