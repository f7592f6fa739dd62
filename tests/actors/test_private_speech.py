"""What is said to some is heard by nobody else: not in a prompt, not by an adviser, a policy or a fork."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from playact.actors import (
    AddressedByName,
    Agent,
    Asides,
    Channel,
    Earshot,
    Moderator,
    Orchestrator,
    Persona,
    Scenario,
)
from playact.actors.playbill import Playbill
from playact.actors.recipes import recipe_of, scenario_from
from playact.actors.speech.addressees import Addressees
from playact.actors.speech.markup import Markup
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, Dialog, Simulation, ToolCall, Turn, Uttered
from playact.engine.completion import Message
from playact.engine.exports import Perspective, export
from playact.engine.said import Said, written

pytestmark = pytest.mark.anyio

SECRET = "xyzzy"
NAMES = ("Ana", "Ben", "Cem")
ANA, BEN, CEM = CAST = tuple(Agent(Persona(name=name)) for name in NAMES)
Lines = Mapping[str, Sequence[str]]


def speaker_of(request: CompletionRequest) -> str:
    """Who is asked; "" for a moderator."""
    first = request.messages[0].text
    return next((name for name in NAMES if first.startswith(f"You are {name}.")), "")


def acting(lines: Lines, seen: list[CompletionRequest]) -> ScriptedBackend:
    """A model with lines for each speaker, told in turn; a moderator's model gives the floor to the first it may."""
    spoken = dict.fromkeys(NAMES, 0)

    def answer(request: CompletionRequest) -> str:
        seen.append(request)
        name = speaker_of(request)
        if not name:
            return json.dumps({"speaker": request.messages[-1].text.rpartition("next: ")[2].split()[0].strip(",?")})
        own, spoken[name] = lines.get(name, ()), spoken[name] + 1
        return own[spoken[name] - 1] if spoken[name] <= len(own) else f"{name} says line {spoken[name]}."

    return ScriptedBackend(answer)


async def played(lines: Lines, seen: list[CompletionRequest], turns: int = 6, **more: object) -> Dialog:
    scenario = Scenario.model_validate({"cast": CAST, "asides": True, "max_turns": turns, "seed": 3} | more)
    async with Simulation(model=acting(lines, seen), seed=1) as simulation:
        return await simulation.play(scenario)


def all_text(request: CompletionRequest) -> str:
    """All that a model is given, in whatever field."""
    return repr(request)


def who_saw(word: str, seen: Sequence[CompletionRequest]) -> set[str]:
    return {speaker_of(request) for request in seen if word in all_text(request)}


def extra(turn: Turn) -> dict[str, Any]:
    return dict(turn.model_extra or {})


async def test_a_whisper_is_heard_by_those_it_is_for_and_by_nobody_else() -> None:
    seen: list[CompletionRequest] = []
    dialog = await played({"Ana": [f"[to Ben: The word is {SECRET}.]"]}, seen)

    assert who_saw(SECRET, seen) == {"Ana", "Ben"}
    assert seen[1].messages[-1].text == f"Ana: [to Ben: The word is {SECRET}.]"
    assert (dialog[0].text, extra(dialog[0])) == (f"The word is {SECRET}.", {"heard_by": ["Ben"]})


async def test_a_turn_may_be_for_all_and_have_an_aside_in_it() -> None:
    seen: list[CompletionRequest] = []
    dialog = await played(
        {"Ana": [f"Good day. [to Ben and Cem: {SECRET}] Shall we?", f"[to Ben: {SECRET}2]"]}, seen, turns=7
    )

    assert dialog[0].text == "Good day. Shall we?"
    assert extra(dialog[0])["parts"] == [
        {"channel": "speech", "text": "Good day."},
        {"channel": "speech", "text": SECRET, "heard_by": ["Ben", "Cem"]},
        {"channel": "speech", "text": "Shall we?"},
    ]
    assert "Ana: Good day. [to Ben and Cem: xyzzy] Shall we?" in seen[2].messages[-1].text
    assert who_saw(f"{SECRET}2", seen) == {"Ana", "Ben"}


class Nosy(Orchestrator):
    """Keeps all that it is shown, and asks that nothing be done."""

    shown: list[str]

    def __init__(self) -> None:
        self.shown = []

    def instruct(self, dialog: Dialog, utterance: str) -> None:
        self.shown += [utterance, dialog.json(string=True)]

    def fresh(self) -> Nosy:
        return self


