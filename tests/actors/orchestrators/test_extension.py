"""An orchestrator of one's own: what it may give, ask, draw and note; and all of it repeats."""

from __future__ import annotations

from random import getstate
from typing import Any

import pytest
from pydantic import ValidationError

from playact.actors import Agent, Persona, Scenario
from playact.actors.orchestrators import (
    BaseOrchestrator,
    BasePersistentOrchestrator,
    ChangeMindOrchestrator,
    InstructionListOrchestrator,
    LengthOrchestrator,
    Orchestrator,
    SimpleReflexOrchestrator,
    SimpleResponseOrchestrator,
)
from playact.engine import Completion, CompletionRequest, Dialog, Event, Instruction, Simulation, Usage
from playact.engine.budget import Budget, Caps
from playact.engine.errors import PlayactError

from .rehearsal import ADA, BOB, Heard, advised, contents, events, model, rehearsed

pytestmark = pytest.mark.anyio


class Stays(BasePersistentOrchestrator):
    """Has no `__init__` of its own."""

    def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        return "Stay calm." if not dialog.turns else None


class Telling(Orchestrator):
    """Gives an instruction with events."""

    def __init__(self, text: str = "Smile.", **more: Any) -> None:
        super().__init__(**more)
        self.text = text

    def instruct(self, dialog: Dialog, utterance: str) -> Instruction:
        about = Event(action="look", content={"turns": len(dialog), "agent": self.target_agent}, timestamp=5)
        return Instruction(text=self.text, events=[self.note("hear", utterance), about])


class Asking(Orchestrator):
    """Asks a model each time, and keeps all its answers in mind."""

    def __init__(self) -> None:
        self.answers: list[str] = []

    async def instruct(self, dialog: Dialog, utterance: str) -> str:
        self.answers.append(await self.ask(f"What of {utterance!r}?"))
        return f"So far: {self.answers}"


class Drawing(Orchestrator):
    keeps_state = False

    def instruct(self, dialog: Dialog, utterance: str) -> str:
        return f"{self.random.random():.6f} {self.random.random():.6f}"


class Foreseeing(Orchestrator):
    async def instruct(self, dialog: Dialog, utterance: str) -> Instruction:
        return Instruction(text="Say it.", events=self.note("foresee", await self.agent_response_lookahead()))


async def test_one_that_inherits_how_it_is_made_is_persistent_if_its_class_is() -> None:
    """sdialog: a `BasePersistentOrchestrator` that uses the inherited `__init__` is not persistent."""
    dialog, heard = await rehearsed(Stays())

    assert heard.instructions == [["Stay calm."]] * 3
    assert [event.action for event in events(dialog)] == ["instruct-persist"]


@pytest.mark.parametrize("kind", [Telling, SimpleReflexOrchestrator, LengthOrchestrator])
def test_how_long_it_holds_and_its_name_may_be_said_where_it_is_made(kind: Any) -> None:
    parameters = {"condition": "x", "instruction": "y"} if kind is SimpleReflexOrchestrator else {}
    orchestrator = kind(**parameters, persistent=True, event_label="mine")

    assert orchestrator.is_persistent()
    assert orchestrator.get_event_label() == "mine"
    assert not kind(**parameters).is_persistent()
    assert Stays(persistent=False).persistent is False


def test_what_stands_behind_its_own_parameters_is_whether_it_persists_and_its_label() -> None:
    """In the order of sdialog."""
    mind = ChangeMindOrchestrator(0.5, None, 2, True, "mine")  # type: ignore[call-arg]  # checkers want names

    assert (mind.probability, mind.reasons, mind.max_times) == (0.5, None, 2)
    assert (mind.is_persistent(), mind.get_event_label()) == (True, "mine")
    assert InstructionListOrchestrator(["Greet."], True).persistent  # type: ignore[call-arg]  # checkers want names
    assert Telling("Smile.", target_agent=None, persistent=True).is_persistent()


def test_what_has_another_name_or_place_here_is_told() -> None:
    with pytest.raises(ValidationError, match="has no sbert_model; say embedder="):
        SimpleResponseOrchestrator(["Hi."], sbert_model="x")  # type: ignore[call-arg]  # that is the point
    with pytest.raises(TypeError, match=r"attached to: agent \| orchestrator"):
        Telling(target_agent=ADA)
    with pytest.raises(TypeError, match="a LengthOrchestrator never changes; make one with persistent=True"):
        LengthOrchestrator(max=3).set_persistent(True)


class Turning(Orchestrator):
    """Has what it says stay from its agent's second turn on."""

    def instruct(self, dialog: Dialog, utterance: str) -> str:
        agent = self.get_target_agent()
        assert agent is not None
        assert isinstance(agent.persona, Persona)
        own = sum(turn.speaker == agent.get_name() for turn in dialog)
        self.set_persistent(own > 0)
        return f"{agent.persona.name}, who is {agent.get_name()}, has spoken {own} times."


