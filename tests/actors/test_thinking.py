"""What an agent thinks is noted once, and neither said, nor heard by others, nor remembered."""

from __future__ import annotations

import logging

import pytest
from pydantic import ValidationError

from playact.actors import Agent, Persona, Scenario
from playact.backends.scripted import ScriptedBackend
from playact.engine import Capabilities, Completion, CompletionRequest, Dialog, Simulation
from playact.engine.thinking import THINKING_PATTERN, Thinking

pytestmark = pytest.mark.anyio

BOB = Agent(Persona(name="Bob"))


async def played(ada: Agent, *replies: str | Completion, seen: list[CompletionRequest]) -> Dialog:
    def answer(request: CompletionRequest) -> str | Completion:
        seen.append(request)
        return replies[request.sequence % len(replies)]

    async with Simulation(model=ScriptedBackend(answer), seed=1) as simulation:
        return await simulation.play(Scenario(cast=(ada, BOB), max_turns=len(replies)))


def thoughts(dialog: Dialog) -> list[object]:
    return [event.content for event in dialog.events or () if event.action == "think"]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("<think>Plan A.</think>Hello.", ["Plan A."]),
        (Completion(text="Hello.", thinking="Plan A."), ["Plan A."]),
        (Completion(text="<think>Plan A.</think>Hello.", thinking=" Plan A.\n"), ["Plan A."]),
        (Completion(text="<think>Plan A.</think>Hello.", thinking="Plan B."), ["Plan B.", "Plan A."]),
        ("Plan A.</think>Hello.", ["Plan A."]),
        ("Hello.<think>Plan A.", ["Plan A."]),
    ],
)
async def test_each_thought_is_noted_once_and_reaches_nobody(reply: str | Completion, expected: list[str]) -> None:
    seen: list[CompletionRequest] = []

    dialog = await played(Agent(Persona(name="Ada")), reply, "Well.", "So.", "Yes.", seen=seen)

    assert dialog.turns[0].text == "Hello."
    assert thoughts(dialog) == expected
    assert len(seen) == 4
    assert not any("Plan" in message.text for request in seen for message in request.messages)


async def test_a_reply_that_was_cut_off_while_thinking_says_nothing_so_it_is_asked_for_again() -> None:
    seen: list[CompletionRequest] = []
    cut = Completion(text="<think>First I", finish="length")

    dialog = await played(Agent(Persona(name="Ada")), cut, "Hello.", seen=seen)

    assert dialog.turns[0].text == "Hello."


async def test_another_pattern_finds_other_thoughts_and_none_finds_none() -> None:
    seen: list[CompletionRequest] = []
    starred = Agent(Persona(name="Ada"), thinking_pattern=r"\*(.*?)\*")
    plain = Agent(Persona(name="Ada"), thinking_pattern=None)

    acting = await played(starred, "*smiles* Hello.", seen=seen)
    quoting = await played(plain, "Say <think>x</think>.", seen=seen)

    assert (acting.turns[0].text, thoughts(acting)) == ("Hello.", ["smiles"])
    assert (quoting.turns[0].text, thoughts(quoting)) == ("Say <think>x</think>.", [])


def test_a_pattern_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="no regular expression"):
        Agent(thinking_pattern="(")
    with pytest.raises(ValidationError, match="where there is nothing"):
        Agent(thinking_pattern=".*")


async def test_how_much_to_think_reaches_a_backend_that_can() -> None:
    seen: list[CompletionRequest] = []

    await played(Agent(Persona(name="Ada"), think="low"), "Hello.", seen=seen)
    await played(Agent(Persona(name="Ada")), "Hello.", seen=seen)

    assert [request.think for request in seen] == ["low", None]


async def test_a_backend_that_cannot_think_is_not_asked_to_which_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Simple(ScriptedBackend):
        def __init__(self) -> None:
            super().__init__(self._say)
            self.capabilities = Capabilities()

        def _say(self, request: CompletionRequest) -> str:
            asked.append(request)
            return "Hello."

    asked: list[CompletionRequest] = []
    scenario = Scenario(cast=(Agent(Persona(name="Ada"), think=True), BOB), max_turns=2)

    with caplog.at_level(logging.WARNING, "playact"):
        async with Simulation(model=Simple(), seed=1) as simulation:
            _ = [dialog async for dialog in simulation.run([scenario] * 5)]

    assert {request.think for request in asked} == {None}
    assert [record.getMessage() for record in caplog.records] == [
        "event='think.ignored' agent='Ada' backend='scripted'"
    ]


def test_many_thoughts_begun_and_never_ended_are_one_and_take_no_time() -> None:
    said, thoughts = Thinking.of(THINKING_PATTERN).split("a<think>b</think>c" + "<think>" * 50_000 + "d")

    assert said == "ac"
    assert thoughts[0] == "b"
    assert thoughts[-1].endswith("d")