class Eavesdropper:
    """A turn policy that keeps all that it is shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def next_speaker(self, cast: Sequence[str], dialog: Dialog) -> int:
        self.shown.append(dialog.json(string=True))
        return len(dialog) % len(cast)


async def test_advisers_and_policies_are_shown_no_more_than_their_own_agent_or_everybody_hears() -> None:
    nosy, policy = Nosy(), Eavesdropper()
    cast = (ANA, BEN, CEM | nosy)
    lines = {"Ana": [f"Hello. [to Ben: {SECRET}]"], "Ben": [f"[to Ana: {SECRET}]", f"[to Cem: {SECRET}]"]}
    await played(lines, [], cast=cast, turn_policy=policy, turns=9)

    before, after = nosy.shown[:2], nosy.shown[2:]
    assert not any(SECRET in text for text in (*before, *policy.shown))
    assert any(SECRET in text for text in after)  # told it in the end, he may know
    assert len(policy.shown) == 9
    assert nosy.shown[0] == ""  # Ben's whisper to Ana was the last thing said


async def test_moderators_and_named_speakers_are_chosen_by_what_all_hear() -> None:
    seen: list[CompletionRequest] = []
    await played({"Ana": [f"Cem? [to Ben: {SECRET}]"]}, seen, turn_policy=Moderator())
    addressed = await played({"Ana": [f"Cem, listen. [to Ben: Ben, {SECRET}?]"]}, [], turn_policy=AddressedByName())

    assert who_saw(SECRET, seen) <= {"Ana", "Ben"}
    assert any(not speaker_of(request) for request in seen)
    assert [turn.speaker for turn in addressed][:2] == ["Ana", "Cem"]


async def test_who_hears_nothing_for_a_while_is_told_so_and_is_never_given_an_empty_chat() -> None:
    seen: list[CompletionRequest] = []
    lines = {"Ana": ["Hi.", "[to Ben: a]", "[to Ben: b]"], "Ben": ["Hi.", "[to Ana: c]", "[to Ana: d]"]}
    await played(lines, seen, turns=9)

    last = [request for request in seen if speaker_of(request) == "Cem"][-1]
    assert [(m.role, m.text) for m in last.messages[1:]] == [
        ("user", "Ana: Hi.\nBen: Hi."),
        ("assistant", "Cem says line 1."),
        ("user", "(You hear nothing.)"),
        ("assistant", "Cem says line 2."),
        ("user", "(You hear nothing.)"),
    ]


@pytest.mark.parametrize(
    ("text", "hearers"),
    [
        (f"[to Dan: {SECRET}] Hello.", set()),
        (f"[to ben: {SECRET}", {"Ben"}),
        (f"Well. [TO Ben & Cem only: {SECRET}]", {"Ben", "Cem"}),
        (f"[to Ben: a [b] {SECRET}] Bye for now.", {"Ben"}),
        (f"[to everyone: {SECRET}]", {"Ben", "Cem"}),
        (f"(to be fair: {SECRET}) [sic]", {"Ben", "Cem"}),
        (f"[to Ben, Dan: {SECRET}]", {"Ben"}),
        (f"Hello. [to Ben] {SECRET}, and mind: {SECRET}", {"Ben"}),
        (f"[to Ben and Cem]: {SECRET}", {"Ben", "Cem"}),
    ],
)
async def test_what_was_meant_for_few_never_becomes_public_by_a_slip(text: str, hearers: set[str]) -> None:
    seen: list[CompletionRequest] = []
    await played({"Ana": [text]}, seen, turns=3)

    assert who_saw(SECRET, seen) == hearers


@pytest.mark.parametrize(
    ("text", "hearers"),
    [
        ("[to Ben: a]", ("Ben",)),
        ("[to ben: a]", ("ben",)),
        ("[to BEN: a]", ("Ben", "ben")),
        ("[to Tom and Ana: a]", ("Tom and Ana",)),
        ("[to Ana: a]", ("Ana",)),
        ("[to R2 [bot]: a]", ("R2 [bot]",)),
        ("[to R2 [bot] and Zoë: née: a]", ("R2 [bot]", "Zoë: née")),
        ("[to Zoë: née] a", ("Zoë: née",)),
    ],
)
def test_a_whisper_is_for_whom_it_names_however_odd_the_name(text: str, hearers: tuple[str, ...]) -> None:
    markup = Markup((), ("Ben", "ben", "Tom and Ana", "Ana", "R2 [bot]", "Zoë: née"))

    assert markup.parts(text) == [Said("speech", "a", hearers)]


@pytest.mark.parametrize(
    ("text", "hearers"),
    [
        ("*leans over [to Ben: xyzzy]*", {"Ben"}),
        ("*[to Ben: xyzzy]* so.", {"Ben"}),
        ("*leans [to Ben: xyzzy* Hello.", {"Ben"}),
        ("[action: leans [to Ben: xyzzy]] ok", {"Ben"}),
        ("*smiles [thought: xyzzy]*", set()),
        ("[action: leans [thought: xyzzy]]", set()),
        ("[to Ben: x [thought: xyzzy] y]", set()),
        ("[to Ben: x [action: xyzzy] y]", {"Ben"}),
        ("[to Ben: x [to Cem: xyzzy] y]", set()),
        ("[to all: x [to Cem: xyzzy] y]", {"Cem"}),
        ("[thought: x [to Cem: xyzzy] y]", set()),
        ("[to Ben] x [thought: xyzzy]", set()),
        ("[to Ben only] xyzzy", {"Ben"}),
        ("[to Ben, and Cem] xyzzy", {"Ben", "Cem"}),
        ("[to Ben / Cem] xyzzy", {"Ben", "Cem"}),
        ("[to Ben, Zed] xyzzy", {"Ben"}),
        ('[to "Ben"] xyzzy', {"Ben"}),
        ("[to **Ben**] xyzzy", {"Ben"}),
        ("[to @Ben] xyzzy", {"Ben"}),
        ("[to Ben\n: xyzzy]", {"Ben"}),
        ("[to Ben\uff1axyzzy]", {"Ben"}),
        ("\uff3bto Ben: xyzzy\uff3d", {"Ben"}),
        ("\u3010to Ben: xyzzy\u3011", {"Ben"}),
        ("[**to Ben**: xyzzy]", {"Ben"}),
        ("[**thought**\uff1axyzzy]", set()),
        ("[\u200bto Ben: xyzzy]", {"Ben"}),
        ("[to Ben: hah :-] xyzzy]", {"Ben"}),
        ("*winks [to Ben: hah :-] xyzzy] at Cem*", {"Ben"}),
        ("[to: Ben] xyzzy", {"Ben"}),
        ("[to Zed] xyzzy", set()),
        ("[to zed] xyzzy", set()),
        ("[to Ben Zed: xyzzy]", set()),
        ("[to Ben quietly] xyzzy", set()),
        ("[to Ben xyzzy] Hello.", set()),
        ("[to Ben xyzzy", set()),
        ("[to [Ben]] xyzzy", set()),
        ("[to Benor: xyzzy]", set()),
        ("[to myself] xyzzy", set()),
        ("[to the king] xyzzy", set()),
        ("[to be honest: xyzzy]", set()),
        ("[to be honest] xyzzy", {"Ben", "Cem"}),
        ("[tonight: xyzzy] [to-do] xyzzy", {"Ben", "Cem"}),
        ("[to Ben: psst] xyzzy :-)", {"Ben", "Cem"}),
        (":-] xyzzy [to Ben: psst]", {"Ben", "Cem"}),
    ],
)
async def test_what_begins_as_an_aside_stays_one_wherever_it_stands_and_however_it_is_written(
    text: str, hearers: set[str]
) -> None:
    seen: list[CompletionRequest] = []
    dialog = await played({"Ana": [f"Hi. {text}"]}, seen, turns=3, channels=["action", "thought"])

    assert who_saw(SECRET, seen) == hearers
    assert SECRET in repr((dialog[0].text, extra(dialog[0])))  # it is told of, whoever hears it


@pytest.mark.parametrize("by", ["words", "tool"])
@pytest.mark.parametrize("form", ["markup", "json"])
async def test_an_aside_in_words_is_one_whatever_the_form_of_asides_and_turns(by: str, form: str) -> None:
    def answer(request: CompletionRequest) -> str:
        seen.append(request)
        words = f"Hi. [to Ben: {SECRET}]" if speaker_of(request) == "Ana" else "Hm."
        schema: Mapping[str, Any] = request.response_schema or {}
        properties = schema.get("required", [])
        content = {name: [] if name == "to" else "" for name in properties} | {"speech": words}
        return json.dumps(content) if properties else words

    seen: list[CompletionRequest] = []
    rules = {"cast": CAST, "asides": {"by": by}, "turn_form": form, "channels": "thought", "max_turns": 3}
    async with Simulation(model=ScriptedBackend(answer)) as simulation:
        await simulation.play(Scenario.model_validate(rules))

    assert who_saw(SECRET, seen) == {"Ben"}


@pytest.mark.parametrize(
    ("names", "confidants", "text", "hearers"),
    [
        (("Ana Lee", "Ana", "Dan"), ("Ana Lee",), "[to Ana: a]", ()),
        (("Ana Lee", "Ana Bo", "Dan"), ("Ana Lee",), "[to Ana: a]", ()),
        (("Ana Lee", "Ana Bo", "Dan"), ("Ana Lee",), "[to ana lee: a]", ("Ana Lee",)),
        (("Ana Lee", "Dan"), ("Ana Lee",), "[to Ana: a]", ("Ana Lee",)),
        (("All", "Dan"), ("All", "Dan"), "[to all: a]", ("All",)),
        (("Everybody", "Dan"), ("Dan",), "[to Everybody: a]", ()),
        (("Everyone Else", "Dan"), ("Everyone Else", "Dan"), "[to everyone] a", ("Everyone Else",)),
        (("Be Honest", "Dan"), ("Be Honest", "Dan"), "[to be honest] a", ("Be Honest",)),
        (("Strauß", "Dan"), ("Strauß", "Dan"), "[to STRAUSS] a", ("Strauß",)),
        (("İlker", "Dan"), ("İlker", "Dan"), "[to İlker] a", ("İlker",)),
        (("Jos\u00e9", "Dan"), ("Jos\u00e9", "Dan"), "[to Jose\u0301] a", ("Jos\u00e9",)),
        (("Jose\u0301", "Dan"), ("Jose\u0301", "Dan"), "[to JOS\u00c9: a]", ("Jose\u0301",)),
        (("Jose", "Dan"), ("Jose", "Dan"), "[to Jos\u00e9: a]", ()),
        (("Ben  Bo", "Dan"), ("Ben  Bo", "Dan"), "[to Ben Bo] a", ("Ben  Bo",)),
        (("Ben Bo", "Dan"), ("Ben Bo", "Dan"), "[to Ben\nBo: a]", ("Ben Bo",)),
        (("Only", "and"), ("Only", "and"), "[to only and and: a]", ("Only", "and")),
        (("]x[", "Dan"), ("]x[", "Dan"), "[to ]x[: a", ("]x[",)),
    ],
)
def test_a_name_is_looked_for_in_the_whole_cast_and_heard_by_confidants_alone(
    names: tuple[str, ...], confidants: tuple[str, ...], text: str, hearers: tuple[str, ...]
) -> None:
    markup = Markup((), confidants, ("Cem", *names))

    assert markup.parts(text) == [Said("speech", "a", hearers)]


async def test_a_whisper_by_a_tool_goes_to_no_namesake_of_who_may_not_hear_it() -> None:
    heard = Addressees(("Ana Lee",), ("Cem", "Ana Lee", "Ana"))

    assert (heard.hearers(["Ana"]), heard.hearers(["ANA  Lee"])) == ((), ("Ana Lee",))


async def test_only_those_whom_the_scenario_lets_whisper_to_each_other() -> None:
    seen: list[CompletionRequest] = []
    asides = Asides(between=(("Ana", "Ben"),))
    await played({"Ana": [f"Hm. [to Cem: {SECRET}]"], "Ben": ["[to Ana: aside]"]}, seen, asides=asides)

    assert who_saw(SECRET, seen) == {"Ana"}
    assert who_saw("aside", seen) == {"Ana", "Ben"}
    prompts = {speaker_of(request): request.messages[0].text for request in seen}
    assert prompts["Ana"].endswith(
        "To tell something to Ben only, write it as [to Ben: ...]; nobody else hears what is in brackets."
    )
    assert "[to" not in prompts["Cem"]


async def test_a_whisper_by_a_tool_is_part_of_the_turn_and_heard_by_those_it_names() -> None:
    seen: list[CompletionRequest] = []

    def answer(request: CompletionRequest) -> Completion | str:
        seen.append(request)
        if speaker_of(request) == "Ana" and request.messages[-1].role != "tool":
            call = ToolCall("c1", "whisper", json.dumps({"to": ["Ben"], "text": SECRET}))
            return Completion(text="", tool_calls=(call,))
        return f"This is line {request.sequence}."

    async with Simulation(model=ScriptedBackend(answer)) as simulation:
        dialog = await simulation.play(Scenario(cast=CAST, asides=Asides(by="tool"), max_turns=3))

    assert [(tool.name) for tool in seen[0].tools] == ["whisper"]
    assert seen[1].messages[-1].text == "Ben heard it, nobody else."
    assert who_saw(SECRET, seen) == {"Ana", "Ben"}
    assert dialog[0].text == "This is line 1."
    assert extra(dialog[0])["parts"][0] == {"channel": "speech", "text": SECRET, "heard_by": ["Ben"]}


async def test_a_rule_of_the_place_says_who_hears_whom() -> None:
    seen: list[CompletionRequest] = []
    dialog = await played({"Ana": [SECRET]}, seen, asides=None, hearing={"Ana": ["Cem"]})

    assert who_saw(SECRET, seen) == {"Ana", "Cem"}
    assert extra(dialog[0]) == {"heard_by": ["Cem"]}


async def test_a_rule_in_python_narrows_who_hears_and_never_widens_it() -> None:
    class Loud:
        def hearers(self, speaker: str, text: str, cast: Sequence[str]) -> Sequence[str] | None:
            return ["Ben", "Cem"] if SECRET in text else None

    seen: list[CompletionRequest] = []
    await played({"Ana": [f"[to Ben: {SECRET}]"]}, seen, hearing=Loud())

    assert who_saw(SECRET, seen) == {"Ana", "Ben"}


async def test_an_echo_of_what_an_agent_did_not_hear_is_none() -> None:
    secret = "The code of the safe is xyzzy, and it stands behind the kitchen clock."
    lines = {"Ana": [f"[to Ben: {secret}]"], "Ben": ["Hm."], "Cem": [secret]}

    hidden = await played(lines, [], turns=3)
    public = await played({**lines, "Ana": [secret]}, [], turns=3)

    assert [row.actionLabel for row in public.events or () if row.action == "flaw"] == ["echo"]
    assert [row for row in hidden.events or () if row.action == "flaw"] == []


async def test_at_the_end_an_adviser_is_shown_what_its_agent_heard() -> None:
    class Last(Nosy):
        def conclude(self, dialog: Dialog) -> None:
            self.shown.append(dialog.json(string=True))

    last = Last()
    await played({"Ana": [f"Hello. [to Ben: {SECRET}]"]}, [], cast=(ANA, BEN, CEM | last), turns=3)

    assert len(last.shown) == 3
    assert not any(SECRET in text for text in last.shown)


@pytest.mark.parametrize("assistant", NAMES)
async def test_nobody_is_trained_on_what_it_did_not_hear(assistant: str) -> None:
    lines = {"Ana": [f"Hello. [to Ben: {SECRET}]"], "Ben": [f"[to Ana: {SECRET}, you say?]"]}
    dialog = await played(lines, [], turns=6)

    (chat,) = Perspective(assistant=assistant).chats(dialog)

    assert any(SECRET in message.text for message in chat.messages) is (assistant != "Cem")
    if assistant == "Ana":
        assert Message("assistant", f"Hello. [to Ben: {SECRET}]") in chat.messages


@pytest.mark.parametrize("ending", ["txt", "csv"])
def test_files_of_text_show_who_heard_what(tmp_path: Path, ending: str) -> None:
    of_two().to_file(tmp_path / f"own.{ending}")
    export([of_two()], tmp_path / f"all.{ending}", format=ending)

    for file in (tmp_path / f"own.{ending}", tmp_path / f"all.{ending}"):
        assert file.read_text(encoding="utf-8").count(f"[to Ben: {SECRET}]") == 2


async def test_examples_show_what_all_heard() -> None:
    seen: list[CompletionRequest] = []
    example = await played({"Ana": [f"Hello. [to Ben: {SECRET}]"], "Ben": [f"[to Ana: {SECRET}]"]}, [], turns=2)
    cast = (ANA, BEN, Agent(CEM.persona, example_dialogs=[example]))
    await played({}, seen, cast=cast, turns=3)

    assert who_saw("Ana: Hello.", seen) == {"Cem"}
    assert who_saw(SECRET, seen) == set()


async def test_files_keep_who_heard_it_and_a_fork_keeps_it_from_the_others(tmp_path: Path) -> None:
    told = f"Hello. [to Ben: {SECRET}]"
    dialog = await played({"Ana": [told], "Ben": [f"[to Ana: {SECRET}]"]}, [], turns=3)
    dialog.to_file(tmp_path / "dialog.json")
    read = Dialog.from_file(tmp_path / "dialog.json")

    for parent in (dialog, read, Dialog(id="x", seed=1, personas=read.personas, turns=read.turns)):
        seen: list[CompletionRequest] = []
        async with Simulation(model=acting({}, seen)) as simulation:
            forked = await simulation.fork(parent, turn=3, scenario=Scenario(cast=CAST, max_turns=6))
        assert who_saw(SECRET, seen) == {"Ana", "Ben"}
        assert [extra(turn) for turn in forked][:3] == [extra(turn) for turn in dialog]
    assert read.digest() == dialog.digest()


async def test_who_takes_a_seat_in_a_fork_hears_what_was_for_that_seat() -> None:
    seen: list[CompletionRequest] = []
    dialog = await played({"Ana": [f"[to Ben: {SECRET}]"]}, [], turns=1)
    cast = (CEM, ANA, BEN)  # Ana sits now where Ben sat
    async with Simulation(model=acting({}, seen)) as simulation:
        await simulation.fork(dialog, turn=1, scenario=Scenario(cast=cast, max_turns=4))

    assert who_saw(SECRET, seen) == {"Cem", "Ana"}


async def test_a_resumed_and_a_replayed_run_keep_the_secret_and_every_word(tmp_path: Path) -> None:
    lines = {"Ana": [f"Hello. [to Ben: {SECRET}] *nods*"], "Ben": [f"[to Ana: {SECRET}]"]}
    channels = ["action", "thought"]
    scenario = Scenario.model_validate({"cast": CAST, "asides": True, "max_turns": 6, "seed": 3, "channels": channels})
    expected = (await played(lines, [], channels=channels)).digest()
    journal, seen = tmp_path / "run.db", list[CompletionRequest]()

    async def stops(request: CompletionRequest) -> str:
        if request.sequence == 4:
            scope.cancel()
            await anyio.sleep_forever()
        return str(answers(request))

    answers: Callable[[CompletionRequest], Any] = acting(lines, seen)._script
    with anyio.CancelScope() as scope:
        async with Simulation(model=ScriptedBackend(stops), journal=journal, seed=1) as simulation:
            async for _ in simulation.run([scenario]):
                pass
    async with Simulation.resume(journal, model=ScriptedBackend(answers)) as simulation:
        (dialog,) = [dialog async for dialog in simulation.run()]
    async with Simulation.replay(journal) as simulation:
        (replayed,) = [dialog async for dialog in simulation.run()]

    assert dialog.digest() == expected == replayed.digest()
    assert who_saw(SECRET, seen) == {"Ana", "Ben"}


async def test_the_others_hear_what_somebody_does_and_nobody_what_somebody_thinks() -> None:
    seen: list[CompletionRequest] = []
    line = f"*sits down* Tea, please. [thought: {SECRET}] *smiles*"
    dialog = await played({"Ana": [line]}, seen, asides=None, channels=["action", "thought"])

    assert seen[1].messages[-1].text == "Ana: *sits down* Tea, please. *smiles*"
    assert seen[3].messages[2].text == line  # her own words, as she wrote them
    assert who_saw(SECRET, seen) == {"Ana"}
    assert dialog[0].text == "Tea, please."
    assert [part["channel"] for part in extra(dialog[0])["parts"]] == ["action", "speech", "thought", "action"]
    assert dialog.events is not None
    assert [(e.action, e.content) for e in dialog.events[:4]] == [
        ("action", "sits down"),
        ("thought", SECRET),
        ("action", "smiles"),
        ("utter", "Tea, please."),
    ]
    assert (
        seen[0]
        .messages[0]
        .text.endswith(
            "Put what you do between asterisks, as in *sits down*. "
            "Put your thought in brackets, as in [thought: ...]; nobody else knows of it."
        )
    )


async def test_a_turn_that_is_nothing_but_an_action_is_a_turn_and_one_that_is_only_thought_is_asked_again() -> None:
    seen: list[CompletionRequest] = []
    lines = {"Ana": ["*waves*"], "Ben": ["[thought: Hm.]", "Hello."]}
    dialog = await played(lines, seen, turns=2, channels=["action", "thought"])

    assert [turn.text for turn in dialog] == ["*waves*", "Hello."]
    assert len(seen) == 3


async def test_channels_may_be_an_agents_own_and_limited_and_what_is_not_declared_stays_speech() -> None:
    seen: list[CompletionRequest] = []
    short = (Channel("action", max_chars=10), Channel("speech", max_chars=12))
    cast = (Agent(ANA.persona, channels=short), BEN)
    lines = {"Ana": ["*walks over the bridge* Good morning to you."], "Ben": ["*nods* [mood: glad] **Yes**, 2*3*4."]}
    dialog = await played(lines, seen, cast=cast, asides=None, turns=2)

    assert [part["text"] for part in extra(dialog[0])["parts"]] == ["walks over", "Good morning"]
    assert (dialog[1].text, extra(dialog[1])) == ("*nods* [mood: glad] **Yes**, 2*3*4.", {})


async def test_turns_may_be_json_for_models_that_are_kept_to_a_schema() -> None:
    seen: list[CompletionRequest] = []
    turn = {"action": "sits down", "thought": SECRET, "to": ["Cem"], "speech": "Psst."}
    lines = {"Ana": [json.dumps(turn)]} | {
        n: [json.dumps(turn | {"to": [], "thought": ""})] * 3 for n in ("Ben", "Cem")
    }
    dialog = await played(lines, seen, turns=3, channels=["action", "thought"], turn_form="json")

    assert extra(dialog[0]) == {
        "heard_by": ["Cem"],
        "parts": [
            {"channel": "action", "text": "sits down"},
            {"channel": "thought", "text": SECRET, "heard_by": []},
            {"channel": "speech", "text": "Psst.", "heard_by": ["Cem"]},
        ],
    }
    assert seen[1].messages[-1].text == "Ana: *sits down*"
    assert who_saw("Psst", seen[:3]) == {"Cem"}
    assert seen[0].response_schema is not None
    assert seen[0].response_schema["required"] == ["action", "thought", "to", "speech"]


def of_two() -> Dialog:
    parts = [{"channel": "speech", "text": "Hi."}, {"channel": "speech", "text": SECRET, "heard_by": ["Ben"]}]
    turns = [{"speaker": "Ana", "text": "Hi.", "parts": parts}, {"speaker": "Ana", "text": SECRET, "heard_by": ["Ben"]}]
    return Dialog.from_dict({"turns": turns, "events": None})


def test_a_dialog_that_is_reworded_renamed_or_collapsed_keeps_its_secrets() -> None:
    shouted, renamed, collapsed = of_two().upper(), of_two().rename_speaker("Ben", "Bo"), of_two().collapse()

    assert [part["text"] for part in extra(shouted[0])["parts"]] == ["HI.", SECRET.upper()]
    assert extra(renamed[0])["parts"][1]["heard_by"] == extra(renamed[1])["heard_by"] == ["Bo"]
    assert len(collapsed) == 2


def test_a_dialog_on_a_terminal_shows_who_heard_what(capsys: pytest.CaptureFixture[str]) -> None:
    of_two().print()

    assert f"Ana: Hi. [to Ben: {SECRET}]\nAna: [to Ben: {SECRET}]\n" in capsys.readouterr().out


words = st.text("abc ,.é", min_size=1, max_size=12).filter(lambda text: text.strip() == text)
hearers = st.sampled_from([("Ben",), ("Cem",), ("Ben", "Cem")])
saids = st.one_of(
    st.builds(Said, st.just("action"), words, st.none()),
    st.builds(Said, st.just("thought"), words, st.none()),
    st.builds(Said, st.just("speech"), words, hearers),
)


@given(st.lists(saids, max_size=6))
def test_what_is_written_is_read_as_it_was_meant(parts: list[Said]) -> None:
    markup = Markup(("action", "thought"), ("Ben", "Cem"))

    assert markup.parts(written(parts)) == parts


@given(st.text("[]:*to BenCmaz \n", max_size=60))
def test_nothing_that_stands_in_an_aside_is_ever_heard_by_others(text: str) -> None:
    parts = Markup(("action", "thought"), ("Ben", "Cem")).parts(f"[to Ben: {SECRET} {text}")

    assert parts[0].text.startswith(SECRET)
    assert parts[0].heard_by == ("Ben",)
    assert all(SECRET not in part.text for part in parts[1:])


@given(st.text("[]:*to Bent,\n", max_size=30), st.text("[]:*to BenCmaz \n", max_size=60))
def test_whatever_stands_before_it_an_aside_is_heard_by_no_more_than_whom_it_is_for(before: str, after: str) -> None:
    markup = Markup(("action", "thought"), ("Ben", "Cem"), private=("thought",))

    parts = markup.parts(f"{before} [to Ben: {SECRET} {after}")

    (told,) = [part for part in parts if SECRET in part.text]
    assert told.heard_by is not None
    assert set(told.heard_by) <= {"Ben"}


@given(st.text("[]:*to BenCm\uff3b\u00df\u0301\u200b ,", max_size=60))
def test_no_word_is_lost_or_said_twice_however_a_turn_is_written(noise: str) -> None:
    words = [f"w{number}" for number in range(3)]
    parts = Markup(("action", "thought"), ("Ben", "Cem")).parts(f"w0 [to Ben: w1 {noise} w2")

    assert [word for part in parts for word in part.text.replace("]", " ").split() if word in words] == words


@pytest.mark.parametrize(
    "piece", ["[to ", "[to Ben: ", "[", "]", "* ", "*a", "a and ", "[ ", "Ben only ", "[to Ben]", " \t"]
)
@pytest.mark.parametrize("head", ["", "[to ", "[to Ben", "[to Ben: ", "*"])
def test_a_turn_is_read_in_time_linear_in_its_length(head: str, piece: str) -> None:
    """In quadratic time one of these takes minutes, in exponential time for ever, and a test may not take so long."""
    markup = Markup(("action", "thought"), ("Ben", "a", "a and a", "Ben Bo"))

    parts = markup.parts(head + piece * 30_000)

    assert sum(len(part.text) for part in parts) <= len(head + piece * 30_000)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"asides": {"between": [["Ana", "Dan"]]}}, "'Dan' is not one of them"),
        ({"hearing": {"Ana": ["Dan"]}}, "'Dan' is not one of them"),
        ({"hearing": 3}, "say who hears whom"),
        ({"channels": ["action", "action"]}, "declared twice"),
        ({"channels": ["Action!"]}, "String should match pattern"),
        ({"channels": [{"name": "speech", "is_shared": False}]}, "speech that nobody hears is no speech"),
        ({"channels": ["to"], "turn_form": "json"}, "a channel cannot be named to"),
        ({"asides": {"by": "pigeon"}}, "'words' or 'tool'"),
    ],
)
def test_rules_that_do_not_suit_are_refused(more: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Scenario.model_validate({"cast": CAST, **more})


def test_a_scenario_file_says_all_of_it_and_a_recipe_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "party.yaml"
    path.write_text(
        "cast: [{name: Ana, channels: action}, {name: Ben}, {name: Cem}]\n"
        "asides: {between: [[Ana, Ben]]}\n"
        "hearing: {Cem: [Ana]}\n"
        "channels: [action, {name: thought, max_chars: 80}]\n",
        encoding="utf-8",
    )

    scenario = next(iter(Playbill.from_file(path).scenarios(1)))
    again = scenario_from(json.loads(json.dumps(recipe_of(scenario))))

    assert (again.asides, again.hearing) == (Asides(between=(("Ana", "Ben"),)), Earshot({"Cem": ("Ana",)}))
    assert again.channels == (Channel("action"), Channel("thought", max_chars=80))
    assert again.cast[0].channels == (Channel("action"),)
    assert again.cast[1].channels is None


def test_a_turn_that_all_hear_says_nothing_new_in_the_log() -> None:
    from playact.engine.journal.entry import encoded_fact, fact_of

    kind, body = encoded_fact(Uttered("Ana", "Hi."))
    secret = Uttered("Ana", "Hi.", heard_by=("Ben",), parts=(Said("speech", "Hi.", ("Ben",)), Said("action", "nods")))

    assert json.loads(body) == {"agent": "Ana", "text": "Hi.", "usage": [0, 0, 0]}
    assert fact_of(kind, json.loads(body)) == Uttered("Ana", "Hi.")
    assert fact_of(kind, json.loads(encoded_fact(secret)[1])) == secret
