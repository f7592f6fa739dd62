"""Agents that answer in a form: what does not fit is asked for again, noted, and heard by nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from playact.actors import Agent, Persona, Scenario
from playact.actors.playbill import Playbill
from playact.actors.recipes import scenario_from
from playact.backends.scripted import ScriptedBackend
from playact.engine import (
    Capabilities,
    Completion,
    CompletionRequest,
    Dialog,
    Ending,
    Message,
    ReplyRejected,
    ReplyRepaired,
    Simulation,
    Thought,
    ToolCall,
    Usage,
)
from playact.engine.answer import Answer, answered
from playact.engine.errors import FileInvalid, ReplyUnfit
from playact.engine.performance import Performance
from playact.engine.structured import ReplySchema

pytestmark = pytest.mark.anyio

Reply = str | Completion
Model = Callable[[CompletionRequest], Reply]

LINE = {"type": "object", "properties": {"say": {"type": "string"}}, "required": ["say"], "additionalProperties": False}


class Line(BaseModel):
    say: str
    mood: str = "calm"


ADA = Agent(Persona(name="Ada"), response_schema=LINE)
BOB = Agent(Persona(name="Bob"))


class Plain(ScriptedBackend):
    """A model behind a service that knows nothing of schemas, nor of thinking."""

    def __init__(self, script: Model) -> None:
        super().__init__(script)
        self.capabilities = Capabilities()


def telling(*replies: Reply, seen: list[CompletionRequest] | None = None) -> Model:
    """Ada's replies in turn, the last for ever; Bob always says "Well."."""
    coming = list(replies)

    def answer(request: CompletionRequest) -> Reply:
        if "You are Bob" in request.messages[0].text:
            return f"Well, {request.sequence}."
        if seen is not None:
            seen.append(request)
        return coming.pop(0) if len(coming) > 1 else coming[0]

    return answer


async def played(*cast: Agent, model: ScriptedBackend, turns: int = 1) -> Dialog:
    async with Simulation(model=model, seed=1) as simulation:
        return await simulation.play(Scenario(cast=cast, max_turns=turns))


async def test_a_turn_is_the_json_of_the_value_in_short() -> None:
    seen: list[CompletionRequest] = []
    model = ScriptedBackend(telling('{ "say" :  "Héllo" }', seen=seen))

    dialog = await played(ADA, BOB, model=model)

    assert dialog.turns[0].text == '{"say":"Héllo"}'
    assert seen[0].response_schema == LINE
    assert [event.action for event in dialog.events or ()] == ["utter"]


async def test_a_pydantic_model_is_a_form_too() -> None:
    ada = replace(ADA, response_schema=Line)

    dialog = await played(ada, BOB, model=ScriptedBackend(telling('{"say": "Hello"}')))

    assert Line.model_validate_json(dialog.turns[0].text) == Line(say="Hello")


async def test_small_slips_are_put_right_and_noted() -> None:
    dialog = await played(ADA, BOB, model=ScriptedBackend(telling("Sure: {'say': 'Hello',}")))

    assert dialog.turns[0].text == '{"say":"Hello"}'
    assert dialog.events
    repaired = dialog.events[0]
    assert (repaired.action, repaired.actionLabel) == ("reply", "repaired")
    assert repaired.content == "Sure: {'say': 'Hello',}"


async def test_a_reply_that_does_not_fit_is_asked_for_again_with_what_was_wrong() -> None:
    seen: list[CompletionRequest] = []
    model = ScriptedBackend(telling("Hello!", '{"say": 3}', '{"say": "Hello"}', seen=seen))

    dialog = await played(ADA, BOB, model=model)

    first, second, third = seen
    assert dialog.turns[0].text == '{"say":"Hello"}'
    assert second.messages[: len(first.messages)] == first.messages
    assert [m.role for m in third.messages[len(first.messages) :]] == ["assistant", "user", "assistant", "user"]
    assert "not JSON" in second.messages[-1].text
    assert "`say`: 3 is not of type 'string'" in third.messages[-1].text
    assert len({request.seed for request in seen}) == 3
    assert [request.sequence for request in seen] == [0, 1, 2]
    assert [e.actionLabel for e in dialog.events or ()] == ["rejected", "rejected", None]


