"""Dialogs written in one call, between personas, and in other words; each bug of sdialog there has its test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from playact.actors import Agent, Persona
from playact.actors.generators import DialogGenerator, Paraphraser, PersonaDialogGenerator
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Context, Dialog, Event, Parameters, Simulation, Turn, dialogs_in
from playact.engine.errors import DialogFailed

pytestmark = pytest.mark.anyio

CAFE = Context(location="Cafe")
ALICE = Persona(name="Alice", role="barista")
BOB = Persona(name="Bob", role="customer")
CEM = Persona(name="Cem", role="musician")


class Writer(ScriptedBackend):
    """Writes a dialog of the speakers that it may use, or rewords what it is given; remembers what it was asked."""

    def __init__(self, spoils: Any = None) -> None:
        super().__init__(self.reply, max_tokens=500)
        self.asked: list[CompletionRequest] = []
        self._spoils = spoils

    def reply(self, request: CompletionRequest) -> str:
        self.asked.append(request)
        schema: Any = request.response_schema
        properties = schema["properties"]
        said: dict[str, Any] = {}
        if "dialog" in properties:
            speaker = properties["dialog"]["items"]["properties"]["speaker"]
            names = speaker.get("enum", ["Ada", "Ben"])
            said["dialog"] = [{"speaker": name, "text": f"Words of {name}."} for name in [*names, *names]]
        elif "turns" in properties:
            said["turns"] = [f"new {place}" for place in range(properties["turns"]["minItems"])]
        elif "text" in properties:
            said["text"] = f"new {request.messages[-1].text.splitlines()[-1].split(': ')[-1]}"
        return json.dumps(said) if self._spoils is None else json.dumps(self._spoils(request, said))


async def test_one_call_writes_a_whole_dialog() -> None:
    model = Writer()

    dialog = await DialogGenerator("Two people greet each other.").generate(model=model, seed=3)

    assert [str(turn) for turn in dialog] == ["Ada: Words of Ada.", "Ben: Words of Ben."] * 2
    assert len(model.asked) == 1
    assert model.asked[0].messages[-1].text == "Two people greet each other."
    assert (dialog.seed, dialog.complete) == (3, True)
    assert [event.action for event in dialog.events or ()] == ["utter"] * 4
    assert dialog.usage is not None


async def test_a_context_given_at_construction_is_told_and_stays_in_the_dialog() -> None:
    """sdialog's PersonaDialogGenerator told it, and left it out of the dialog."""
    model = Writer()

    written = await DialogGenerator("Talk.", context=CAFE, scenario={"topic": "tea"}).generate(model=model)
    between = await PersonaDialogGenerator(ALICE, BOB, context=CAFE).generate(model=model)
    other = await PersonaDialogGenerator(ALICE, BOB, context=CAFE).generate(Context(location="Train"), model=model)

    assert written.context == between.context == CAFE
    assert written.scenario == {"topic": "tea"}
    assert other.context == Context(location="Train")
    assert all("Cafe" in request.messages[0].text for request in model.asked[:2])
    assert "Train" in model.asked[2].messages[0].text


async def test_what_is_said_in_the_call_goes_before_what_the_constructor_says() -> None:
    generator = DialogGenerator("Talk.", scenario="one", example_dialogs=[Dialog(turns=[Turn(text="An example.")])])
    model = Writer()

    dialog = await generator("Sing.", scenario="other", seed=1, id="d1", parent_id="p1", notes="by hand", model=model)

    assert (dialog.id, dialog.parentId, dialog.notes, dialog.scenario) == ("d1", "p1", "by hand", "other")
    assert model.asked[0].messages[-1].text == "Sing."
    assert "An example." in model.asked[0].messages[0].text
    assert "An example." in generator.prompt()


class Scene(BaseModel):
    title: str
    lines: list[str]


async def test_another_form_gives_a_value_of_it_and_none_the_text_as_it_comes() -> None:
    scene = {"title": "Dawn", "lines": ["Hello."]}
    model = ScriptedBackend(lambda request: json.dumps(scene) if request.response_schema else " Once upon a time. ")

    as_class = await DialogGenerator("A scene.", output_format=Scene).generate(model=model)
    as_schema = await DialogGenerator("A scene.", output_format=Scene.model_json_schema()).generate(model=model)
    as_text = await DialogGenerator("A scene.", output_format=None).generate(model=model)

    assert as_class == Scene(title="Dawn", lines=["Hello."])
    assert as_schema == scene
    assert as_text == "Once upon a time."