async def test_it_knows_its_agent_by_the_name_of_the_dialog_and_may_come_to_persist() -> None:
    """In sdialog two of one name cannot be told apart."""
    other = Turning()
    async with Simulation(model=model()) as simulation:
        dialog = await simulation.play(Scenario(cast=(ADA, ADA | other), max_turns=4))

    told = [(event.agent, event.action, event.content) for event in events(dialog)]
    assert told == [
        ("Ada 2", "instruct", "Ada, who is Ada 2, has spoken 0 times."),
        ("Ada 2", "instruct-persist", "Ada, who is Ada 2, has spoken 1 times."),
    ]
    assert (other.persistent, other.get_target_agent()) == (False, None)


async def test_a_persistent_reflex_adds_no_copy_with_each_turn() -> None:
    """sdialog: persistent reflexes add a copy every turn."""
    _, heard = await rehearsed(SimpleReflexOrchestrator("line", "Be brief.", persistent=True), turns=10)

    assert heard.instructions[-1] == ["Be brief."]


async def test_a_pipe_gives_a_new_agent_and_leaves_the_old_one_alone() -> None:
    """sdialog: `|` mutates and returns self."""
    first, second = Telling("One."), Telling("Two.")
    piped = ADA | first | second

    assert piped.orchestrators == (first, second)
    assert ADA.orchestrators == ()
    assert BaseOrchestrator is Orchestrator


async def test_its_events_come_before_its_instruction_in_the_order_of_the_orchestrators() -> None:
    dialog, _ = await rehearsed(Telling("One."), Telling("Two.", event_label="two"), turns=2)

    told = [(event.action, event.actionLabel, event.content) for event in dialog.events or ()][:7]
    assert told == [
        ("hear", "Telling", ""),
        ("look", "Telling", {"turns": 0, "agent": "Ada"}),
        ("instruct", "Telling", "One."),
        ("hear", "two", ""),
        ("look", "two", {"turns": 0, "agent": "Ada"}),
        ("instruct", "two", "Two."),
        ("utter", None, "This is line 0."),
    ]
    assert {event.agent for event in events(dialog)} == {"Ada"}


async def test_events_alone_instruct_nobody() -> None:
    dialog, heard = await rehearsed(Telling(""), turns=4)

    assert heard.instructions == [[], []]
    assert [event.action for event in events(dialog)] == ["hear", "look"] * 2


async def test_it_is_reset_before_each_dialog_in_the_copy_that_plays() -> None:
    class Rounds(Orchestrator):
        def __init__(self) -> None:
            self.left = 0

        def reset(self) -> None:
            self.left = 2

        def instruct(self, dialog: Dialog, utterance: str) -> str:
            self.left -= 1
            return f"{self.left} left"

    rounds = Rounds()
    async with Simulation(model=model(), seed=1) as simulation:
        dialogs = [await simulation.play(advised(rounds, turns=4)) for _ in range(2)]

    assert [contents(dialog, "instruct") for dialog in dialogs] == [["1 left", "0 left"]] * 2
    assert rounds.left == 0


async def test_a_question_is_a_call_like_any_other() -> None:
    dialog, heard = await rehearsed(Asking(), turns=4)

    assert [request.messages[0].text for request in heard.asks] == ["What of ''?", "What of 'This is line 2.'?"]
    assert [request.sequence for request in heard.requests] == [0, 1, 2, 3, 4, 5]
    assert len({request.seed for request in heard.requests}) == 6
    assert dialog.usage == Usage(12, 6)
    assert contents(dialog, "instruct")[1] == "So far: ['This is line 0.', 'This is line 3.']"


async def test_a_question_is_paid_from_the_budget() -> None:
    async with Simulation(model=model(), seed=1, budget=Budget(per_dialog=Caps(calls=3))) as simulation:
        dialog = await simulation.play(advised(Asking(), turns=4))

    assert dialog.ending is not None
    assert (dialog.ending.reason, len(dialog)) == ("budget", 2)


async def test_what_it_thinks_is_recorded_and_not_taken_for_the_answer() -> None:
    def lines(request: CompletionRequest) -> str:
        return "<think>Hm.</think> Yes." if request.messages[0].text.startswith("What of") else "Words."

    dialog, _ = await rehearsed(Asking(), turns=1, lines=lines)

    assert contents(dialog, "instruct") == ["So far: ['Yes.']"]
    assert [(event.agent, event.content) for event in events(dialog, "think")] == [("Ada/Asking", "Hm.")]


async def test_one_whose_model_says_nothing_fails_its_dialog() -> None:
    def lines(request: CompletionRequest) -> str:
        return " " if request.messages[0].text.startswith("What of") else "Words."

    dialog, heard = await rehearsed(Asking(), turns=1, lines=lines)

    assert dialog.ending is not None
    assert (dialog.ending.reason, dialog.ending.detail) == ("failed", "ReplyEmpty")
    assert len(heard.asks) == 3