async def test_a_rejected_reply_is_forgotten_when_the_turn_is_over_and_never_heard_by_others() -> None:
    heard: list[CompletionRequest] = []
    ada = telling("Mumble!", '{"say": "Hello"}')

    def model(request: CompletionRequest) -> Reply:
        heard.append(request)
        return ada(request)

    await played(ADA, BOB, model=ScriptedBackend(model), turns=3)

    assert "Mumble!" in str(heard[1].messages)
    assert not any("Mumble!" in str(request.messages) for request in heard[2:])


async def test_a_model_that_never_fits_fails_the_dialog_after_a_known_number_of_calls() -> None:
    seen: list[CompletionRequest] = []
    ada = replace(ADA, corrections=1)

    dialog = await played(ada, BOB, model=ScriptedBackend(telling("I cannot.", seen=seen)))

    assert dialog.ending is not None
    assert (dialog.ending.reason, dialog.ending.detail) == ("failed", ReplyUnfit.__name__)
    assert "Ada's reply did not fit its response_schema 2 times" in str(dialog.ending.error)
    assert len(seen) == 2 * 2  # turn_attempts times 1 + corrections, and no second chance for the dialog
    assert len({request.seed for request in seen}) == 4


async def test_a_reply_cut_off_by_the_limit_of_tokens_is_told_so() -> None:
    seen: list[CompletionRequest] = []
    cut = Completion(text='{"say": "Hel', finish="length")

    dialog = await played(ADA, BOB, model=ScriptedBackend(telling(cut, '{"say": "Hi"}', seen=seen)))

    assert dialog.turns[0].text == '{"say":"Hi"}'
    assert "too long and was cut off" in seen[1].messages[-1].text


async def test_a_backend_without_schemas_is_told_in_words() -> None:
    seen: list[CompletionRequest] = []

    dialog = await played(ADA, BOB, model=Plain(telling('{"say": "Hello"}', seen=seen)))

    assert dialog.turns[0].text == '{"say":"Hello"}'
    assert seen[0].response_schema is None
    assert "It must fit this JSON schema" in seen[0].messages[0].text


async def test_the_end_marker_and_thoughts_do_not_spoil_the_form() -> None:
    reply = '<think>They left.</think>{"say": "Farewell."} [[END]]'

    dialog = await played(ADA, BOB, model=ScriptedBackend(telling(reply)), turns=9)

    assert [turn.text for turn in dialog] == ['{"say":"Farewell."}']
    assert dialog.ending is not None
    assert dialog.ending.detail == "end marker"
    assert [event.action for event in dialog.events or ()] == ["think", "utter"]


async def test_tools_may_be_used_between_two_tries() -> None:
    def weather() -> str:
        return "sunny"

    call = Completion(text="", tool_calls=(ToolCall("1", "weather", "{}"),))
    seen: list[CompletionRequest] = []
    model = ScriptedBackend(telling("Hm.", call, '{"say": "It is sunny."}', seen=seen))

    dialog = await played(replace(ADA, tools=(weather,)), BOB, model=model)

    assert dialog.turns[0].text == '{"say":"It is sunny."}'
    assert [m.role for m in seen[2].messages][-4:] == ["assistant", "user", "assistant", "tool"]


async def test_all_calls_of_a_turn_are_counted() -> None:
    replies = [Completion(text=text, usage=Usage(10, 2)) for text in ("no", '{"say": "yes"}')]

    dialog = await played(ADA, BOB, model=ScriptedBackend(telling(*replies)))

    assert dialog.usage == Usage(20, 4)


