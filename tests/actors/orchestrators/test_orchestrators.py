"""Orchestrators advise an agent before it speaks, and nobody else hears it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from playact.actors import Agent, LengthOrchestrator, Orchestrator, Persona, Scenario, SimpleReflexOrchestrator
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Dialog, Instruction, Simulation, Turn

pytestmark = pytest.mark.anyio

BOB = Agent(Persona(name="Bob"))


class Counting(Orchestrator):
    """Says how often it was asked; keeps the count in itself."""

    def __init__(self) -> None:
        self.count = 0

    async def instruct(self, dialog: Dialog, utterance: str) -> Instruction:
        self.count += 1
        return Instruction(text=f"count {self.count}, heard {utterance!r} after {len(dialog)}")


class Failing(Orchestrator):
    def instruct(self, dialog: Dialog, utterance: str) -> str:
        raise RuntimeError("lost the plot")


async def played(*orchestrators: Orchestrator, turns: int = 6) -> tuple[Dialog, list[list[str]]]:
    """The dialog, and the instructions in each of Ada's requests."""
    instructions = []

    def answer(request: CompletionRequest) -> str:
        system, *rest = request.messages
        if system.text.startswith("You are Ada"):
            instructions.append([message.text for message in rest if message.role == "system"])
        return f"This is line {request.sequence}."

    ada = Agent(Persona(name="Ada"), orchestrators=orchestrators)
    async with Simulation(model=ScriptedBackend(answer), seed=1) as simulation:
        dialog = await simulation.play(Scenario(cast=(ada, BOB), max_turns=turns))
    return dialog, instructions


@pytest.mark.parametrize("condition", [lambda text: "line 1" in text, r"LINE 1\b"])
async def test_a_reflex_instructs_the_one_reply_to_what_it_reacts_to(condition: str) -> None:
    _, instructions = await played(SimpleReflexOrchestrator(condition, "Be brief."))

    assert instructions == [[], ["Be brief."], []]


async def test_a_persistent_instruction_stays_and_is_not_repeated() -> None:
    dialog, instructions = await played(SimpleReflexOrchestrator("line", "Be brief.", persistent=True), turns=8)

    assert instructions == [[], ["Be brief."], ["Be brief."], ["Be brief."]]
    assert dialog.events is not None
    assert [event.action for event in dialog.events if event.action != "utter"] == ["instruct-persist"] * 3


async def test_the_length_rule_keeps_going_below_the_minimum_and_winds_up_before_the_maximum() -> None:
    orchestrator = LengthOrchestrator(min=4, max=6)
    advice = [orchestrator.instruct(Dialog(turns=[Turn(text="x")] * turns), "") for turns in range(7)]

    assert [text and text.split()[0] for text in advice] == [None, None, "Keep", "Keep", None, "The", "The"]


async def test_an_orchestrator_may_be_async_give_instructions_and_read_the_dialog() -> None:
    _, instructions = await played(Counting(), turns=4)

    assert instructions == [["count 1, heard '' after 0"], ["count 2, heard 'This is line 1.' after 2"]]


async def test_one_orchestrator_in_many_dialogs_at_once_keeps_the_state_of_each_apart() -> None:
    ada = Agent(Persona(name="Ada")) | Counting()
    async with Simulation(model=ScriptedBackend(lambda r: f"Line {r.sequence}."), seed=1) as simulation:
        dialogs = [dialog async for dialog in simulation.run([Scenario(cast=(ada, BOB), max_turns=4)] * 50)]

    counts = {tuple(str(e.content)[:7] for e in dialog.events or () if e.action == "instruct") for dialog in dialogs}
    assert counts == {("count 1", "count 2")}


async def test_several_are_asked_in_the_order_of_attaching() -> None:
    first, second = SimpleReflexOrchestrator("line 1", "First."), SimpleReflexOrchestrator("line 1", "Second.")
    dialog, instructions = await played(first, second)

    assert instructions[1] == ["First.", "Second."]
    assert dialog.events is not None
    assert [e.content for e in dialog.events if e.action == "instruct"] == ["First.", "Second."]


async def test_its_label_is_in_the_events() -> None:
    dialog, _ = await played(SimpleReflexOrchestrator("line 1", "Be brief.", event_label="brevity"))

    assert dialog.events is not None
    assert [event.actionLabel for event in dialog.events if event.action == "instruct"] == ["brevity"]


async def test_one_that_raises_fails_its_dialog_and_says_why() -> None:
    dialog, _ = await played(Failing())

    assert dialog.ending is not None
    assert (dialog.ending.reason, dialog.ending.error) == ("failed", "lost the plot")


@pytest.mark.parametrize(
    ("by_place", "by_name"),
    [
        (
            lambda: SimpleReflexOrchestrator("a", "b", True, "x"),  # type: ignore[call-arg]  # checkers know them by name only
            SimpleReflexOrchestrator("a", "b", persistent=True, event_label="x"),
        ),
        (
            lambda: LengthOrchestrator(1, 5, True),  # type: ignore[call-arg]
            LengthOrchestrator(1, 5, persistent=True),
        ),
    ],
)
def test_what_all_rules_have_may_follow_by_place_in_sdialogs_order(by_place: Any, by_name: Orchestrator) -> None:
    assert by_place() == by_name


def test_more_than_there_are_by_place_or_the_same_twice_is_refused() -> None:
    make: Any = LengthOrchestrator

    with pytest.raises(ValidationError, match="Unexpected positional argument"):
        make(1, 5, True, "x", "y")
    with pytest.raises(ValidationError, match="Unexpected positional argument"):
        make(1, 5, True, persistent=False)
