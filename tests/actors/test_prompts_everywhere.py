"""One's own templates wherever a model is told something: by a run, a scenario, an agent or a generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from playact.actors import Agent, Persona, Prompts, Scenario
from playact.actors.cli import main
from playact.actors.generators import DialogGenerator, Paraphraser, PersonaGenerator
from playact.actors.orchestrators import ChangeMindOrchestrator
from playact.actors.prompts import packaged_names
from playact.actors.prompts.packaged import packaged_text, variables_of
from playact.actors.turn_taking import Moderator
from playact.engine import Dialog, Simulation, Turn
from playact.engine.errors import PromptInvalid
from tests.golden.told import Ear

OWN = {
    "persona_generator": "Erfinde: {{ names }}.",
    "persona_generator_system": "Du erfindest Menschen. {{ extra_instructions }}",
}


def asked(model: Ear) -> list[str]:
    return [text for request in model.told for role, text in request if role == "system"] + [
        request[-1][1] for request in model.told
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("of_run", [True, False])
async def test_personas_are_asked_for_in_ones_own_words_and_name_them(of_run: bool) -> None:
    model, prompts = Ear(is_small=False), Prompts(OWN)
    generator = PersonaGenerator(Persona, ["role"], "kurz", prompts=None if of_run else prompts)

    async with Simulation(model=model, seed=1, prompts=prompts if of_run else None) as simulation:
        persona = await generator.generate(simulation=simulation)

    assert asked(model) == ["Du erfindest Menschen. kurz", "Erfinde: role."]
    assert persona.metadata.model_extra == {"prompts": prompts.versions}


@pytest.mark.anyio
async def test_a_generation_that_is_gone_on_with_asks_in_the_words_it_began_with(tmp_path: Path) -> None:
    folder, journal = tmp_path / "prompts", tmp_path / "run.db"
    folder.mkdir()
    (folder / "attribute_generator.j2").write_text("First: {{ names }}", encoding="utf-8")
    generator = PersonaGenerator(Persona, ["role"], prompts=folder)
    async with generator.stream(2, model=Ear(is_small=False), journal=journal, seed=1, concurrency=1) as begun:
        await anext(begun)
    (folder / "attribute_generator.j2").write_text("Second: {{ names }}", encoding="utf-8")

    model = Ear(is_small=False)
    async with await PersonaGenerator.resume(journal, model=model) as resumed:
        personas = [each async for each in resumed]

    assert len(personas) == 2
    words = [request[-1][1] for request in model.told]
    assert "First: role" in words
    assert "Second: role" not in words


@pytest.mark.anyio
async def test_written_and_reworded_dialogs_follow_the_runs_templates_and_say_so() -> None:
    model = Ear(is_small=False)
    prompts = Prompts({"dialog_generator_system": "Schreib.", "paraphraser_turn": "Anders: {{ turn }}"})
    source = Dialog(turns=[Turn(speaker="Ada", text="Hi")])
    playables: list[Any] = [
        DialogGenerator("Tee", output_format=None).writing(),
        Paraphraser(turn_by_turn=True).rewording(source),
    ]

    async with Simulation(model=model, seed=1, concurrency=1, prompts=prompts) as simulation:
        dialogs = [await simulation.play(each) for each in playables]

    assert model.told[0] == [("system", "Schreib."), ("user", "Tee")]
    assert model.told[1][1] == ("user", "Anders: Ada: Hi")
    assert all(dialog.to_dict()["prompts"] == prompts.versions for dialog in dialogs)


@pytest.mark.anyio
async def test_a_scenarios_templates_hold_for_its_moderator_and_an_agents_for_its_orchestrators() -> None:
    model = Ear(is_small=False)
    ada = Agent(name="Ada", prompts=Prompts({"change_mind": "Nein!"})) | ChangeMindOrchestrator(probability=1)
    cast = (ada, Agent(name="Bob"), Agent(name="Eve"))
    prompts = Prompts({"moderator_system": "Du leitest.", "change_mind": "Nie gehört."})

    async with Simulation(model=model, seed=1, prompts={"moderator_system": "Nie gehört."}) as simulation:
        await simulation.play(Scenario(cast=cast, turn_policy=Moderator(), prompts=prompts, max_turns=4))

    said = [text for request in model.told for _, text in request]
    assert "Du leitest." in said
    assert "Nein!" in said
    assert "Nie gehört." not in said


@pytest.mark.parametrize("name", sorted(packaged_names()))
def test_each_packaged_template_says_what_it_uses_and_can_be_begun_from(name: str) -> None:
    assert Prompts({name: packaged_text(name)})
    assert variables_of(name) or name in ("paraphraser_system", "plan_check_system")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n{{ nmaes }}", "line 2: 'nmaes' is undefined; did you mean names"),
        ("{{ known|attr('__class__') }}", "access to attribute '__class__' is unsafe"),
        ("{{ known['__class__'] }}", "access to attribute '__class__' is unsafe"),
        ("{% include '_part' %}", "there is no template _part"),
        ("{{ names | shout }}", "No filter named 'shout'"),
        ("{{ names | random }}", "No filter named 'random'"),
        ("{{ lipsum() }}", "'lipsum' is undefined"),
    ],
)
def test_what_is_wrong_is_told_when_the_generator_is_made(text: str, reason: str) -> None:
    with pytest.raises(PromptInvalid, match=reason.replace("[", r"\[")):
        PersonaGenerator(Persona, prompts={"persona_generator": text})


def test_what_a_template_sets_itself_or_asks_for_with_care_is_not_unknown() -> None:
    text = (
        "{% set own = 1 %}{% macro m(x) %}{{ x }}{% endmacro %}{{ m(own) }}{% for a in wanted %}{{ a }}{% endfor %}"
        "{% if motto is defined %}{{ motto }}{% endif %}"
    )

    assert Prompts({"persona_generator": text})


def test_a_file_with_another_ending_is_refused_and_notes_are_not(tmp_path: Path) -> None:
    (tmp_path / "persona_agent.j2").write_text("x", encoding="utf-8")
    (tmp_path / "README.md").write_text("x", encoding="utf-8")
    assert set(Prompts.of(tmp_path)) == {"persona_agent"}
    (tmp_path / "moderator.jinja").write_text("x", encoding="utf-8")

    with pytest.raises(PromptInvalid, match=r"moderator\.jinja: templates are files that end with \.j2"):
        Prompts.of(tmp_path)


def test_the_packaged_templates_are_written_out_to_begin_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"

    written = main(["new", "--prompts", str(folder)])
    (folder / "drift.j2").write_text("changed", encoding="utf-8")
    refused = main(["new", "--prompts", str(folder)])

    assert (written, refused) == (0, 2)
    assert set(Prompts.of(folder)) == packaged_names()
    assert (folder / "persona_generator.j2").read_text(encoding="utf-8") == packaged_text("persona_generator")
    assert (folder / "drift.j2").read_text(encoding="utf-8") == "changed"
    assert "say --force to replace it" in capsys.readouterr().err


def test_an_llm_prompt_that_is_no_template_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="llm_prompt is no template"):
        PersonaGenerator(Persona, llm_prompt="{% if %}")