async def test_a_journal_replays_dialogs_with_rejected_replies(tmp_path: Path) -> None:
    journal = tmp_path / "run.db"
    model = ScriptedBackend(telling("no", "Well: {'say': 'a'}", "neither", '{"say": "b"}'))
    scenario = Scenario(cast=(ADA, BOB), max_turns=4)
    async with Simulation(model=model, seed=1, journal=journal) as simulation:
        (dialog,) = [dialog async for dialog in simulation.run([scenario])]

    async with Simulation.replay(journal) as simulation:
        (again,) = [dialog async for dialog in simulation.run()]

    assert again.digest() == dialog.digest()
    assert [(e.action, e.content) for e in again.events or ()] == [(e.action, e.content) for e in dialog.events or ()]
    assert [e.actionLabel for e in dialog.events or ()].count("rejected") == 2


# --- As a specification. ---


def test_a_schema_is_data_and_a_class_is_code_in_a_recipe() -> None:
    nested = {"$defs": {"n": {"type": "integer"}}, "type": "object", "properties": {"$code": {"$ref": "#/$defs/n"}}}
    recipe = Scenario(cast=(replace(ADA, response_schema=nested), replace(BOB, response_schema=Line))).recipe()

    again = scenario_from(json.loads(json.dumps(recipe)), code=[Line])

    assert again.cast[0].response_schema == nested
    assert again.cast[1].response_schema is Line


def test_a_form_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="no JSON schema"):
        Agent(response_schema={"type": "nope"})
    with pytest.raises(ValidationError):
        Agent(response_schema=3)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ValidationError):
        Agent(corrections=-1)


def test_a_scenario_file_can_hold_a_schema_and_says_where_a_wrong_one_is(tmp_path: Path) -> None:
    file = tmp_path / "play.yaml"
    text = "cast:\n  - name: Ann\n    response_schema:\n      type: {}\n  - name: Ben\n"
    file.write_text(text.format("object"), "utf-8")
    good = Playbill.from_file(file)
    file.write_text(text.format("nope"), "utf-8")

    assert good.cast[0].response_schema == {"type": "object"}
    with pytest.raises(FileInvalid, match=r"response_schema: this is no JSON schema"):
        Playbill.from_file(file)


# --- The same for those who are no agents. ---


class Census:
    """A scenario that asks for one value, as a maker of personas does."""

    seed = None

    def __init__(self, schema: ReplySchema) -> None:
        self._schema = schema
        self.answers: list[Answer] = []

    def dialog(self, **header: object) -> Dialog:
        return Dialog.model_validate(header)

    def recipe(self) -> dict[str, object]:
        return {}

    async def play(self, performance: Performance) -> Ending:
        backend = await performance.backend(None)
        request = CompletionRequest(messages=(Message("user", "Who?"),), dialog=performance.id, seed=5)
        self.answers.append(await answered(performance, backend, request, self._schema, agent="census"))
        return Ending(reason="finished")


async def census(*replies: Reply) -> tuple[Census, Dialog]:
    scenario = Census(ReplySchema.of(Line))
    async with Simulation(model=ScriptedBackend(telling(*replies)), seed=1) as simulation:
        dialog = await simulation.play(scenario)
    return scenario, dialog


async def test_a_value_can_be_asked_for_without_an_agent() -> None:
    scenario, _ = await census("<think>hm</think>no", Completion(text='{"say": "a"}', thinking="well"))

    (answer,) = scenario.answers
    assert answer.value == Line(say="a")
    assert answer.facts == (
        Thought("census", "hm"),
        ReplyRejected("census", "no", "the answer is not JSON"),
        Thought("census", "well"),
    )
    assert answer.usage.total_tokens > 0


async def test_repairs_are_told_there_too_and_failure_says_whose_it_is() -> None:
    scenario, _ = await census("It is {say: 'a'}")
    _, failed = await census("never")

    assert isinstance(scenario.answers[0].facts[0], ReplyRepaired)
    assert failed.ending is not None
    assert "census's reply did not fit its response_schema 3 times" in str(failed.ending.error)
