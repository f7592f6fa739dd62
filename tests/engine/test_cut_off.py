"""Dialogs that are cut off: their subscribers have missed nothing, and a run keeps its order though it is stopped."""

from __future__ import annotations

import anyio
import pytest

from playact.actors import Agent, Persona, Scenario
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, Simulation, derive_id

pytestmark = pytest.mark.anyio

ADA = Agent(Persona(name="Ada"))
BOB = Agent(Persona(name="Bob"))
FOUR_TURNS = Scenario(cast=(ADA, BOB), max_turns=4)


async def test_a_dialog_cancelled_while_it_waits_for_a_slow_subscriber_has_told_all_there_was_to_tell() -> None:
    async with Simulation(model=ScriptedBackend()) as simulation:
        slow, quick = simulation.events(capacity=1), simulation.events()
        run = simulation.run([FOUR_TURNS])
        await anyio.wait_all_tasks_blocked()

        first = await anext(quick)
        simulation.cancel(first.dialog)
        async for dialog in run:
            assert dialog.ending is not None
            assert dialog.ending.reason == "cancelled"
        slow.close()
        quick.close()
        told, told_quickly = [record async for record in slow], [first, *[record async for record in quick]]

    assert [record.sequence for record in told] == list(range(len(told)))
    assert told_quickly == told
    assert len(dialog) == len(told) - 2 > 0


async def test_a_run_that_keeps_the_order_keeps_it_when_it_is_stopped() -> None:
    async def reply(request: CompletionRequest) -> Completion:
        if request.dialog == ids[0]:
            await anyio.sleep_forever()
        return Completion(text=f"line {request.sequence}")

    ids = [derive_id(1, "dialog", number) for number in range(3)]
    async with Simulation(model=ScriptedBackend(reply), concurrency=3, seed=1) as simulation:
        run = simulation.run([FOUR_TURNS] * 3, ordered=True)
        await anyio.wait_all_tasks_blocked()
        run.stop()
        dialogs = [dialog async for dialog in run]

    assert [dialog.id for dialog in dialogs] == ids
    assert [len(dialog) for dialog in dialogs] == [0, 4, 4]
