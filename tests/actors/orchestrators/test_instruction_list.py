"""Each of the agent's own turns has its instruction, whoever speaks between them."""

from __future__ import annotations

from typing import Any

import pytest

from playact.actors import Agent, Persona, Scenario
from playact.actors.orchestrators import InstructionListOrchestrator
from playact.engine import Simulation

from .rehearsal import ADA, BOB, contents, model, rehearsed

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("instructions", "given"),
    [
        (["One.", "Two."], [["One."], ["Two."], []]),
        (["One.", None, "Three."], [["One."], [], ["Three."]]),
        ({0: "One.", 2: "Three."}, [["One."], [], ["Three."]]),
        ([], [[], [], []]),
    ],
)
async def test_the_number_of_own_turns_chooses(instructions: Any, given: list[list[str]]) -> None:
    _, heard = await rehearsed(InstructionListOrchestrator(instructions))

    assert heard.instructions == given


async def test_persistent_instructions_gather() -> None:
    _, heard = await rehearsed(InstructionListOrchestrator(["One.", "Two."], persistent=True))

    assert heard.instructions == [["One."], ["One.", "Two."], ["One.", "Two."]]


async def test_with_three_at_the_table_own_turns_count_only() -> None:
    cem = Agent(Persona(name="Cem")) | InstructionListOrchestrator(["One.", "Two."])
    async with Simulation(model=model(), seed=1) as simulation:
        dialog = await simulation.play(Scenario(cast=(ADA, BOB, cem), max_turns=9))

    assert contents(dialog, "instruct") == ["One.", "Two."]
