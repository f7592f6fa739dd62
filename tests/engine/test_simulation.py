"""A simulation plays many dialogs, hands them out as they finish, and leaves nothing behind."""

from __future__ import annotations

import gc
import itertools
from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from playact.actors import Agent, Persona, Scenario
from playact.backends.faults import Latency
from playact.backends.scripted import ScriptedBackend
from playact.engine import (
    CompletionRequest,
    Dialog,
    DialogEnded,
    DialogStarted,
    Simulation,
    Uttered,
    derive_id,
)
from playact.engine.digest import DatasetDigest
from playact.engine.errors import BackendRefused, SetupError, SimulationClosed, UnknownBackend

pytestmark = pytest.mark.anyio

ADA = Agent(Persona(name="Ada"))
BOB = Agent(Persona(name="Bob"))
FOUR_TURNS = Scenario(cast=(ADA, BOB), max_turns=4)


def numbered(request: CompletionRequest) -> str:
    return f"This is line {request.sequence}."


async def test_every_scenario_becomes_a_dialog() -> None:
    async with Simulation(model=ScriptedBackend(numbered), concurrency=7) as simulation:
        dialogs = [dialog async for dialog in simulation.run([FOUR_TURNS] * 30)]

    assert len({dialog.id for dialog in dialogs}) == 30
    assert {str(dialog) for dialog in dialogs} == {
        "Ada: This is line 0.\nBob: This is line 1.\nAda: This is line 2.\nBob: This is line 3."
    }


async def test_dialogs_come_as_they_finish_not_as_they_began() -> None:
    lengths = [9, 1, 5]
    scenarios = [Scenario(cast=(ADA, BOB), max_turns=turns) for turns in lengths]
    async with Simulation(model=ScriptedBackend(numbered)) as simulation:
        finished = [len(dialog) async for dialog in simulation.run(scenarios)]

    assert finished == sorted(lengths)


async def test_the_concurrency_is_never_exceeded() -> None:
    backend = ScriptedBackend(numbered, latency=Latency(0.001))
    async with Simulation(model=backend, concurrency=5) as simulation:
        async for _ in simulation.run([FOUR_TURNS] * 40):
            assert simulation.statistics().live <= 5

    assert backend.statistics()["most_in_flight"] <= 5


async def test_the_in_flight_limit_of_a_backend_is_never_exceeded() -> None:
    backend = ScriptedBackend(numbered, latency=Latency(0.001), in_flight=3)
    async with Simulation(model=backend, concurrency=50) as simulation:
        dialogs = [dialog async for dialog in simulation.run([FOUR_TURNS] * 50)]

    assert len(dialogs) == 50
    assert backend.statistics()["most_in_flight"] == 3


async def test_an_endless_source_is_read_only_as_dialogs_are_taken() -> None:
    read = 0

    def endless() -> Iterator[Scenario]:
        nonlocal read
        while True:
            read += 1
            yield FOUR_TURNS

    async with Simulation(model=ScriptedBackend(numbered), concurrency=8) as simulation:
        taken = 0
        async for _ in simulation.run(endless()):
            taken += 1
            assert read <= taken + 8 + 1
            if taken == 200:
                break

    assert taken == 200


async def test_a_source_may_be_asynchronous() -> None:
    async def source() -> AsyncIterator[Scenario]:
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
            yield FOUR_TURNS

    async with Simulation(model=ScriptedBackend(numbered)) as simulation:
        assert len([dialog async for dialog in simulation.run(source())]) == 5


async def test_what_the_source_raises_comes_after_the_dialogs_already_begun() -> None:
    def broken() -> Iterator[Scenario]:
        yield FOUR_TURNS
        yield FOUR_TURNS
        raise ZeroDivisionError("no more")

    dialogs = []
    async with Simulation(model=ScriptedBackend(numbered)) as simulation:
        with pytest.raises(ZeroDivisionError, match="no more"):
            async for dialog in simulation.run(broken()):
                dialogs.append(dialog)  # a comprehension would lose them when it raises

    assert len(dialogs) == 2


async def test_a_dialog_that_is_cancelled_before_its_first_step_is_handed_out_as_cancelled() -> None:
    def source() -> Iterator[Scenario]:
        yield FOUR_TURNS
        assert simulation.cancel(derive_id(7, "dialog", 0))
        yield FOUR_TURNS

    async with Simulation(model=ScriptedBackend(numbered), seed=7) as simulation:
        ends = [dialog.ending.reason async for dialog in simulation.run(source()) if dialog.ending]
        assert simulation.statistics().live == 0

    assert sorted(ends) == ["cancelled", "turn_limit"]


async def test_an_empty_source_gives_nothing() -> None:
    async with Simulation(model=ScriptedBackend(numbered)) as simulation:
        assert [dialog async for dialog in simulation.run([])] == []


async def test_a_run_may_be_left_at_any_time_and_another_begun() -> None:
    async with Simulation(model=ScriptedBackend(numbered), concurrency=4) as simulation:
        async with simulation.run(itertools.repeat(FOUR_TURNS)) as run:
            async for _ in run:
                break
        assert simulation.statistics().live == 0

        assert len([dialog async for dialog in simulation.run([FOUR_TURNS] * 9)]) == 9


async def test_leaving_the_simulation_cancels_what_is_live_and_says_so_once_for_each() -> None:
    async with Simulation(model=ScriptedBackend(latency=Latency(3600)), concurrency=10) as simulation:
        events = simulation.events(DialogStarted, DialogEnded)
        simulation.run([FOUR_TURNS] * 10)
        await anyio.wait_all_tasks_blocked()
        assert simulation.statistics().calls_in_flight == 10
    records = [record async for record in events]

    ended = [record for record in records if isinstance(record.fact, DialogEnded)]
    assert len(ended) == len({record.dialog for record in ended}) == 10
    assert {record.fact.reason for record in ended if isinstance(record.fact, DialogEnded)} == {"cancelled"}


