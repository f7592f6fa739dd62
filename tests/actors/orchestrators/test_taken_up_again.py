"""A dialog that is broken off at any moment and taken up again is the dialog that was not; nobody is asked twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from playact.actors import Agent, Persona, Scenario
from playact.actors.orchestrators import (
    ChangeMindOrchestrator,
    DirectorOrchestrator,
    DriftOrchestrator,
    Orchestrator,
    PlanOrchestrator,
)
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, Dialog, Instruction, Noted, Simulation, Usage, Uttered
from playact.engine.digest import DatasetDigest
from playact.engine.errors import ReplyInvalid
from playact.engine.program.archive import digest_in
from playact.engine.retry import Retry
from playact.engine.seeds import generator

from ...engine.troupe import InlineDisk
from .rehearsal import ADA, BOB, contents

pytestmark = pytest.mark.anyio

_WORDS = ("amber", "birch", "cedar", "dune", "ember", "fjord")


class Remembering(Orchestrator):
    """Keeps in mind what it was told by a model, by something outside, by chance and by a look ahead."""

    def __init__(self) -> None:
        self.known: list[str] = []

    async def instruct(self, dialog: Dialog, utterance: str) -> Instruction:
        self.known.append(f"{self.random.random():.3f}")
        if len(dialog) % 4 == 1:
            self.known.append(await self.ask(f"A word for {utterance!r}?"))
            self.known.append(await self.once("weather", weather))
        self.known.append(await self.agent_response_lookahead())
        return Instruction(text=f"Known: {self.known}", events=self.note("known", len(self.notes)))

    async def conclude(self, dialog: Dialog) -> Instruction:
        return Instruction(text="", events=self.note("end", await self.ask("How was it?")))


async def weather() -> str:
    WEATHER.append("looked")
    await anyio.lowlevel.checkpoint()
    return "rain"


WEATHER: list[str] = []
PLAN: dict[str, Any] = {
    "one": {"tell": "One.", "check": {"keywords": _WORDS[:3], "by": "anyone"}},
    "two": {"tell": "Two.", "check": {"question": "Is it so?"}},
    "three": {"tell": "Three.", "check": "fjord"},
}
DIRECTED = Scenario(
    cast=(ADA | [DirectorOrchestrator("Be kind.", every=2), DriftOrchestrator({"mood": 5, "energy": 2})], BOB),
    max_turns=8,
)
PLANNED = Scenario(
    cast=(ADA | PlanOrchestrator(PLAN), BOB | ChangeMindOrchestrator(0.5, ["Why not?"], max_times=2)), max_turns=6
)
REMEMBERING = Scenario(cast=(ADA, Agent(Persona(name="Eve")) | Remembering()), max_turns=6)
ALL = (DIRECTED, PLANNED, REMEMBERING)


class Model(ScriptedBackend):
    """Says what all of the request decides, so that whatever is not as it was shows; remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(self.reply)
        self.asked: list[tuple[str, int]] = []

    def reply(self, request: CompletionRequest) -> Completion:
        self.asked.append((request.dialog, request.sequence))
        luck = generator(request.seed or 0, repr(request.messages))
        words = f"{luck.choice(_WORDS)} {luck.randrange(1000)}"
        if request.response_schema is not None:
            if "verdict" in request.response_schema["properties"]:  # type: ignore[operator]  # it is one of ours
                words = f'{{"verdict": "{luck.choice(["leave alone", "advise"])}", "advice": "{words}"}}'
            else:
                words = f'{{"answer": {luck.choice(["true", "false"])}}}'
        return Completion(text=words, usage=Usage(7, 3))


def digest_of(dialogs: list[Dialog]) -> str:
    digest = DatasetDigest()
    for dialog in dialogs:
        digest.add(dialog)
    return digest.hexdigest()


async def uninterrupted(scenarios: Any = ALL) -> list[Dialog]:
    async with Simulation(model=Model(), seed=3) as simulation:
        return [dialog async for dialog in simulation.run(scenarios, ordered=True)]


async def broken_off(journal: Path, events: int, model: Model, scenarios: Any = ALL) -> bool:
    """Plays until so many facts are known; whether all was played by then."""
    async with Simulation(model=model, seed=3, concurrency=1, journal=journal, disk=InlineDisk()) as simulation:
        stream = simulation.events()
        run = simulation.run(scenarios)
        async with anyio.create_task_group() as tasks:

            async def take() -> None:
                async for _ in run:
                    pass
                stream.close()

            tasks.start_soon(take)
            async for _ in stream:
                events -= 1
                if not events:
                    break
            tasks.cancel_scope.cancel()
    return bool(events)


