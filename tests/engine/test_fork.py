"""What a dialog would have become: its first turns are shared and cost nothing, the rest goes its own way."""

from __future__ import annotations

from pathlib import Path

import pytest

from playact.actors import Agent, LengthOrchestrator, Persona, Scenario
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, Dialog, Simulation, Uttered
from playact.engine.errors import BackendRefused, DialogFailed
from playact.engine.program.archive import dialogs_in, digest_in

from .troupe import ADA, BOB, CODE, ORDERS, PLAIN, TROUPE, InlineDisk, Model, digest_of, played

pytestmark = pytest.mark.anyio

RUDE = Agent(Persona(name="Bob", personality="rude"))
SIX = PLAIN.model_copy(update={"max_turns": 6})
WITH_RUDE_BOB = SIX.model_copy(update={"cast": (ADA, RUDE)})


async def parent(scenario: Scenario = SIX) -> Dialog:
    async with Simulation(model=Model(), seed=1) as simulation:
        return await simulation.play(scenario)


def texts(dialog: Dialog) -> list[tuple[str | None, str]]:
    return [(turn.speaker, turn.text) for turn in dialog]


@pytest.mark.parametrize("turn", range(7))
async def test_a_fork_shares_the_first_turns_and_pays_for_the_others(turn: int) -> None:
    dialog, model = await parent(), Model()

    fork = await dialog.fork(turn=turn, scenario=WITH_RUDE_BOB, model=model)

    assert texts(fork)[:turn] == texts(dialog)[:turn]
    assert len(fork) == 6
    assert len(model.asked) == 6 - turn
    assert fork.parentId == dialog.id
    assert fork.id != dialog.id
    assert fork.usage is None or fork.usage.total_tokens == 10 * (6 - turn)


async def test_where_nothing_is_changed_a_fork_says_the_same() -> None:
    dialog = await parent()

    fork = await dialog.fork(turn=2, scenario=SIX, model=Model())

    assert texts(fork) == texts(dialog)


@pytest.mark.parametrize(
    "scenario",
    [
        WITH_RUDE_BOB,
        SIX.model_copy(update={"cast": (ADA, BOB | LengthOrchestrator(max=4))}),
        SIX.model_copy(update={"cast": (ADA, Agent(Persona(name="Bob"), model=Model(name="other")))}),
        SIX.model_copy(update={"cast": (ADA, Agent(Persona(name="Bob"), system_prompt="You are Bob, a pirate."))}),
    ],
    ids=["persona", "orchestrator", "model", "prompt"],
)
async def test_what_is_changed_shows_after_the_fork_only(scenario: Scenario) -> None:
    dialog = await parent()

    fork = await dialog.fork(turn=3, scenario=scenario, model=Model())

    assert texts(fork)[:3] == texts(dialog)[:3]
    assert texts(fork)[3:] != texts(dialog)[3:]


async def test_the_same_fork_is_the_same_dialog_and_another_seed_another() -> None:
    dialog = await parent()

    once, twice = [await dialog.fork(turn=3, scenario=WITH_RUDE_BOB, model=Model()) for _ in range(2)]
    other = await dialog.fork(turn=3, scenario=WITH_RUDE_BOB, model=Model(), seed=4)
    others_bob = await dialog.fork(turn=3, scenario=SIX, model=Model())

    assert once.digest() == twice.digest()
    assert texts(other)[3:] != texts(once)[3:]
    assert len({dialog.id, once.id, other.id, others_bob.id}) == 4


async def test_the_seed_of_the_scenario_goes_before_that_of_the_dialog() -> None:
    dialog = await parent()

    assert dialog.forked(turn=1, scenario=SIX).seed == dialog.seed
    assert dialog.forked(turn=1, scenario=SIX.model_copy(update={"seed": 8})).seed == 8
    assert dialog.forked(turn=1, scenario=SIX.model_copy(update={"seed": 8}), seed=9).seed == 9


async def test_who_sits_in_the_same_place_takes_the_others_part() -> None:
    dialog = await parent(TROUPE["three"])
    new = Scenario(cast=(Agent(name="Ada"), Agent(name="Zoe"), Agent(name="Bob")), max_turns=7)

    fork = await dialog.fork(turn=4, scenario=new, model=Model())

    seats = {"Ada": "Ada", "Bob": "Zoe", "Cem": "Bob"}
    assert [turn.speaker for turn in fork] == [seats[str(turn.speaker)] for turn in dialog]
    assert next(event.agent for event in fork.events or () if event.action == "think") == "Bob"