async def test_a_dialog_that_never_fits_fails_with_what_was_wrong() -> None:
    with pytest.raises(DialogFailed, match="did not fit"):
        await DialogGenerator("Talk.").generate(model=ScriptedBackend(lambda request: "no"))


async def test_speakers_stand_for_personas_by_their_names() -> None:
    model = Writer()

    dialog = await PersonaDialogGenerator(ALICE, BOB, speaker_a="A", speaker_b="B", dialogue_details="On tea.")(
        model=model
    )

    assert dialog.get_speakers() == ["A", "B"]
    assert dialog.personas == {"A": ALICE.fields(), "B": BOB.fields()}
    asked = model.asked[0].messages[-1].text
    assert "On tea." in asked
    assert '"role": "barista"' in asked


async def test_names_and_the_rest_may_be_given_by_place_in_sdialogs_order() -> None:
    model = Writer()

    dialog = await PersonaDialogGenerator(ALICE, BOB, "A", "B", CAFE, None, "On tea.", "Rhyme.", "one", model)()

    assert (dialog.get_speakers(), dialog.context, dialog.scenario) == (["A", "B"], CAFE, "one")
    assert "On tea.\nRhyme." in model.asked[0].messages[-1].text
    with pytest.raises(TypeError, match=r"go in others=\[\.\.\.\]"):
        PersonaDialogGenerator(ALICE, BOB, CEM)  # type: ignore[arg-type]  # a persona is no name


async def test_more_than_two_personas_talk() -> None:
    dialog = await PersonaDialogGenerator(ALICE, BOB, others=[CEM]).generate(model=Writer())

    assert dialog.get_speakers() == ["SPEAKER_A", "SPEAKER_B", "SPEAKER_C"]


async def test_a_speaker_who_does_not_take_part_is_told_to_be_wrong() -> None:
    def spoils(request: CompletionRequest, said: dict[str, Any]) -> Any:
        if len(request.messages) == 2:
            said["dialog"][0]["speaker"] = "Nobody"
        return said

    model = Writer(spoils)

    dialog = await PersonaDialogGenerator(ALICE, BOB).generate(model=model)

    assert dialog.get_speakers() == ["SPEAKER_A", "SPEAKER_B"]
    assert "'Nobody' is not one of" in model.asked[1].messages[-1].text


async def test_agents_play_it_themselves() -> None:
    generator = PersonaDialogGenerator(Agent(ALICE), Agent(BOB), context=CAFE)

    dialog = await generator.generate(
        max_turns=4, seed=2, id="d1", model=ScriptedBackend(lambda r: f"Line {r.sequence}.")
    )

    assert (len(dialog), dialog.get_speakers(), dialog.context, dialog.id) == (4, ["Alice", "Bob"], CAFE, "d1")
    assert generator.scenario_of_agents().max_turns == 200


def test_personas_and_agents_do_not_mix_and_names_must_differ() -> None:
    with pytest.raises(TypeError, match="do not go together"):
        PersonaDialogGenerator(ALICE, Agent(BOB))
    with pytest.raises(ValueError, match="different names"):
        PersonaDialogGenerator(ALICE, BOB, speaker_a="X", speaker_b="X")


async def test_a_thousand_dialogs_are_written_at_once_resumed_and_replayed(tmp_path: Path) -> None:
    generator = PersonaDialogGenerator(ALICE, BOB, context=CAFE, dialogue_details="On tea.")
    writings = [generator.writing(notes=place) for place in range(1000)]

    async with Simulation(model=Writer(), seed=1, journal=tmp_path / "d.db") as simulation:
        first = [dialog async for dialog in simulation.run(writings, first=600)]
    async with Simulation.resume(tmp_path / "d.db", model=Writer()) as simulation:
        rest = [dialog async for dialog in simulation.run()]
    kept = list(dialogs_in(tmp_path / "d.db"))
    async with Simulation.replay(tmp_path / "d.db") as simulation:
        replayed = [dialog async for dialog in simulation.run()]

    assert (len(first), len(rest)) == (600, 400)
    expected = sorted(dialog.digest() for dialog in (*first, *rest))
    assert sorted(dialog.digest() for dialog in kept) == expected
    assert sorted(dialog.digest() for dialog in replayed) == expected