async def test_what_it_draws_is_decided_by_the_seed_and_by_nothing_else() -> None:
    """sdialog draws from the process's one generator, so all that is drawn elsewhere changes what comes of it."""
    before = getstate()
    (alone, _), (seeded, _), (beside, _) = [
        await rehearsed(*given, seed=seed)
        for given, seed in (([Drawing()], 1), ([Drawing()], 2), ([Asking(), Drawing()], 1))
    ]
    draws = [contents(dialog, "instruct") for dialog in (alone, seeded)]

    assert len({*draws[0], *draws[1]}) == 6
    assert contents(beside, "instruct")[1::2] == draws[0]
    assert getstate() == before


async def test_two_of_a_kind_draw_differently() -> None:
    dialog, _ = await rehearsed(Drawing(), Drawing(), turns=2)

    first, second = events(dialog, "instruct")
    assert first.content != second.content


async def test_what_it_draws_is_the_same_at_any_concurrency() -> None:
    async def drawn(concurrency: int) -> list[Any]:
        async with Simulation(model=model(), seed=4, concurrency=concurrency) as simulation:
            scenarios = [advised(Drawing(), turns=4)] * 20
            return [contents(dialog, "instruct") async for dialog in simulation.run(scenarios, ordered=True)]

    assert await drawn(1) == await drawn(20)


async def test_a_lookahead_is_what_the_agent_would_say_and_leaves_no_trace() -> None:
    """sdialog: looking ahead mutates memory when tools are called, and the lookahead's tools are called for real."""
    calls: list[str] = []

    def price(item: str) -> str:
        """What something costs."""
        calls.append(item)
        return "2 crowns"

    def lines(request: CompletionRequest) -> Completion:
        return Completion(text=f"{len(request.messages)} messages, {len(request.tools)} tools", usage=Usage(1, 1))

    ada = Agent(Persona(name="Ada"), tools=[price]) | [SimpleReflexOrchestrator("", "Listen."), Foreseeing()]
    heard = Heard()
    async with Simulation(model=model(lines, heard), seed=1) as simulation:
        dialog = await simulation.play(Scenario(cast=(ada, BOB), max_turns=3))

    ahead, spoken = [request for request in heard.requests if request.messages[0].text.startswith("You are Ada")][2:]
    assert contents(dialog, "foresee") == ["2 messages, 0 tools", "4 messages, 0 tools"]
    assert [message for message in spoken.messages if message.role != "system"] == list(ahead.messages[1:])
    assert spoken.seed != ahead.seed
    assert calls == []
    assert dialog.usage == Usage(5, 5)


async def test_looking_ahead_to_an_opening_asks_nobody() -> None:
    ada = Agent(Persona(name="Ada"), first_utterance=["One.", "Two."]) | Foreseeing()
    heard = Heard()
    async with Simulation(model=model(None, heard), seed=1) as simulation:
        dialog = await simulation.play(Scenario(cast=(ada, BOB), max_turns=1))

    assert contents(dialog, "foresee") == [dialog[0].text]
    assert heard.requests == []


async def test_outside_a_dialog_it_can_neither_ask_nor_draw() -> None:
    with pytest.raises(PlayactError, match="only while it plays in a dialog"):
        await Asking().ask("Is anybody there?")
    with pytest.raises(PlayactError, match="let `fresh` give a copy"):
        _ = Drawing().random
    assert Telling().target_agent == ""


async def test_what_is_given_by_another_try_of_the_turn_is_not_asked_again() -> None:
    """A turn is tried again when its reply is empty; its advice holds, and the orchestrator's model is left alone."""
    words = iter(["", "", "", "At last."])

    def lines(request: CompletionRequest) -> str:
        return "An answer." if request.messages[0].text.startswith("What of") else next(words)

    dialog, heard = await rehearsed(Asking(), turns=1, lines=lines)

    assert [turn.text for turn in dialog] == ["At last."]
    assert len(heard.asks) == 1
    assert heard.instructions == [["So far: ['An answer.']"]] * 4


def test_what_it_was_made_with_can_be_told() -> None:
    assert Telling("Hm.").json() == {"name": "Telling", "args": {"text": "Hm."}}
    assert Telling("Hm.").json(string=True) == '{"name": "Telling", "args": {"text": "Hm."}}'
    assert str(Telling("Hm.", event_label="x")) == "Telling(event_label='x', text='Hm.')"
    assert '"condition": "Stays"' in SimpleReflexOrchestrator(Stays, "y").json(string=True)  # type: ignore[arg-type]
    assert LengthOrchestrator(max=4).json()["args"] == {
        "persistent": False,
        "event_label": None,
        "min": None,
        "max": 4,
    }