async def test_broken_off_after_any_fact_it_comes_to_the_same_and_asks_nothing_twice(tmp_path: Path) -> None:
    wanted = await uninterrupted()
    WEATHER.clear()
    is_complete, place = False, 0
    while not is_complete:
        place += 1
        journal, model = tmp_path / f"{place}.db", Model()
        is_complete = await broken_off(journal, place, model)

        async with Simulation.resume(journal, model=model, code=[Remembering], disk=InlineDisk()) as simulation:
            async for _ in simulation.run():
                pass

        assert digest_in(journal) == digest_of(wanted), place
        assert len(set(model.asked)) == len(model.asked), place
    assert place > 60
    assert len(WEATHER) == 2 * place  # in each of the runs


async def test_a_replay_asks_nobody_and_comes_to_the_same(tmp_path: Path) -> None:
    wanted = await uninterrupted()
    journal = tmp_path / "run.db"
    assert await broken_off(journal, -1, Model())
    WEATHER.clear()

    async with Simulation.replay(journal, code=[Remembering]) as simulation:
        again = [dialog async for dialog in simulation.run()]
        statistics = simulation.statistics()

    assert digest_of(again) == digest_of(wanted) == digest_in(journal)
    assert [dialog.usage for dialog in again] == [dialog.usage for dialog in wanted]
    assert statistics.calls == 0
    assert WEATHER == []


async def test_the_schedule_changes_nothing() -> None:
    async def played(concurrency: int) -> str:
        async with Simulation(model=Model(), seed=3, concurrency=concurrency) as simulation:
            return digest_of([dialog async for dialog in simulation.run(ALL * 5)])

    assert await played(1) == await played(15)


async def test_what_is_asked_is_in_the_usage_of_the_dialog() -> None:
    model = Model()
    async with Simulation(model=model, seed=3) as simulation:
        dialogs = [dialog async for dialog in simulation.run(ALL)]

    for dialog in dialogs:
        calls = sum(id == dialog.id for id, _ in model.asked)
        assert dialog.usage == Usage(7 * calls, 3 * calls)


async def test_a_fork_goes_on_from_what_was_noted() -> None:
    directed, planned, remembering = await uninterrupted()

    async with Simulation(model=Model(), seed=9) as simulation:
        forks = [
            await simulation.fork(dialog, turn=4, scenario=scenario, seed=77)
            for dialog, scenario in zip((directed, planned, remembering), ALL, strict=True)
        ]

    drifts = contents(forks[0], "drift")
    assert drifts[:2] == contents(directed, "drift")[:2]
    assert abs(drifts[2]["mood"] - drifts[1]["mood"]) <= 1.001
    assert contents(forks[1], "step_reached")[:1] == contents(planned, "step_reached")[:1]
    assert all(fork.ending is not None and not fork.ending.failed for fork in forks)
    assert len(contents(forks[2], "end")) == 1


async def test_when_a_turn_is_taken_again_the_orchestrator_is_not_asked_again() -> None:
    """The reply to the speaker is of no use; the turn is tried once more, from after the advice."""
    failures = iter([True])

    def reply(request: CompletionRequest) -> str:
        if request.messages[0].text.startswith("A word"):
            return f"word {request.sequence}"
        if request.messages[0].text.startswith("You are Eve") and len(request.messages) > 2 and next(failures, False):
            raise ReplyInvalid("scripted", "the reply is not JSON")
        return f"Line {request.sequence}."

    model = ScriptedBackend(reply)
    async with Simulation(model=model, seed=1, retry=Retry(attempts=1)) as simulation:
        dialog = await simulation.play(REMEMBERING.model_copy(update={"max_turns": 2}))

    assert dialog.ending is not None
    assert dialog.ending.reason == "turn_limit", dialog.ending
    assert contents(dialog, "known") == [0]
    assert (
        model.statistics()["calls"] == 1 + 3 + 1 + 1
    )  # Ada; a word, a look ahead, a try that fails; the turn; the end


async def test_subscribers_hear_notes_before_the_words() -> None:
    async with Simulation(model=Model(), seed=3) as simulation:
        stream = simulation.events(Noted, Uttered)
        await simulation.play(DIRECTED)
        stream.close()
        told = [record.fact async for record in stream]

    assert isinstance(told[0], Noted)
    assert (told[0].action, told[0].by) == ("drift", "DriftOrchestrator")
    assert isinstance(told[1], Uttered)
