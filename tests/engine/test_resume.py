"""A run that is broken off at any moment and resumed is the run that was not: no word differs, none is paid twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from pathlib import Path

import anyio
import pytest

from playact.actors import Agent, Persona, Scenario, SimpleReflexOrchestrator
from playact.backends.faults import Latency
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, Dialog, DialogStarted, Retry, Run, Simulation, Uttered
from playact.engine.breaker import Breaker
from playact.engine.budget import Budget, Caps
from playact.engine.errors import BackendRefused, BackendUnavailable, CodeMissing, JournalUnwritable, SetupError
from playact.engine.failures import FailurePolicy
from playact.engine.journal import JournalFile
from playact.engine.pace import Pace
from playact.engine.program.archive import dialogs_in, digest_in
from playact.engine.program.plan import Cycle
from playact.engine.program.resumption import config_in

from .troupe import (
    ADA,
    BOB,
    CODE,
    ORDERS,
    PLAIN,
    TROUPE,
    InlineDisk,
    Model,
    answered,
    digest_of,
    given,
    played,
)

pytestmark = pytest.mark.anyio

ALL = tuple(TROUPE.values())


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


@pytest.fixture(autouse=True)
def _no_orders() -> None:
    ORDERS.clear()


async def uninterrupted(scenarios: object = ALL, seed: int = 3) -> str:
    async with Simulation(model=Model(), seed=seed) as simulation:
        digest = digest_of(await played(simulation, scenarios))
    ORDERS.clear()
    return digest


async def begin(journal: Path, events: int, scenarios: object = ALL) -> bool:
    """Plays until so many events are known; whether all was played by then."""
    async with Simulation(model=Model(), seed=3, concurrency=4, journal=journal, disk=InlineDisk()) as simulation:
        stream = simulation.events()
        run = simulation.run(scenarios)  # type: ignore[arg-type]  # tests hand any iterable on
        async with anyio.create_task_group() as tasks:

            async def take() -> None:
                async for _ in run:
                    pass
                stream.close()

            tasks.start_soon(take)
            async for _ in stream:
                events -= 1
                if events <= 0:
                    break
            tasks.cancel_scope.cancel()
    return events > 0


async def go_on(journal: Path, **how: object) -> Model:
    """Resumes, and plays to the end."""
    model = Model()
    code = how.pop("code", CODE)
    async with Simulation.resume(journal, model=model, disk=InlineDisk(), code=code, **how) as simulation:  # type: ignore[arg-type]  # passed on
        await played(simulation)
    return model


@pytest.mark.timeout(300)
async def test_a_run_that_is_left_after_any_event_comes_to_the_same_and_asks_nothing_twice(tmp_path: Path) -> None:
    wanted = await uninterrupted()

    for events in range(1, 1000):
        journal = tmp_path / f"{events}.db"
        is_complete = await begin(journal, events)
        known, ordered = answered(journal), given(journal)
        ORDERS.clear()
        model = await go_on(journal)

        assert digest_in(journal) == wanted, f"left after {events} events"
        assert not known & set(model.asked), f"left after {events} events"
        assert not ordered & set(ORDERS), f"left after {events} events"
        assert len(model.asked) == len(set(model.asked))
        if is_complete:
            break
    assert events > 100


@pytest.mark.timeout(300)
@pytest.mark.parametrize("is_kept", [False, True])
async def test_a_run_whose_disk_dies_at_any_commit_comes_to_the_same(tmp_path: Path, is_kept: bool) -> None:
    wanted = await uninterrupted()

    for commits in range(2, 1000):
        journal = tmp_path / f"{commits}.db"
        try:
            disk = InlineDisk(commits, is_kept=is_kept)
            async with Simulation(model=Model(), seed=3, concurrency=4, journal=journal, disk=disk) as simulation:
                await played(simulation, ALL)
        except JournalUnwritable:
            pass
        else:
            break
        known = answered(journal)
        model = await go_on(journal) if config_in(journal) and _is_planned(journal) else None

        if model is not None:
            assert digest_in(journal) == wanted, f"dead at commit {commits}"
            assert not known & set(model.asked), f"dead at commit {commits}"
    assert commits > 20


def _is_planned(journal: Path) -> bool:
    file = JournalFile.read(journal)
    try:
        return file.tally().total is not None
    finally:
        file.close()


async def test_a_run_may_be_resumed_again_and_again_after_every_event(journal: Path) -> None:
    wanted = await uninterrupted()
    await begin(journal, 1)

    asked: list[tuple[str, int]] = []
    for _ in range(300):
        model = Model()
        async with Simulation.resume(journal, model=model, disk=InlineDisk(), code=CODE) as simulation:
            news = simulation.events(Uttered)
            run = simulation.run()
            try:
                with anyio.fail_after(60):
                    async for record in news:
                        if (record.dialog, record.sequence) not in asked:
                            asked.append((record.dialog, record.sequence))
                            break
                        if simulation.statistics().live == 0:
                            break
            finally:
                await run.aclose()
        if digest_in(journal) == wanted:
            break
    await go_on(journal)

    assert digest_in(journal) == wanted


async def test_when_nothing_is_left_a_resumed_run_gives_nothing_and_changes_nothing(journal: Path) -> None:
    await begin(journal, 10_000)
    before = digest_in(journal)

    model = await go_on(journal)
    again = await go_on(journal)

    assert model.asked == again.asked == []
    assert digest_in(journal) == before


async def test_a_resumed_run_may_plan_more_dialogs_and_they_are_those_of_a_longer_run(journal: Path) -> None:
    wanted = await uninterrupted(Cycle(ALL, 20))
    await begin(journal, 60, Cycle(ALL, 15))

    await go_on(journal, dialogs=18)
    await go_on(journal, dialogs=20)

    assert digest_in(journal) == wanted


async def test_a_resumed_run_cannot_plan_fewer_dialogs(journal: Path) -> None:
    await begin(journal, 5)

    with pytest.raises(SetupError, match="has 13 dialogs already"):
        await go_on(journal, dialogs=12)


async def test_an_open_plan_goes_on_with_and_without_its_scenarios(tmp_path: Path) -> None:
    def endless() -> Iterator[Scenario]:
        return (scenario.model_copy(update={"seed": 7}) for scenario in ALL)

    wanted = await uninterrupted(endless())
    for events in (1, 30, 77):
        journal = tmp_path / f"{events}.db"
        await begin(journal, events, endless())
        await go_on(journal)  # what has been read
        begun = {dialog.id for dialog in dialogs_in(journal)}
        async with Simulation.resume(journal, model=Model(), disk=InlineDisk()) as simulation:
            rest = await played(simulation, endless())

        assert not begun & set(rest)
        assert digest_in(journal) == wanted


async def test_an_asynchronous_source_may_be_given_again(journal: Path) -> None:
    async def source() -> AsyncIterator[Scenario]:
        for scenario in ALL:
            await anyio.lowlevel.checkpoint()
            yield scenario

    wanted = await uninterrupted()
    await begin(journal, 40, source())

    async with Simulation.resume(journal, model=Model(), disk=InlineDisk()) as simulation:
        await played(simulation, source())

    assert digest_in(journal) == wanted


async def test_scenarios_that_are_not_those_of_the_run_are_refused_by_number(journal: Path) -> None:
    await begin(journal, 30)

    async with Simulation.resume(journal, model=Model(), disk=InlineDisk()) as simulation:
        with pytest.raises(SetupError, match="dialog 1 was planned with another scenario"):
            await played(simulation, [ALL[0], ALL[0], *ALL[2:]])


async def test_a_scenario_with_another_seed_is_another_scenario(journal: Path) -> None:
    await begin(journal, 3, [PLAIN] * 3)

    async with Simulation.resume(journal, model=Model(), disk=InlineDisk()) as simulation:
        with pytest.raises(SetupError, match="dialog 0 was planned with another"):
            await played(simulation, [PLAIN.model_copy(update={"seed": 1})] * 3)


async def test_code_that_is_missing_is_named(journal: Path) -> None:
    await begin(journal, 40)

    with pytest.raises(CodeMissing) as missing:
        await go_on(journal, code=[])

    names = {name.rpartition(":")[2] for name in missing.value.names}
    assert names <= {"Counting", "Moody", "ByTheWord", "Quest", "order", "shout", "without_vowels"}
    assert names


def reflex(word: str) -> SimpleReflexOrchestrator:
    return SimpleReflexOrchestrator(lambda said: word in said, f"You heard {word}.")


async def test_two_lambdas_are_never_taken_for_each_other(journal: Path) -> None:
    scenarios = [Scenario(cast=(ADA | reflex(word), BOB), max_turns=4) for word in ("amber", "birch", "cedar")]
    wanted = await uninterrupted(scenarios)
    await begin(journal, 4, scenarios)

    with pytest.raises(CodeMissing, match="no name tells apart; give them again"):
        await go_on(journal, code=[scenarios[0].cast[0].orchestrators[0].condition])  # type: ignore[attr-defined]
    async with Simulation.resume(journal, model=Model(), disk=InlineDisk()) as simulation:
        await played(simulation, scenarios)

    assert digest_in(journal) == wanted


async def test_agents_keep_their_own_models(journal: Path) -> None:
    scenario = Scenario(cast=(ADA, Agent(Persona(name="Own"), model=Model(name="own"))), max_turns=6)
    wanted = await uninterrupted([scenario] * 3)
    await begin(journal, 8, [scenario] * 3)

    with pytest.raises(CodeMissing, match="backend own"):
        await go_on(journal)
    await go_on(journal, code=[Model(name="own")])

    assert digest_in(journal) == wanted


async def test_another_model_than_that_of_the_run_is_refused(journal: Path) -> None:
    await begin(journal, 8)

    with pytest.raises(SetupError, match="uses the model scripted, not other"):
        Simulation.resume(journal, model=Model(name="other"))
    with pytest.raises(SetupError, match="given a backend as an object, scripted; give it again"):
        Simulation.resume(journal)


async def test_single_dialogs_and_several_runs_share_one_journal(tmp_path: Path) -> None:
    async def play(simulation: Simulation) -> dict[str, Dialog]:
        first = await played(simulation, [PLAIN, PLAIN])
        alone = await simulation.play(ALL[1])
        others = await played(simulation, (scenario for scenario in ALL[2:5]))
        last = await played(simulation, [ALL[5]] * 3)
        return {**first, str(alone.id): alone, **others, **last}

    async with Simulation(model=Model(), seed=3) as simulation:
        wanted = digest_of(await play(simulation))
    for events in range(1, 90, 4):
        journal = tmp_path / f"{events}.db"
        async with Simulation(model=Model(), seed=3, journal=journal, disk=InlineDisk()) as simulation:
            stream = simulation.events()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(play, simulation)
                for _ in range(events):
                    await anext(stream)
                tasks.cancel_scope.cancel()
        model = Model()
        async with Simulation.resume(journal, model=model, disk=InlineDisk(), code=CODE) as simulation:
            await played(simulation)
        planned = len(list(dialogs_in(journal)))
        if planned == 9:
            assert digest_in(journal) == wanted
        assert len(set(model.asked)) == len(model.asked)
    assert planned == 9


async def test_runs_side_by_side_in_one_journal_have_each_their_own_dialogs(journal: Path) -> None:
    async def play(simulation: Simulation, dialogs: dict[str, Dialog]) -> None:
        async def take(run: Run) -> None:
            async for dialog in run:
                dialogs[str(dialog.id)] = dialog

        runs = [simulation.run([scenario] * 10) for scenario in (PLAIN, ALL[1])]
        async with anyio.create_task_group() as tasks:
            for run in runs:
                tasks.start_soon(take, run)

    wanted: dict[str, Dialog] = {}
    latency = Latency(0.001, spread=1.0)
    async with Simulation(model=Model(latency=latency), seed=3, concurrency=3) as simulation:
        await play(simulation, wanted)
    model = Model(latency=latency, seed=1)
    async with Simulation(model=model, seed=3, concurrency=5, journal=journal, disk=InlineDisk()) as simulation:
        stream = simulation.events(Uttered)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play, simulation, {})
            for _ in range(25):
                await anext(stream)
            tasks.cancel_scope.cancel()
    await go_on(journal)

    assert digest_in(journal) == digest_of(wanted)


async def test_a_later_dialog_may_begin_before_an_earlier_one(journal: Path) -> None:
    async with Simulation(model=Model(), seed=3, concurrency=1, journal=journal, disk=InlineDisk()) as simulation:
        run = simulation.run([PLAIN] * 5)
        async for _ in run:
            break
        await run.aclose()
        late = await simulation.play(ALL[1])
    await go_on(journal)

    assert [dialog.id for dialog in dialogs_in(journal)][5] == late.id
    assert len(list(dialogs_in(journal))) == 6


async def test_a_dialog_that_was_cancelled_by_its_user_stays_so_and_one_cut_short_does_not(journal: Path) -> None:
    async with Simulation(model=Model(), seed=3, journal=journal, disk=InlineDisk()) as simulation:
        starts = simulation.events(DialogStarted)
        run = simulation.run([PLAIN] * 4)
        victim = (await anext(starts)).dialog
        assert simulation.cancel(victim)
        async for dialog in run:
            assert dialog.id == victim
            break
        await run.aclose()
    await go_on(journal)

    reasons = {dialog.id: dialog.ending.reason for dialog in dialogs_in(journal) if dialog.ending}
    assert reasons.pop(victim) == "cancelled"
    assert list(reasons.values()) == ["turn_limit"] * 3


async def test_failed_dialogs_are_taken_up_again_only_on_request(journal: Path) -> None:
    class Refusing(Model):
        def reply(self, request: CompletionRequest) -> Completion:
            if request.sequence == 2:
                raise BackendRefused(self.name, "no")
            return super().reply(request)

    wanted = await uninterrupted([PLAIN] * 4)
    async with Simulation(model=Refusing(), seed=3, journal=journal, disk=InlineDisk()) as simulation:
        failed = await played(simulation, [PLAIN] * 4)
    known = answered(journal)
    idle = await go_on(journal)
    model = await go_on(journal, retry_failed=True)

    assert all(dialog.ending and dialog.ending.failed and len(dialog) == 2 for dialog in failed.values())
    assert idle.asked == []
    assert len(model.asked) == 8
    assert not known & set(model.asked)
    assert digest_in(journal) == wanted


async def test_dialogs_that_met_a_cap_of_their_own_are_taken_up_again_with_a_higher_one(journal: Path) -> None:
    wanted = await uninterrupted([PLAIN] * 3)
    caps = Budget(per_dialog=Caps(calls=2))
    async with Simulation(model=Model(), seed=3, journal=journal, disk=InlineDisk(), budget=caps) as simulation:
        capped = await played(simulation, [PLAIN] * 3)

    model = await go_on(journal, retry_failed=True, budget=Budget(per_dialog=Caps(calls=4)))

    assert {dialog.ending.reason for dialog in capped.values() if dialog.ending} == {"budget"}
    assert len(model.asked) == 6
    assert digest_in(journal) == wanted


async def test_a_spent_budget_cuts_short_and_a_higher_one_goes_on_and_is_remembered(journal: Path) -> None:
    wanted = await uninterrupted([PLAIN] * 6)
    async with Simulation(
        model=Model(), seed=3, concurrency=3, journal=journal, disk=InlineDisk(), budget=Budget(calls=7)
    ) as simulation:
        await played(simulation, [PLAIN] * 6)
        assert simulation.is_out_of_money
    first = await go_on(journal)
    second = await go_on(journal, budget=Budget(calls=15))
    third = await go_on(journal)
    fourth = await go_on(journal, budget=Budget(calls=24))

    assert [len(model.asked) for model in (first, second, third, fourth)] == [0, 8, 0, 9]
    assert config_in(journal)["budget"] == {"calls": 24}
    assert digest_in(journal) == wanted


async def test_a_dialog_that_waits_for_its_second_chance_when_the_run_ends_is_not_over(journal: Path) -> None:
    class Cut(Model):
        def reply(self, request: CompletionRequest) -> Completion:
            if request.sequence == 1:
                raise BackendUnavailable(self.name, "the connection was cut")
            return super().reply(request)

    wanted = await uninterrupted([PLAIN] * 3)
    once = Retry(attempts=1)
    async with Simulation(
        model=Cut(), seed=3, journal=journal, disk=InlineDisk(), concurrency=1, retry=once
    ) as simulation:
        run = simulation.run([PLAIN] * 3)
        while simulation.statistics().failing < 2:
            await anyio.lowlevel.checkpoint()
        await run.aclose()
        assert len(simulation.cut_short) >= 2
    model = await go_on(journal)

    assert len(model.asked) in (9, 10)  # the first turns of two dialogs, or of all, were paid for
    assert digest_in(journal) == wanted


async def test_in_order_what_is_left_comes_in_order(journal: Path) -> None:
    scenarios = [PLAIN.model_copy(update={"max_turns": 2 + (number * 7) % 5}) for number in range(12)]
    await begin(journal, 25, scenarios)
    over = [dialog.id for dialog in dialogs_in(journal)]

    async with Simulation.resume(journal, model=Model(), disk=InlineDisk()) as simulation:
        left = list(await played(simulation, ordered=True))

    every = [dialog.id for dialog in dialogs_in(journal)]
    assert over
    assert left == [id for id in every if id not in over]


async def test_a_second_run_of_a_resumed_simulation_goes_on_where_the_first_was_left(journal: Path) -> None:
    await begin(journal, 1, [PLAIN] * 9)

    async with Simulation.resume(journal, model=Model(), disk=InlineDisk(), concurrency=1) as simulation:
        run = simulation.run()
        first = [(await anext(run)).id for _ in range(3)]
        await run.aclose()
        rest = await played(simulation)
        nothing = await played(simulation)

    assert len({*first, *rest}) == 3 + len(rest)
    assert len(rest) >= 4
    assert nothing == {}


async def test_a_subscriber_that_fails_stops_nothing_that_a_resumed_run_would_miss(journal: Path) -> None:
    wanted = await uninterrupted()

    with pytest.raises(ZeroDivisionError):
        async with Simulation(model=Model(), seed=3, concurrency=4, journal=journal, disk=InlineDisk()) as simulation:
            run = simulation.run(ALL)
            async for record in simulation.events(Uttered):
                if record.sequence > 2:
                    raise ZeroDivisionError
            await run.aclose()
    await go_on(journal)

    assert digest_in(journal) == wanted


async def test_what_was_changed_on_resume_is_so_from_then_on(journal: Path) -> None:
    await begin(journal, 5)

    await go_on(journal, concurrency=2, failures=FailurePolicy(salvage=False))

    config = config_in(journal)
    assert config["concurrency"] == 2
    assert config["failures"]["salvage"] is False
    assert config["seed"] == 3


async def test_pace_and_breaker_are_those_of_the_run_until_they_are_changed(journal: Path) -> None:
    pace, breaker = Pace(requests_per_minute=90), Breaker(failures=3)
    async with Simulation(
        model="scripted", journal=journal, disk=InlineDisk(), pace=pace, breaker=breaker
    ) as simulation:
        await simulation.play(PLAIN)

    await go_on(journal)
    assert config_in(journal)["pace"] == {"": asdict(pace)}
    assert config_in(journal)["breaker"] == asdict(breaker)

    await go_on(journal, pace={"scripted": Pace(in_flight=2)})
    await go_on(journal)
    assert config_in(journal)["pace"] == {"scripted": asdict(Pace(in_flight=2))}
    assert config_in(journal)["breaker"] == asdict(breaker)


async def test_a_memo_is_there_for_whoever_resumes(journal: Path) -> None:
    memo = {"out": "x.jsonl", "ordered": True}
    async with Simulation(model="scripted", journal=journal, memo=memo, disk=InlineDisk()) as simulation:
        await simulation.play(PLAIN)

    assert config_in(journal)["memo"] == memo
    assert Simulation.resume(journal).memo == memo


async def test_a_memo_that_is_not_json_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        Simulation(model="scripted", memo={"backend": ScriptedBackend()})
