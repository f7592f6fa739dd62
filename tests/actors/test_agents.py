"""Agents are specifications: immutable, shared, and said back exactly to their models."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from pydantic import ValidationError

from playact.actors import Agent, LengthOrchestrator, Persona, Scenario
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Context, Dialog, Parameters, Simulation, Turn
from playact.engine.errors import DialogFailed

pytestmark = pytest.mark.anyio

ADA = Agent(Persona(name="Ada", role="barista"))
BOB = Agent(Persona(name="Bob"))
Seen = list[CompletionRequest]


def keeping(seen: Seen, reply: Callable[[CompletionRequest], str] | None = None) -> ScriptedBackend:
    """A model that keeps what it is asked."""

    def answer(request: CompletionRequest) -> str:
        seen.append(request)
        return reply(request) if reply else f"This is line {request.sequence}."

    return ScriptedBackend(answer)


async def played(*cast: Agent, model: ScriptedBackend, turns: int = 4, **more: object) -> Dialog:
    async with Simulation(model=model, seed=1) as simulation:
        return await simulation.play(Scenario.model_validate({"cast": cast, "max_turns": turns, **more}))


def prompt(request: CompletionRequest) -> str:
    return request.messages[0].text


def test_an_agent_never_changes_and_the_pipe_gives_a_new_one() -> None:
    advised = ADA | LengthOrchestrator(max=4)

    assert ADA.orchestrators == ()
    assert advised.orchestrators == (LengthOrchestrator(max=4),)
    with pytest.raises(FrozenInstanceError):
        ADA.name = "Eve"  # type: ignore[misc]  # that is the point


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="nmae"):
        Agent(nmae="x")  # type: ignore[call-arg]  # that is the point
    with pytest.raises(ValidationError, match="hobby"):
        Persona(hobby="x")  # type: ignore[call-arg]  # that is the point


async def test_each_hears_the_other_as_the_user_and_itself_as_the_assistant() -> None:
    seen: Seen = []
    await played(ADA, BOB, model=keeping(seen), turns=3)

    assert [(m.role, m.text) for m in seen[0].messages[1:]] == [("user", "Hello!")]
    assert [(m.role, m.text) for m in seen[1].messages[1:]] == [("user", "This is line 0.")]
    assert [(m.role, m.text) for m in seen[2].messages[1:]] == [
        ("user", "Hello!"),
        ("assistant", "This is line 0."),
        ("user", "This is line 1."),
    ]


async def test_the_prompt_says_who_with_whom_and_where_and_a_context_does_not_leak_into_the_next_dialog() -> None:
    seen: Seen = []
    await played(ADA, BOB, model=keeping(seen), turns=1, context=Context(location="Downtown cafe"))
    await played(ADA, BOB, model=keeping(seen), turns=1)

    assert "You are Ada. Role: barista." in prompt(seen[0])
    assert "talking with Bob. Location: Downtown cafe." in prompt(seen[0])
    assert "Downtown" not in prompt(seen[1])


async def test_details_examples_and_an_own_system_prompt_reach_the_model() -> None:
    seen: Seen = []
    example = Dialog(turns=[Turn(speaker="Ada", text="An example of wit.")])
    await played(Agent(ADA.persona, dialogue_details="It rains.", example_dialogs=[example]), BOB, model=keeping(seen))
    await played(Agent(ADA.persona, system_prompt="Only this."), BOB, model=keeping(seen))

    assert "It rains." in prompt(seen[0])
    assert "An example of wit." in prompt(seen[0])
    assert prompt(seen[4]) == "Only this."


async def test_agents_of_one_name_are_told_apart_and_both_personas_are_kept() -> None:
    dialog = await played(
        Agent(Persona(name="Al", age=1)), Agent(Persona(name="Al", age=2)), Agent(), model=keeping([])
    )

    assert dialog.get_speakers() == ["Al", "Al 2", "Speaker 3"]
    assert dialog.personas is not None
    assert [dialog.personas[name]["age"] for name in ("Al", "Al 2")] == [1, 2]


async def test_a_first_utterance_opens_without_a_model_and_several_are_chosen_by_the_seed() -> None:
    seen: Seen = []
    dialog = await played(Agent(name="Ada", first_utterance="Good day."), BOB, model=keeping(seen), turns=2)
    greeters = Agent(name="Ada", first_utterance=["One.", "Two.", "Three."])
    async with Simulation(model=keeping([]), seed=1) as simulation:
        openings = {d[0].text async for d in simulation.run([Scenario(cast=(greeters, BOB), max_turns=1)] * 30)}

    assert dialog[0].text == "Good day."
    assert len(seen) == 1
    assert openings == {"One.", "Two.", "Three."}


async def test_what_is_heard_and_said_is_processed_once() -> None:
    seen: Seen = []
    shouting = Agent(name="Ada", preprocess=lambda text: f"<{text}>", postprocess=lambda text: f"{text}!")
    dialog = await played(shouting, BOB, model=keeping(seen), turns=3)

    assert [turn.text for turn in dialog] == ["This is line 0.!", "This is line 1.", "This is line 2.!"]
    assert seen[2].messages[-1].text == "<This is line 1.>"


async def test_thoughts_and_the_speakers_name_are_not_said_aloud() -> None:
    dialog = await played(
        ADA, BOB, model=keeping([], lambda request: "<think>Hm.</think>Ada: Yes, Ada: here."), turns=1
    )

    assert dialog[0].text == "Yes, Ada: here."
    assert dialog.events is not None
    assert [(event.action, event.content) for event in dialog.events] == [
        ("think", "Hm."),
        ("utter", "Yes, Ada: here."),
    ]


async def test_an_empty_reply_is_asked_again_with_another_seed() -> None:
    seen: Seen = []
    dialog = await played(ADA, BOB, model=keeping(seen, lambda request: "Yes." if len(seen) > 2 else " "), turns=1)

    assert dialog[0].text == "Yes."
    assert len({request.seed for request in seen}) == 3


async def test_a_model_that_says_nothing_fails_the_dialog_by_name_and_keeps_what_was_said() -> None:
    model = keeping([], lambda request: "Hello." if request.sequence == 0 else "")

    with pytest.raises(DialogFailed, match="Bob's model gave an empty reply 3 times") as failure:
        await ADA.dialog_with(BOB, model=model)

    dialog = failure.value.dialog
    assert isinstance(dialog, Dialog)
    assert [turn.text for turn in dialog] == ["Hello."]


async def test_an_agent_that_cannot_finish_does_not_end_the_dialog() -> None:
    patient = Agent(name="Pat", can_finish=False)
    dialog = await played(patient, BOB, model=keeping([], lambda r: f"Line {r.sequence}. [[END]]"), turns=5)

    assert [turn.text for turn in dialog] == ["Line 0.", "Line 1."]


async def test_an_agents_own_model_and_parameters_are_used() -> None:
    own: Seen = []
    others: Seen = []
    parameters = Parameters(temperature=0.3, max_tokens=9)
    await played(Agent(name="Ada", model=keeping(own), model_parameters=parameters), BOB, model=keeping(others))

    assert all(request.parameters == parameters for request in own)
    assert len(own) == len(others) == 2


async def test_every_call_has_a_seed_of_its_own_and_the_same_one_in_every_run() -> None:
    first: Seen = []
    second: Seen = []
    await played(ADA, BOB, model=keeping(first))
    await played(ADA, BOB, model=keeping(second))

    assert len({request.seed for request in first}) == 4
    assert [request.seed for request in first] == [request.seed for request in second]


async def test_everyone_in_a_party_hears_who_said_what() -> None:
    seen: Seen = []
    dialog = await played(ADA, BOB, Agent(name="Cem"), model=keeping(seen), turns=4)

    assert [turn.speaker for turn in dialog] == ["Ada", "Bob", "Cem", "Ada"]
    assert seen[3].messages[-1].text == "Bob: This is line 1.\nCem: This is line 2."


async def test_a_turn_policy_of_ones_own_decides_who_speaks() -> None:
    class Monologue:
        async def next_speaker(self, cast: object, dialog: Dialog) -> int:
            return 1

    dialog = await played(ADA, BOB, model=keeping([]), turns=3, turn_policy=Monologue())

    assert dialog.get_speakers() == ["Bob"]


async def test_a_tool_is_called_with_checked_arguments_and_its_answer_or_error_goes_back() -> None:
    from playact.engine import Completion, ToolCall

    def due(book: int) -> str:
        """When a book is due."""
        if book > 9:
            raise LookupError("no such book")
        return "at six"

    asked: Seen = []

    def librarian(request: CompletionRequest) -> Completion | str:
        asked.append(request)
        arguments = ['{"book": 3}', '{"book": "x"}', '{"book": 10}']
        if len(asked) <= 3:
            return Completion(text="", tool_calls=(ToolCall(f"c{len(asked)}", "due", arguments[len(asked) - 1]),))
        return "It is due at six."

    dialog = await played(Agent(name="Mia", tools=[due]), BOB, model=ScriptedBackend(librarian), turns=1)

    assert [message.text for message in asked[3].messages if message.role == "tool"] == [
        "at six",
        "Error: the arguments do not fit: book: Input should be a valid integer, unable to parse string as an integer",
        "Error: LookupError: no such book",
    ]
    assert asked[0].tools[0].parameters["required"] == ["book"]
    assert dialog.events is not None
    assert [event.actionLabel for event in dialog.events] == ["call", "output"] * 3 + [None]


async def test_a_model_in_love_with_its_tools_is_offered_none_in_the_end() -> None:
    from playact.engine import Completion, ToolCall

    def chat(request: CompletionRequest) -> Completion | str:
        return Completion(text="", tool_calls=(ToolCall("c", "now", "{}"),)) if request.tools else "Enough."

    async def now() -> str:
        return "noon"

    dialog = await played(Agent(name="Mia", tools=[now]), BOB, model=ScriptedBackend(chat), turns=1)

    assert dialog[0].text == "Enough."


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"temperature": 0.5}, "an agent has no temperature; say model_parameters={'temperature': ...}"),
        ({"preprocessing_fn": str.strip}, "an agent has no preprocessing_fn; say preprocess="),
        ({"openai_api_base": "http://localhost"}, "an agent has no openai_api_base; say model=OpenAIBackend"),
        ({"top_k": 3}, 'an agent has no top_k; if its model knows it, say model_parameters={"extra": {"top_k": 3}}'),
        ({"first_uterance": "Hi"}, "an agent has no first_uterance; did you mean `first_utterance`?"),
    ],
)
def test_what_has_another_name_in_sdialog_is_told_by_ours(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(told)):
        Agent(Persona(name="Ada"), **settings)


def test_what_an_agent_is_may_be_said_by_place_in_sdialogs_order() -> None:
    def look(where: str) -> str:
        return where

    example = Dialog(turns=[Turn(text="Hi.")])

    agent = Agent(Persona(name="Ava"), "Support", "In a shop.", "Hello!", "On tea.", "Rhyme.", [example], [look])

    assert (agent.own_name, agent.context, agent.openings) == ("Support", "In a shop.", ("Hello!",))
    assert (agent.dialogue_details, agent.response_details) == ("On tea.", "Rhyme.")
    assert (tuple(agent.example_dialogs), tuple(agent.tools)) == ((example,), (look,))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("memory", "async with agent.conversation() as chat: chat.memory_dump()"),
        ("instruct", "chat.instruct(...)"),
        ("reset", "chat.reset(...)"),
        ("response_lookahead", "await chat.response_lookahead(...)"),
        ("add_orchestrators", "agent = agent | orchestrator"),
        ("set_first_utterances", "dataclasses.replace(agent, first_utterance=...)"),
        ("hobby", "an agent has no 'hobby'"),
    ],
)
def test_what_an_agent_of_sdialog_has_and_ours_has_elsewhere_is_told(name: str, told: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(told)):
        getattr(ADA, name)
    assert not hasattr(ADA, name)
