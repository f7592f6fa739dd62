"""Templates of prompts: the packaged ones word for word as ever, one's own instead, and text that stays text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from playact.actors import Agent, Persona, Prompts, Scenario
from playact.actors.prompts import system_prompt
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Context, Dialog, Simulation, Turn
from playact.engine.errors import PromptInvalid, SetupError
from playact.engine.program.archive import dialogs_in
from tests.golden import told as all_told
from tests.golden.prompts import FILE, cases, prompts_of

ADA = Agent(Persona(name="Ada", role="barista"))
BOB = Agent(Persona(name="Bob"))
TERSE = {"persona_agent": "Be {{ name }}.", "persona_agent_short": "{{ name }}!"}

ATTACKS = (
    "{{ 7 * 7 }}",
    "{% for i in range(9) %}x{% endfor %}",
    "{# gone #}",
    "{{ name.__class__.__mro__ }}",
    "{% include 'persona_agent' %}",
    "{% raw %}",
    "{%",
    "}}",
    "# for",
    "{{",
)
texts = st.one_of(st.sampled_from(ATTACKS), st.text(max_size=20)).filter(lambda text: text != "")


def noting(told: list[str]) -> ScriptedBackend:
    """A model that notes its instructions."""

    def answer(request: CompletionRequest) -> str:
        told.append(request.messages[0].text)
        return "Well."

    return ScriptedBackend(answer)


def played(model: ScriptedBackend, **more: Any) -> Simulation:
    return Simulation(model=model, seed=1, **more)


def test_the_packaged_prompts_are_word_for_word_as_they_ever_were() -> None:
    frozen = json.loads(FILE.read_text(encoding="utf-8"))

    assert [prompts_of(case) for case in cases()] == frozen


def test_all_that_generators_moderators_and_orchestrators_say_is_word_for_word_as_it_ever_was() -> None:
    frozen = json.loads(all_told.FILE.read_text(encoding="utf-8"))

    assert all_told.told() == frozen


@given(st.data())
@pytest.mark.parametrize("is_short", [False, True])
def test_what_is_filled_in_is_never_read_as_a_template(is_short: bool, data: st.DataObject) -> None:
    fields = [name for name in Persona.model_fields if name not in ("name", "language")]
    said = {name: data.draw(texts) for name in fields}
    name, other, place, goal, detail, manner, line = (data.draw(texts) for _ in range(7))
    agent = Agent(
        Persona(name="x", **said),
        dialogue_details=detail,
        response_details=manner,
        example_dialogs=[Dialog(turns=[Turn(speaker=other, text=line)])],
    )

    prompt = system_prompt(agent, name, [other], Context(location=place, goals=[goal, place]), is_short=is_short)

    for text in (name, other, place, goal, detail, manner, f"{other}: {line}", *said.values()):
        assert text in prompt
    told = system_prompt(agent, name, [other], place, is_short=is_short)
    assert place in told


@given(texts)
def test_a_template_of_ones_own_leaves_values_as_they_are_too(text: str) -> None:
    prompts = Prompts({"persona_agent": "<{{ name }}|{{ persona.role }}|{{ context }}|{{ others[0] }}>"})

    prompt = system_prompt(Agent(Persona(role=text)), text, [text], text, prompts=prompts)

    assert prompt == f"<{text}|{text}|{text}|{text}>"


def test_a_folder_of_templates_replaces_those_that_it_has(tmp_path: Path) -> None:
    (tmp_path / "persona_agent.j2").write_text("You play {{ name }}.\n", encoding="utf-8")
    prompts = Prompts.of(tmp_path)

    assert system_prompt(ADA, "Ada", ["Bob"], None, prompts=prompts) == "You play Ada."
    assert system_prompt(ADA, "Ada", ["Bob"], None, prompts=prompts, is_short=True).startswith("You are Ada, barista.")


def test_a_mapping_names_texts_or_files(tmp_path: Path) -> None:
    (tmp_path / "mine.j2").write_text("Mine: {{ name }}", encoding="utf-8")

    by_name = Prompts.of({"persona_agent": "mine.j2", "persona_agent_short": "{{ name }}.j2"}, base=tmp_path)
    by_path = Prompts.of({"persona_agent": tmp_path / "mine.j2"})

    assert by_name == {"persona_agent": "Mine: {{ name }}", "persona_agent_short": "{{ name }}.j2"}
    assert by_path["persona_agent"] == "Mine: {{ name }}"


def test_a_template_extends_the_packaged_one_and_includes_parts() -> None:
    prompts = Prompts(
        {
            "persona_agent": '{% extends "default/persona_agent" %}'
            '{% block manner %}\nSpeak in rhymes, {% include "_who" %}.\n{% endblock %}\n',
            "_who": "{{ name }}\n",
        }
    )

    lines = system_prompt(ADA, "Ada", ["Bob"], None, prompts=prompts).splitlines()

    assert lines[0] == "You are Ada. Role: barista."
    assert lines[2] == "Speak in rhymes, Ada."
    assert "[[END]]" in lines[3]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("one\n{% if %}", 2, "Expected an expression"),
        ("one\ntwo\n{{ nmae }}", 3, "'nmae' is undefined; did you mean name?"),
        ("one\n{{ others | random }}", 2, "No filter named 'random'"),
        ("{{ unheard_of }}", 1, "'unheard_of' is undefined; known here: name, persona, others, "),
        ("\n{{ persona.hobby }}", 2, "'dict object' has no attribute 'hobby'"),
        ("{{ name.__class__ }}", 1, "access to attribute '__class__' is unsafe."),
        ('{{ persona.update({"a": 1}) }}', 1, ""),
        ("{{ 1 // 0 }}", 1, "integer division or modulo by zero"),
        ('{% include "/etc/passwd" %}', 1, "there is no template /etc/passwd"),
        ('\n{% include "../agent_prompt.py" %}', 2, "there is no template ../agent_prompt.py"),
        ('{% include "persona_agent" %}', 1, ""),
        ("{% for i in range(1000000) %}{% endfor %}", 1, "Range too big"),
    ],
)
def test_what_is_wrong_in_a_template_is_told_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(PromptInvalid) as refusal:
        system_prompt(ADA, "Ada", ["Bob"], None, prompts=Prompts.of({"persona_agent": text}))

    assert (refusal.value.name, refusal.value.line) == ("persona_agent", line)
    assert refusal.value.reason.startswith(reason)
    assert len(str(refusal.value).splitlines()) == 1


def test_an_error_in_an_included_part_is_told_with_the_name_and_the_line_of_that_part() -> None:
    prompts = Prompts({"persona_agent": '\n\n\n{% include "_part" %}', "_part": "\n{{ persona.nothing }}"})

    with pytest.raises(PromptInvalid, match="prompt template _part, line 2: 'dict object' has no attribute 'nothing'"):
        system_prompt(ADA, "Ada", ["Bob"], None, prompts=prompts)


def test_a_name_that_nobody_asks_for_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "persona_agnet.j2").write_text("x", encoding="utf-8")

    with pytest.raises(PromptInvalid, match=r"did you mean persona_agent\?"):
        Prompts.of(tmp_path)


@pytest.mark.parametrize("source", ["none", "empty", {"persona_agent": "gone.j2"}, {"persona_agent": 3}])
def test_what_is_no_source_of_templates_is_refused(tmp_path: Path, source: Any) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(PromptInvalid):
        Prompts.of(source, base=tmp_path)


def test_agents_and_scenarios_take_templates_and_refuse_what_is_none() -> None:
    agent = Agent(prompts={"persona_agent": "{{ name }}"})  # type: ignore[arg-type]  # pydantic makes it one

    assert agent.prompts == {"persona_agent": "{{ name }}"}
    assert replace(agent, name="Al").prompts is agent.prompts
    with pytest.raises(ValidationError, match="line 1: "):
        Agent(prompts={"persona_agent": "{{"})  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ValidationError, match="prompts are a folder"):
        Scenario(cast=(ADA, BOB), prompts=7)  # type: ignore[arg-type]  # that is the point


@pytest.mark.anyio
async def test_an_agents_templates_go_before_the_scenarios_and_those_before_the_simulations() -> None:
    told: list[str] = []
    model = noting(told)
    cast = (Agent(name="Ada", prompts=Prompts({"persona_agent": "agent {{ name }}"})), BOB, Agent(name="Eve"))
    scenarios = [
        Scenario(cast=cast, prompts=Prompts({"persona_agent": "scenario {{ name }}"}), max_turns=3),
        Scenario(cast=cast, max_turns=3),
    ]

    async with played(model, prompts=Prompts({"persona_agent": "run {{ name }}"})) as simulation:
        dialogs = [await simulation.play(scenario) for scenario in scenarios]

    assert told == ["agent Ada", "scenario Bob", "scenario Eve", "agent Ada", "run Bob", "run Eve"]
    assert [set((dialog.model_extra or {})["prompts"]) for dialog in dialogs] == [
        {"persona_agent", "Ada/persona_agent"}
    ] * 2


@pytest.mark.anyio
async def test_a_dialog_says_which_templates_of_ones_own_it_was_played_with_and_nothing_where_there_are_none() -> None:
    async with played(ScriptedBackend(lambda _: "Well.")) as simulation:
        plain = await simulation.play(Scenario(cast=(ADA, BOB), max_turns=2))
        own = await simulation.play(Scenario(cast=(ADA, BOB), max_turns=2, prompts=Prompts(TERSE)))

    assert "prompts" not in plain.to_dict()
    assert own.to_dict()["prompts"] == Prompts(TERSE).versions
    assert all(len(version) == 12 for version in Prompts(TERSE).versions.values())


@pytest.mark.anyio
async def test_a_template_that_fails_stops_the_run_and_says_where() -> None:
    with pytest.raises(PromptInvalid, match=r"persona_agent, line 1: 'nmae' is undefined; did you mean name\?"):
        async with played(ScriptedBackend(lambda _: "Well."), prompts={"persona_agent": "{{ nmae }}"}) as simulation:
            async for _ in simulation.run([Scenario(cast=(ADA, BOB))]):
                pass


def test_a_simulation_takes_texts_only() -> None:
    with pytest.raises(SetupError, match=r"say Prompts\.of"):
        Simulation(model="scripted", prompts="folder")  # type: ignore[arg-type]  # that is the point


@pytest.mark.anyio
@pytest.mark.parametrize("of_run", [True, False])
async def test_a_resumed_run_is_told_the_same_though_the_folder_has_changed(tmp_path: Path, of_run: bool) -> None:
    folder, journal = tmp_path / "prompts", tmp_path / "run.db"
    folder.mkdir()
    (folder / "persona_agent.j2").write_text("First {{ name }}.", encoding="utf-8")
    prompts = Prompts.of(folder)
    told: list[str] = []
    model = noting(told)
    scenario = Scenario(cast=(ADA, BOB), max_turns=1, prompts=Prompts() if of_run else prompts)

    async with played(model, journal=journal, prompts=prompts if of_run else None) as simulation:
        first = [dialog async for dialog in simulation.run([scenario])]
    (folder / "persona_agent.j2").write_text("Second {{ name }}.", encoding="utf-8")
    async with Simulation.resume(journal, model=model, dialogs=2) as simulation:
        second = [dialog async for dialog in simulation.run()]

    assert told == ["First Ada.", "First Ada."]
    assert [dialog.to_dict()["prompts"] for dialog in (*first, *second)] == [prompts.versions] * 2
    assert [dialog.to_dict()["prompts"] for dialog in dialogs_in(journal)] == [prompts.versions] * 2


@pytest.mark.anyio
async def test_a_journal_without_templates_of_ones_own_does_not_speak_of_any(tmp_path: Path) -> None:
    async with played(ScriptedBackend(lambda _: "Well."), journal=tmp_path / "run.db") as simulation:
        await simulation.play(Scenario(cast=(ADA, BOB), max_turns=1))

    assert b"prompts" not in (tmp_path / "run.db").read_bytes()