async def test_tools_and_instructions_of_the_shared_turns_stay_and_are_not_used_again() -> None:
    dialog = await parent(TROUPE["tools"])
    ORDERS.clear()

    fork = await dialog.fork(turn=4, scenario=TROUPE["tools"].model_copy(update={"max_turns": 5}), model=Model())

    assert ORDERS == []
    assert [event.content for event in fork.events or ()][: len(dialog.events or ())] == [
        event.content for event in dialog.events or ()
    ]


async def test_an_orchestrator_has_lived_through_the_shared_turns() -> None:
    dialog = await parent(TROUPE["counting"])

    fork = await dialog.fork(turn=3, scenario=TROUPE["counting"], model=Model())

    assert texts(fork) == texts(dialog)
    assert [event.content for event in fork.events or ()] == [event.content for event in dialog.events or ()]


async def test_a_fork_of_a_fork_has_the_fork_for_its_parent() -> None:
    dialog = await parent()
    fork = await dialog.fork(turn=2, scenario=WITH_RUDE_BOB, model=Model())
    model = Model()

    second = await fork.fork(turn=4, scenario=SIX, model=model)

    assert second.parentId == fork.id
    assert texts(second)[:4] == texts(fork)[:4]
    assert len(model.asked) == 2


async def test_a_dialog_of_a_file_without_events_can_be_forked() -> None:
    dialog = Dialog.from_str("Kim: Hello there.\nLee: Hi.\nKim: How are you?")

    fork = await dialog.fork(turn=2, scenario=PLAIN, model=Model())

    assert texts(fork)[:2] == [("Ada", "Hello there."), ("Bob", "Hi.")]
    assert len(fork) == 4


@pytest.mark.parametrize("turn", [-1, 7])
async def test_a_dialog_has_no_other_turns_than_its_own(turn: int) -> None:
    dialog = await parent()

    with pytest.raises(ValueError, match=f"has 6 turns; there is no turn {turn}"):
        dialog.forked(turn=turn, scenario=SIX)


async def test_a_fork_that_cannot_be_finished_says_why() -> None:
    def refuse(request: CompletionRequest) -> Completion:
        raise BackendRefused("scripted", "no")

    dialog = await parent()

    with pytest.raises(DialogFailed, match="no") as failed:
        await dialog.fork(turn=2, scenario=SIX, model=ScriptedBackend(refuse))

    assert isinstance(failed.value.dialog, Dialog)
    assert len(failed.value.dialog) == 2


async def test_a_sweep_of_forks_is_broken_off_anywhere_resumed_and_replayed(tmp_path: Path) -> None:
    dialog = await parent()
    forks = [dialog.forked(turn=turn, scenario=WITH_RUDE_BOB, seed=seed) for turn in range(7) for seed in range(3)]
    async with Simulation(model=Model(), seed=1) as simulation:
        wanted = digest_of(await played(simulation, forks))

    for turns in range(1, 80, 6):
        journal = tmp_path / f"{turns}.db"
        first, second = Model(), Model()
        async with Simulation(model=first, seed=1, concurrency=21, journal=journal, disk=InlineDisk()) as simulation:
            events = simulation.events(Uttered)
            run = simulation.run(forks)
            for _ in range(turns):
                await anext(events)
            events.close()
            await run.aclose()
        async with Simulation.resume(journal, model=second, code=CODE, disk=InlineDisk()) as simulation:
            await played(simulation)
        async with Simulation.replay(journal) as simulation:
            again = digest_of(await played(simulation))

        assert again == digest_in(journal) == wanted
        assert len(set(first.asked) | set(second.asked)) == 3 * sum(range(7))
        assert {read.parentId for read in dialogs_in(journal)} == {dialog.id}


async def test_a_simulation_forks_its_own_dialogs(tmp_path: Path) -> None:
    async with Simulation(model=Model(), seed=1, journal=tmp_path / "run.db", disk=InlineDisk()) as simulation:
        dialog = await simulation.play(SIX)
        by_simulation = await simulation.fork(dialog, turn=2, scenario=WITH_RUDE_BOB)
        by_dialog = await dialog.fork(turn=2, scenario=WITH_RUDE_BOB, simulation=simulation)

    assert texts(by_simulation) == texts(by_dialog)
    assert [read.parentId for read in dialogs_in(tmp_path / "run.db")] == [None, dialog.id, dialog.id]
