"""A journal is played once more, or just read: the same dialogs to the letter, and no model and no tool is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from playact.actors import Agent, Orchestrator, Persona, Scenario
from playact.backends.faults import Faults
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, Dialog, DialogStarted, Retry, Simulation, Usage, Uttered
from playact.engine.budget import Budget, Caps
from playact.engine.digest import DatasetDigest
from playact.engine.errors import BackendRefused, CodeMissing, JournalInvalid
from playact.engine.journal import JournalFile
from playact.engine.program.archive import dialogs_in, digest_in

from .troupe import ADA, BOB, CODE, ORDERS, PLAIN, TROUPE, InlineDisk, Model, digest_of, played

pytestmark = pytest.mark.anyio

ALL = tuple(TROUPE.values())


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def kept(journal: Path, model: ScriptedBackend | None = None, **how: object) -> Simulation:
    return Simulation(model=model or Model(), seed=5, journal=journal, disk=InlineDisk(), **how)  # type: ignore[arg-type]  # passed on


def whole(dialogs: dict[str, Dialog]) -> dict[str, dict[str, object]]:
    return {id: dialog.to_dict() for id, dialog in dialogs.items()}


async def test_a_replay_comes_to_the_same_and_asks_nobody(journal: Path) -> None:
    async with kept(journal) as simulation:
        wanted = await played(simulation, ALL)
    ORDERS.clear()

    async with Simulation.replay(journal, code=CODE) as simulation:
        again = await played(simulation, ordered=True)
        statistics = simulation.statistics()

    assert digest_of(again) == digest_of(wanted) == digest_in(journal)
    assert statistics.calls == 0
    assert ORDERS == []
    assert {id: d.usage for id, d in again.items()} == {id: d.usage for id, d in wanted.items()}


async def test_a_replay_may_be_played_twice(journal: Path) -> None:
    async with kept(journal) as simulation:
        wanted = await played(simulation, [PLAIN] * 3)

    async with Simulation.replay(journal) as simulation:
        once, twice = await played(simulation), await played(simulation)

    assert digest_of(once) == digest_of(twice) == digest_of(wanted)


async def test_a_replay_needs_no_backend_that_an_agent_was_given(journal: Path) -> None:
    scenario = Scenario(cast=(ADA, Agent(name="Own", model=Model(name="own"))), max_turns=4)
    async with kept(journal) as simulation:
        wanted = await played(simulation, [scenario])

    async with Simulation.replay(journal) as simulation:
        again = await played(simulation)

    assert digest_of(again) == digest_of(wanted)


async def test_however_a_dialog_ended_it_ends_so_again(journal: Path) -> None:
    class Moods(Model):
        def reply(self, request: CompletionRequest) -> Completion:
            if "refuses" in request.messages[0].text and request.sequence == 3:
                raise BackendRefused(self.name, "no")
            if "empty" in request.messages[0].text and request.sequence > 1:
                return Completion(text="", usage=Usage(1, 0))
            return super().reply(request)

    rude = Scenario(cast=(ADA, Agent(Persona(name="Rex", personality="refuses"))), max_turns=6)
    empty = Scenario(cast=(ADA, Agent(Persona(name="Emi", personality="empty"))), max_turns=6)
    scenarios = [PLAIN, TROUPE["loop"], empty, rude, TROUPE["marker"]]
    wanted: dict[str, Dialog] = {}
    caps = Budget(per_dialog=Caps(calls=8))
    async with kept(journal, Moods(), budget=caps) as simulation:
        starts = simulation.events(DialogStarted)
        run = simulation.run(scenarios)
        async for record in starts:
            if isinstance(record.fact, DialogStarted) and record.fact.cast == ("Ada", "Bob"):
                assert simulation.cancel(record.dialog)
                break
        starts.close()
        async for dialog in run:
            wanted[str(dialog.id)] = dialog

    async with Simulation.replay(journal, concurrency=2) as simulation:
        again = await played(simulation)

    endings = {id: (dialog.ending.reason, dialog.ending.detail) for id, dialog in wanted.items() if dialog.ending}
    assert sorted(reason for reason, _ in endings.values()) == ["budget", "cancelled", "failed", "finished", "finished"]
    assert {id: dialog.ending for id, dialog in again.items()} == {id: dialog.ending for id, dialog in wanted.items()}
    assert digest_of(again) == digest_of(wanted)


async def test_a_dialog_that_was_tried_several_times_is_replayed_as_it_became(journal: Path) -> None:
    weather = Faults(malformed=0.2, cut=0.2, overloaded=0.1, retry_after_s=0.0)
    model = ScriptedBackend(Model().reply, faults=weather, seed=4)
    async with kept(journal, model, retry=Retry(attempts=2, first_s=0.0)) as simulation:
        await played(simulation, [TROUPE["counting"]] * 12)
    async with Simulation.resume(journal, model=Model(), code=CODE, retry_failed=True, disk=InlineDisk()) as simulation:
        retried = await played(simulation)

    async with Simulation.replay(journal, code=CODE) as simulation:
        again = await played(simulation)

    assert retried
    assert digest_of(again) == digest_in(journal)


async def test_code_that_has_changed_diverges_and_says_so(journal: Path) -> None:
    async with kept(journal) as simulation:
        await played(simulation, [Scenario(cast=(ADA | Advice(), BOB), max_turns=4)] * 2)

    Advice.text = "Speak softly."
    try:
        async with Simulation.replay(journal, code=[Advice]) as simulation:
            again = await played(simulation)
    finally:
        Advice.text = "Speak up."

    assert {d.ending.detail for d in again.values() if d.ending} == {"ReplayDiverged"}
    assert all("the code has changed" in str(d.ending.error) for d in again.values() if d.ending)


class Advice(Orchestrator):
    text = "Speak up."

    def instruct(self, dialog: Dialog, utterance: str) -> str:
        return self.text


async def test_leaving_a_replay_is_no_divergence(journal: Path) -> None:
    async with kept(journal) as simulation:
        await played(simulation, [PLAIN] * 5)

    async with Simulation.replay(journal, concurrency=5) as simulation:
        events = simulation.events(Uttered)
        run = simulation.run()
        await anext(events)
        events.close()
        await run.aclose()
        ended = simulation.statistics().ended

    assert set(ended) <= {"cancelled", "turn_limit"}


async def test_a_replay_of_many_failed_dialogs_does_not_stop_by_itself(journal: Path) -> None:
    def refuse(request: CompletionRequest) -> str:
        raise BackendRefused("scripted", "no")

    async with kept(journal, ScriptedBackend(refuse)) as simulation:
        run = simulation.run([PLAIN] * 19)
        wanted = [dialog async for dialog in run]
    async with Simulation.resume(journal, model=ScriptedBackend(refuse), dialogs=38, disk=InlineDisk()) as simulation:
        wanted += [dialog async for dialog in simulation.run()]

    async with Simulation.replay(journal) as simulation:
        again = await played(simulation)

    assert len(again) == len(wanted) == 38
    assert digest_of(again) == digest_in(journal)


async def test_dialogs_are_read_as_they_were_handed_out_and_by_number(journal: Path) -> None:
    async with kept(journal, concurrency=3) as simulation:
        wanted = await played(simulation, [*ALL, *ALL])
        forks = [dialog.forked(turn=2, scenario=PLAIN, seed=1) for dialog in wanted.values() if len(dialog) > 2]
        wanted |= await played(simulation, forks)

    read = {str(dialog.id): dialog for dialog in dialogs_in(journal, code=CODE)}

    assert whole(read) == whole(wanted)
    file = JournalFile.read(journal)
    assert list(read) == [row.id for row in file.dialogs()]
    file.close()


async def test_reading_needs_only_the_code_that_says_who_where_and_why(journal: Path) -> None:
    async with kept(journal) as simulation:
        await played(simulation, [scenario for name, scenario in TROUPE.items() if name != "quest"])

    assert digest_of({str(dialog.id): dialog for dialog in dialogs_in(journal)}) == digest_in(journal)


async def test_reading_names_the_code_that_it_needs(journal: Path) -> None:
    async with kept(journal) as simulation:
        await played(simulation, [TROUPE["quest"]])

    with pytest.raises(CodeMissing, match="Quest"):
        list(dialogs_in(journal))


class Sailor(Persona):
    ship: str = "Argo"
    ports: list[str] = []  # noqa: RUF012  # pydantic copies it


async def test_a_persona_of_an_unknown_class_is_plain_data(journal: Path) -> None:
    sailor = Agent(Sailor(name="Sal", ports=["Ios"]))
    async with kept(journal) as simulation:
        wanted = await played(simulation, [Scenario(cast=(sailor, BOB), max_turns=2)])

    read = {str(dialog.id): dialog for dialog in dialogs_in(journal)}

    assert whole(read) == whole(wanted)
    assert next(iter(read.values())).personas == {
        "Sal": {"name": "Sal", "language": "English", "ship": "Argo", "ports": ["Ios"]},
        "Bob": {"name": "Bob", "language": "English", "age": 40, "role": "guest"},
    }


async def test_some_dialogs_are_read_by_their_numbers(journal: Path) -> None:
    async with kept(journal) as simulation:
        await played(simulation, [PLAIN] * 8)

    every = [dialog.id for dialog in dialogs_in(journal)]
    some = [dialog.id for dialog in dialogs_in(journal, {6, 2, 99})]

    assert some == [every[2], every[6]]


async def test_dialogs_that_are_not_over_are_not_read(journal: Path) -> None:
    async with kept(journal, concurrency=2) as simulation:
        run = simulation.run([PLAIN] * 8)
        over = [(await anext(run)).id for _ in range(3)]
        await run.aclose()

    read = [dialog.id for dialog in dialogs_in(journal)]

    assert set(over) <= set(read)
    assert len(read) < 8


async def test_a_dialog_that_is_not_what_was_written_is_never_given(journal: Path) -> None:
    async with kept(journal) as simulation:
        await played(simulation, [PLAIN] * 2)
    file = JournalFile.open(journal)
    row = next(iter(file.dialogs()))
    from playact.engine.journal.rows import sealed

    values = (row.number, row.id, row.seed, row.parent, row.first, row.last, row.reason, "0" * 64)
    file._database.execute("INSERT OR REPLACE INTO dialog VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", sealed(values))
    file.close()

    with pytest.raises(JournalInvalid, match="dialog 0 is not what was written"):
        list(dialogs_in(journal))


async def test_the_digest_of_a_journal_is_that_of_its_dialogs(journal: Path) -> None:
    digest = DatasetDigest()
    async with kept(journal) as simulation:
        async for dialog in simulation.run(ALL):
            digest.add(dialog)

    assert digest_in(journal) == digest.hexdigest()