def a_dialog() -> Dialog:
    call = {"name": "due", "args": {}, "id": "c1"}
    return Dialog(
        id="source",
        personas={"Bot": {"name": "Bot"}, "Ann": {"name": "Ann"}},
        context=CAFE,
        scenario="library",
        notes="n",
        turns=[
            Turn(speaker="Ann", text="When is it due?"),
            Turn(speaker="Bot", text="IT IS DUE AT SIX."),
            Turn(speaker="Ann", text="Thanks."),
        ],
        events=[
            Event(agent="Ann", action="utter", content="When is it due?", timestamp=1),
            Event(agent="Bot", action="think", content="Let me look.", timestamp=2),
            Event(agent="Bot", action="tool", actionLabel="call", content=call, timestamp=3),
            Event(agent="Bot", action="utter", content="IT IS DUE AT SIX.", timestamp=4),
            Event(agent="Ann", action="utter", content="Thanks.", timestamp=5),
            Event(agent="Ann", action="instruct", actionLabel="late", content="Leave.", timestamp=6),
        ],
    )


@pytest.mark.parametrize("turn_by_turn", [False, True])
async def test_all_turns_get_new_words_and_the_rest_stays(turn_by_turn: bool) -> None:
    """In sdialog the events were dropped, and a model that gave fewer turns made the dialog shorter."""
    source, model = a_dialog(), Writer()

    dialog = await Paraphraser("Be kind.", turn_by_turn=turn_by_turn)(source, seed=5, model=model)

    assert [turn.speaker for turn in dialog] == ["Ann", "Bot", "Ann"]
    assert all(turn.text.startswith("new ") for turn in dialog)
    assert [(event.action, event.content) for event in dialog.events or ()] == [
        ("utter", dialog[0].text),
        ("think", "Let me look."),
        ("tool", {"name": "due", "args": {}, "id": "c1"}),
        ("utter", dialog[1].text),
        ("utter", dialog[2].text),
        ("instruct", "Leave."),
    ]
    assert (dialog.parentId, dialog.seed, dialog.notes, dialog.scenario) == ("source", 5, "n", "library")
    assert (dialog.personas, dialog.context) == (source.personas, CAFE)
    assert source == a_dialog()
    assert len(model.asked) == (3 if turn_by_turn else 1)
    assert all("Be kind." in request.messages[-1].text for request in model.asked)


@pytest.mark.parametrize("turn_by_turn", [False, True])
async def test_only_the_turns_of_the_speaker_that_is_meant_get_new_words(turn_by_turn: bool) -> None:
    model = Writer()

    dialog = await Paraphraser(turn_by_turn=turn_by_turn)(a_dialog(), "bot", model=model)

    assert [turn.text for turn in dialog][::2] == ["When is it due?", "Thanks."]
    assert dialog[1].text.startswith("new ")
    assert len(model.asked) == 1


async def test_fewer_turns_than_there_are_are_asked_for_again_and_never_taken() -> None:
    def once(request: CompletionRequest, said: dict[str, Any]) -> Any:
        return said if len(request.messages) > 2 else {"turns": said["turns"][:-1]}

    def always(request: CompletionRequest, said: dict[str, Any]) -> Any:
        return {"turns": said["turns"][:-1]}

    put_right = await Paraphraser()(a_dialog(), model=Writer(once))
    kept = await Paraphraser()(a_dialog(), raise_on_validation_failure=False, model=Writer(always))

    assert len(put_right) == 3
    assert [turn.text for turn in kept] == [turn.text for turn in a_dialog()]
    assert kept.parentId == "source"
    with pytest.raises(DialogFailed, match="too short"):
        await Paraphraser()(a_dialog(), model=Writer(always))


async def test_a_speaker_who_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="Eve does not speak in this dialog; there are Ann, Bot"):
        await Paraphraser(target_speaker="Eve")(a_dialog(), model=Writer())


async def test_how_the_run_samples_holds_and_the_model_is_in_the_header() -> None:
    """sdialog's Paraphraser did not go by the configured parameters."""
    model = Writer()

    async with Simulation(model=model, model_parameters=Parameters(temperature=0.2)) as simulation:
        dialog = await Paraphraser(top_p=0.5)(a_dialog(), simulation=simulation)

    assert (model.asked[0].parameters.temperature, model.asked[0].parameters.top_p) == (0.2, 0.5)
    assert dialog.model == {"name": "scripted", "top_p": 0.5}


async def test_many_are_reworded_at_once_and_kept(tmp_path: Path) -> None:
    paraphraser = Paraphraser(turn_by_turn=True)

    async with Simulation(model=Writer(), seed=1, journal=tmp_path / "d.db") as simulation:
        dialogs = [d async for d in simulation.run([paraphraser.rewording(a_dialog()) for _ in range(50)])]
    kept = list(dialogs_in(tmp_path / "d.db"))

    assert sorted(d.digest() for d in dialogs) == sorted(d.digest() for d in kept)
    assert all(d.parentId == "source" for d in kept)