async def test_cancelling_one_dialog_cancels_only_that_one() -> None:
    async with Simulation(model=ScriptedBackend(numbered, latency=Latency(0.01))) as simulation:
        starts = simulation.events(DialogStarted)
        run = simulation.run([FOUR_TURNS] * 5)
        victim = (await anext(starts)).dialog
        starts.close()

        assert simulation.cancel(victim)
        assert not simulation.cancel("nobody")
        reasons = {dialog.id: dialog.ending.reason async for dialog in run if dialog.ending}

    assert reasons.pop(victim) == "cancelled"
    assert list(reasons.values()) == ["turn_limit"] * 4


async def test_a_failing_dialog_is_a_dialog_that_says_why_and_harms_no_other() -> None:
    def moody(request: CompletionRequest) -> str:
        if request.dialog == unlucky and request.sequence == 2:
            raise BackendRefused("scripted", "I will not")
        return numbered(request)

    unlucky = ""
    async with Simulation(model=ScriptedBackend(moody), seed=1) as simulation:
        starts = simulation.events(DialogStarted)
        run = simulation.run([FOUR_TURNS] * 5)
        unlucky = (await anext(starts)).dialog
        starts.close()
        dialogs = [dialog async for dialog in run]

    (failed,) = (dialog for dialog in dialogs if dialog.ending and dialog.ending.failed)
    assert failed.ending is not None
    assert failed.ending.error == "scripted: I will not"
    assert len(failed) == 2
    assert simulation.statistics().ended == {"failed": 1, "turn_limit": 4}


async def test_events_tell_each_dialog_in_order() -> None:
    async with Simulation(model=ScriptedBackend(numbered)) as simulation:
        events = simulation.events()
        dialogs = {dialog.id: dialog async for dialog in simulation.run([FOUR_TURNS] * 3)}
    records = [record async for record in events]

    for id, dialog in dialogs.items():
        own = [record for record in records if record.dialog == id]
        assert [record.sequence for record in own] == list(range(6))
        assert isinstance(own[0].fact, DialogStarted)
        assert isinstance(own[-1].fact, DialogEnded)
        assert [record.fact.text for record in own if isinstance(record.fact, Uttered)] == [t.text for t in dialog]


async def test_statistics_add_up() -> None:
    async with Simulation(model=ScriptedBackend(numbered), concurrency=3) as simulation:
        async for _ in simulation.run([FOUR_TURNS] * 10):
            pass
        statistics = simulation.statistics()

    assert statistics.dialogs == 10
    assert statistics.turns == statistics.calls == 40
    assert statistics.completion_tokens == 40 * 4
    assert statistics.live == statistics.calls_in_flight == statistics.calls_waiting == 0


@pytest.mark.parametrize("concurrency", [1, 7, 64])
async def test_the_same_seed_gives_the_same_dataset_at_any_concurrency(concurrency: int) -> None:
    assert await digest_of_a_run(concurrency, seed=11) == await digest_of_a_run(20, seed=11)


async def test_another_seed_gives_another_dataset() -> None:
    assert await digest_of_a_run(20, seed=11) != await digest_of_a_run(20, seed=12)


async def digest_of_a_run(concurrency: int, seed: int) -> str:
    digest = DatasetDigest()
    async with Simulation(model=ScriptedBackend(), concurrency=concurrency, seed=seed) as simulation:
        async for dialog in simulation.run([FOUR_TURNS] * 40):
            digest.add(dialog)
    return digest.hexdigest()


async def test_a_simulation_that_is_not_open_says_so() -> None:
    simulation = Simulation(model=ScriptedBackend())

    with pytest.raises(SimulationClosed, match="async with"):
        simulation.run([FOUR_TURNS])


async def test_an_unknown_model_is_refused_on_entry_and_names_the_known_ones() -> None:
    with pytest.raises(UnknownBackend, match=r'"opnai:x"; did you mean "openai:x"\? If not, say one of .*openai'):
        async with Simulation(model="opnai:x"):
            pass


async def test_an_agent_whose_model_cannot_be_used_stops_the_run_with_what_to_do() -> None:
    picky = Agent(Persona(name="Pia"), model="nowhere:x")

    with pytest.raises(SetupError, match="unknown backend"):
        async with Simulation(model=ScriptedBackend(numbered)) as simulation:
            async for _ in simulation.run([Scenario(cast=(ADA, picky))] * 3):
                pass


async def test_a_scenario_is_played_by_itself_too() -> None:
    async with Simulation(model=ScriptedBackend(numbered), concurrency=1) as simulation:
        dialog = await simulation.play(FOUR_TURNS)

    assert len(dialog) == 4


async def test_the_garbage_collector_is_tuned_only_on_request_and_put_back() -> None:
    before = gc.get_threshold()
    async with Simulation(model=ScriptedBackend()):
        assert gc.get_threshold() == before
    async with Simulation(model=ScriptedBackend(), tune_collector=True):
        assert gc.get_threshold() != before

    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_nothing_is_left_of_a_run() -> None:
    def live() -> set[int]:
        return {id(dialog) for dialog in gc.get_objects() if type(dialog) is Dialog and dialog.ending is None}

    async def main() -> list[str]:
        async with Simulation(model=ScriptedBackend(latency=Latency(60)), concurrency=50) as simulation:
            simulation.run(itertools.repeat(FOUR_TURNS))
            await anyio.wait_all_tasks_blocked()
        return [str(task.name) for task in anyio.get_running_tasks() if task.id != anyio.get_current_task().id]

    of_others = live()
    assert anyio.run(main) == []
    gc.collect()
    assert not live() - of_others
