"""Personas and contexts by rules and models; each bug of sdialog's generators has its test here."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, field_validator

from playact.actors import Persona
from playact.actors.generators import AttributeModelGenerator, ContextGenerator, PersonaGenerator
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Context, Simulation, run
from playact.engine.attributes import AttributeModel
from playact.engine.errors import GenerationIncomplete
from tests.actors.generators.filling import Filling

pytestmark = pytest.mark.anyio
NOBODY = ScriptedBackend([])  # a model that must not be asked


class Keeper(AttributeModel):
    """Who keeps bees."""

    name: str = Field("", description="first and last name")
    hives: int | None = Field(None, description="how many hives there are", ge=1)
    honey: str | None = None
    language: str = "English"


class Owner(AttributeModel):
    name: str
    pets: list[str]


def wanted(request: CompletionRequest) -> list[str]:
    schema: Any = request.response_schema
    return list(schema["properties"])


async def test_what_says_nothing_is_written_by_the_model_and_what_is_given_or_a_default_stays() -> None:
    model = Filling()

    persona = await PersonaGenerator(Persona(role="barista")).generate(model=model, seed=1)

    assert wanted(model.asked[0]) == [name for name in Persona.model_fields if name not in ("role", "language")]
    assert (persona.role, persona.language) == ("barista", "English")
    assert persona.name.startswith("name ")
    assert isinstance(persona.age, int)


async def test_one_function_one_list_one_literal_and_one_range_each_give_their_value() -> None:
    generator = PersonaGenerator(Persona, [])
    generator.set(age="{20-30}", gender=["f", "m"], role="barista", name=lambda: "Ann")

    personas = await generator.generate(40, model=NOBODY, seed=3)

    assert {persona.gender for persona in personas} == {"f", "m"}
    assert {persona.age for persona in personas} <= set(range(20, 31))
    assert {(persona.name, persona.role) for persona in personas} == {("Ann", "barista")}


async def test_a_function_is_given_what_others_have_drawn_or_the_model_has_written() -> None:
    generator = PersonaGenerator(Persona, ["name"])
    generator.set(
        gender=["f", "m"],
        role=lambda gender: {"f": "queen", "m": "king"}[gender],
        background=lambda name, role: f"{name} is {role}",
    )

    personas = await generator.generate(10, model=Filling(), seed=3)

    assert all(persona.role == {"f": "queen", "m": "king"}[persona.gender] for persona in personas)
    assert all(persona.background == f"{persona.name} is {persona.role}" for persona in personas)


async def test_files_give_their_lines_and_cells(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("Ann\nBob\n", encoding="utf-8")
    (tmp_path / "jobs.csv").write_text("job,place\nbarista,cafe\n", encoding="utf-8")
    (tmp_path / "jobs.tsv").write_text("job\tplace\nbarista\tLisbon\n", encoding="utf-8")
    generator = PersonaGenerator(Persona, [])
    generator.set(
        name=f"{{txt:{tmp_path}/names.txt}}",
        role=f"{{csv:job:{tmp_path}/jobs.csv}}",
        background=f"{{tsv:place:{tmp_path}/jobs.tsv}}",
    )

    persona = await generator.generate(model=NOBODY)

    assert persona.name in ("Ann", "Bob")
    assert (persona.role, persona.background) == ("barista", "Lisbon")


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"nmae": "Ann"}, "Persona has no attribute 'nmae'; did you mean 'name'"),
        ({"name": "{txt:nowhere.txt}"}, "nowhere.txt cannot be read"),
        ({"name": "{csv:name:nowhere.csv}"}, "nowhere.csv cannot be read"),
    ],
)
def test_an_attribute_or_a_file_that_is_not_there_is_refused_at_once(rules: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        PersonaGenerator(Persona, []).set(**rules)
    with pytest.raises(ValueError, match=problem):
        PersonaGenerator(Persona, rules)


async def test_a_field_that_has_a_default_can_be_randomised() -> None:
    """In sdialog `language` was English, whatever rule it had."""
    personas = await PersonaGenerator(Persona, {"language": ["German", "Polish"]}).generate(20, model=NOBODY, seed=1)
    by_model = await PersonaGenerator(Persona, ["language"]).generate(model=Filling(), seed=1)

    assert {persona.language for persona in personas} == {"German", "Polish"}
    assert by_model.language.startswith("language ")


async def test_a_field_that_the_object_was_given_is_kept_whatever_rule_it_has() -> None:
    generator = PersonaGenerator(Persona(language="English", age=0), {"language": ["German"], "age": "{20-30}"})

    persona = await generator.generate(model=NOBODY)

    assert (persona.language, persona.age) == ("English", 0)


async def test_several_without_a_field_for_the_model_are_generated() -> None:
    """In sdialog that was an UnboundLocalError."""
    personas = await PersonaGenerator(Persona(name="Ann"), {"age": "{20-30}"}).generate(3, model=NOBODY)

    assert [persona.name for persona in personas] == ["Ann"] * 3


async def test_a_key_that_was_not_asked_for_is_passed_over() -> None:
    """In sdialog that was a KeyError."""
    model = Filling(lambda request, said: said | {"mood": "fine", "role": "pilot"})

    persona = await PersonaGenerator(Persona(role="barista"), ["name"]).generate(model=model)

    assert persona.role == "barista"


async def test_set_adds_to_the_rules_that_were_set_before() -> None:
    """In sdialog the second call forgot what the first had said."""
    generator = PersonaGenerator(Persona, [])
    generator.set(name="Ann", age=30)
    generator.set(age=31)

    persona = await generator.generate(model=NOBODY)

    assert (persona.name, persona.age) == ("Ann", 31)


async def test_a_generator_leaves_the_forms_of_others_as_they_are() -> None:
    """In sdialog one schema of the module was changed by all."""
    model = Filling()

    await PersonaGenerator(Persona, ["name"]).generate(2, seed=1, model=model)
    await AttributeModelGenerator(Keeper, ["honey"]).generate(2, seed=1, model=model)
    await PersonaGenerator(Persona, ["age"]).generate(2, seed=1, model=model)

    assert [wanted(request) for request in model.asked] == [["name"]] * 2 + [["honey"]] * 2 + [["age"]] * 2


async def test_what_is_missing_or_unfit_in_a_reply_is_asked_for_again_by_itself() -> None:
    """In sdialog only one object was asked for again, and never one of several."""

    def spoils(request: CompletionRequest, said: dict[str, Any]) -> Any:
        return {"name": said["name"], "hives": "many", "honey": " "} if len(said) == 3 else said

    model = Filling(spoils)

    keepers = await AttributeModelGenerator(Keeper).generate(2, model=model, seed=1)

    assert sorted(map(wanted, model.asked)) == [["hives"]] * 2 + [["honey"]] * 2 + [["name", "hives", "honey"]] * 2
    assert all(keeper.hives and keeper.honey and keeper.name for keeper in keepers)


async def test_a_reply_that_is_no_json_costs_one_question_for_each_attribute() -> None:
    model = Filling(lambda request, said: "Certainly! Here is a keeper." if len(said) == 3 else said)

    keeper = await AttributeModelGenerator(Keeper).generate(model=model, seed=1)

    assert list(map(wanted, model.asked)) == [["name", "hives", "honey"], ["name"], ["hives"], ["honey"]]
    assert keeper.hives


async def test_an_attribute_is_asked_for_as_often_as_attempts_allow_and_told_what_was_wrong() -> None:
    def spoils(request: CompletionRequest, said: dict[str, Any]) -> Any:
        return {"hives": 0} if "hives" in said and len(request.messages) < 6 else said

    model = Filling(spoils)

    keeper = await AttributeModelGenerator(Keeper, ["hives"]).generate(model=model, seed=1, max_attempts=3)

    assert keeper.hives
    assert "0 is less than the minimum of 1" in model.asked[-1].messages[-1].text


async def test_one_that_cannot_be_made_is_told_with_the_reason_and_nothing_else_is_lost() -> None:
    def spoils(request: CompletionRequest, said: dict[str, Any]) -> Any:
        return {"hives": -1} if request.messages[-1].text.count("Ann") or "Ann" in request.messages[1].text else said

    generator = AttributeModelGenerator(Keeper, ["hives"]).set(name=["Ann", "Bob", "Cem", "Dee"])

    with pytest.raises(GenerationIncomplete) as caught:
        await generator.generate(8, model=Filling(spoils), seed=5, max_attempts=1, repeats="allow")

    error = caught.value
    assert len(error.made) + sum(count for _, count in error.short) == 8
    assert error.made
    assert all(isinstance(each, Keeper) and each.name != "Ann" for each in error.made)
    assert "less than the minimum" in str(error)


async def test_the_descriptions_of_fields_and_hints_reach_the_model() -> None:
    model = Filling()
    generator = AttributeModelGenerator(Keeper).set(honey="{llm:of a rare flower}")

    await generator.generate(model=model)

    asked = model.asked[0].messages[-1].text
    assert "- hives: how many hives there are" in asked
    assert "- honey: of a rare flower" in asked
    assert "of a rare flower" in json.dumps(model.asked[0].response_schema)


async def test_what_rules_have_drawn_is_told_to_the_model() -> None:
    model = Filling()

    await PersonaGenerator(Persona(role="barista"), ["name"]).set(age="{44-44}").generate(model=model)

    assert '{"role": "barista", "age": 44}' in model.asked[0].messages[-1].text


class Strict(AttributeModel):
    name: str = ""
    nickname: str = ""

    @field_validator("nickname")
    @classmethod
    def _is_short(cls, value: str) -> str:
        if len(value) > 4:
            raise ValueError("must be short")
        return value


async def test_what_a_validator_of_the_class_refuses_is_asked_for_again_with_its_words() -> None:
    model = Filling(lambda request, said: {"nickname": "Bo"} if "must be short" in request.messages[-1].text else said)

    strict = await AttributeModelGenerator(Strict).generate(model=model)

    assert strict.nickname == "Bo"


async def test_a_rule_that_gives_what_the_class_refuses_is_told_as_such() -> None:
    with pytest.raises(GenerationIncomplete, match=r"Strict.nickname: .*must be short; change the rule"):
        await AttributeModelGenerator(Strict, {"nickname": "far too long"}).generate(model=NOBODY)


async def test_a_class_with_required_fields_needs_no_placeholders() -> None:
    owner = await PersonaGenerator(Owner).generate(model=Filling(), seed=1)

    assert owner.name.startswith("name ")
    assert len(owner.pets) == 4


async def test_an_object_has_where_it_comes_from_with_it() -> None:
    model = Filling()
    generator = AttributeModelGenerator(Keeper, model=model, top_p=0.5)

    keeper = await generator.generate(seed=7, temperature=0.9, id="k1", parent_id="p1", notes="by hand")

    metadata = keeper.metadata
    assert (metadata.seed, metadata.id, metadata.parentId, metadata.notes) == (7, "k1", "p1", "by hand")
    assert (metadata.className, metadata.model) == ("Keeper", {"name": "scripted", "temperature": 0.9, "top_p": 0.5})
    assert model.asked[0].parameters.temperature == 0.9
    assert metadata.version
    assert metadata.timestamp


async def test_what_is_said_by_place_is_in_sdialogs_order() -> None:
    model = Filling()

    keeper = await AttributeModelGenerator(Keeper, "all", "", model).generate(1, 0.9, 7, "k1", "p1", "by hand", 2)

    metadata = keeper.metadata
    assert (metadata.seed, metadata.id, metadata.parentId, metadata.notes) == (7, "k1", "p1", "by hand")
    assert model.asked[0].parameters.temperature == 0.9


@pytest.mark.parametrize("kind", [PersonaGenerator, ContextGenerator, AttributeModelGenerator])
def test_a_prompt_for_several_is_refused_with_what_to_say(kind: Any) -> None:
    """sdialog has one prompt for one object, another for a list of them; here each is asked for by itself."""
    with pytest.raises(ValueError, match="no llm_prompt_n: it asks for each of several by itself; say llm_prompt="):
        kind(Context if kind is ContextGenerator else Keeper, llm_prompt_n="x")


async def test_several_have_ids_of_their_own_and_an_object_without_a_model_names_none() -> None:
    keepers = await AttributeModelGenerator(Keeper, {"hives": "{1-9}"}).generate(5, model=NOBODY, seed=1)

    assert len({keeper.metadata.id for keeper in keepers}) == 5
    assert keepers[0].metadata.model is None
    with pytest.raises(ValueError, match="an id is for one object"):
        await AttributeModelGenerator(Keeper).generate(5, model=NOBODY, id="k1")


async def test_the_same_seed_gives_the_same_personas_and_another_seed_others() -> None:
    generator = PersonaGenerator(Persona).set(age="{20-60}")

    one, again, other = [await generator.generate(10, model=Filling(), seed=seed) for seed in (1, 1, 2)]

    assert one == again
    assert one != other
    assert [p.age for p in one] != [p.age for p in other]


async def test_one_is_an_object_and_several_are_a_list() -> None:
    generator = PersonaGenerator(Persona, {"name": "Ann"})

    assert isinstance(await generator.generate(model=NOBODY), Persona)
    assert isinstance(await generator.generate(2, model=NOBODY), list)


async def test_unset_fields_of_a_context_come_from_the_model_and_a_star_delegates() -> None:
    model = Filling()
    generator = ContextGenerator(Context(location="Mars Forward Base Alpha"))
    generator.set(environment=["dome", "lab"], topics="*")

    context = await generator.generate(model=model, seed=1)

    assert context.location == "Mars Forward Base Alpha"
    assert context.environment in ("dome", "lab")
    assert context.topics
    assert context.datetime
    assert (context.metadata.className, context.metadata.seed) == ("Context", 1)


async def test_a_list_of_texts_may_be_a_field() -> None:
    context = await ContextGenerator(Context, ["topics"]).generate(
        model=Filling(lambda request, said: {"topics": ["tea", "rain"]})
    )

    assert context.topics == ["tea", "rain"]


async def test_no_prompt_of_the_users_own_has_chance_without_a_seed() -> None:
    with pytest.raises(ValueError, match="llm_prompt is no template that can be filled in: No filter named 'random'"):
        PersonaGenerator(Persona, llm_prompt="{{ [1, 2] | random }}")

    with pytest.raises(GenerationIncomplete, match="'lipsum' is undefined"):
        await PersonaGenerator(Persona, llm_prompt="{{ lipsum() }}").generate(model=Filling())


async def test_a_prompt_of_the_users_own_is_a_template_and_a_persona_can_never_be_one() -> None:
    model = Filling()
    generator = PersonaGenerator(
        Persona(background="{{ 7 * 7 }}"),
        ["name"],
        system_prompt="Be brief.",
        extra_instructions="",
        llm_prompt="{{ class_name }}: {{ object }} {{ attributes_instructions }}",
    )
    generator.set(name="{llm:old}")

    await generator.generate(model=model)

    system, asked = model.asked[0].messages
    assert system.text == "Be brief."
    assert asked.text.startswith("Persona: {")
    assert '"background": "{{ 7 * 7 }}"' in asked.text
    assert "* name: old." in asked.text


async def test_instructions_are_added_to_the_system_prompt() -> None:
    model = Filling()

    await PersonaGenerator(Persona, ["name"], "One\n- Two").generate(model=model)

    assert model.asked[0].messages[0].text.endswith("\n- One\n- Two")


async def test_the_prompt_can_be_read() -> None:
    text = AttributeModelGenerator(Keeper(name="Ann", hives=None)).prompt()

    assert '"name": "Ann"' in text
    assert "- hives: how many hives there are" in text


async def test_a_function_that_fails_fails_its_own_object_only() -> None:
    def odd(age: int) -> str:
        if age == 21:
            raise RuntimeError("not 21")
        return "even"

    generator = PersonaGenerator(Persona, {"age": "{20-24}", "role": odd})

    with pytest.raises(GenerationIncomplete, match="not 21") as caught:
        await generator.generate(30, model=NOBODY, seed=1, max_attempts=1)

    assert caught.value.made
    assert len(caught.value.made) + sum(count for _, count in caught.value.short) == 30


async def test_it_is_made_of_plain_data() -> None:
    generator: PersonaGenerator[Any] = PersonaGenerator.from_dict(
        {
            "class": "Persona",
            "given": {"role": "barista"},
            "generated_attributes": ["name"],
            "rules": {"age": "{20-30}"},
            "model_parameters": {"temperature": 0.9},
        }
    )
    model = Filling()

    persona = await generator.generate(model=model)

    assert persona.role == "barista"
    assert model.asked[0].parameters.temperature == 0.9
    assert wanted(model.asked[0]) == ["name"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"klass": "Persona"}, "a generator has no 'klass'"),
        ({"given": {"rool": "barista"}}, "did you mean 'role'"),
        ({"rules": {"age": "{30-20}"}}, "ends before it begins"),
        ({"generated_attributes": "some"}, 'generated_attributes is "all"'),
    ],
)
def test_plain_data_that_is_no_generator_is_refused(content: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        PersonaGenerator.from_dict(content)


def test_it_runs_in_a_plain_script() -> None:
    persona = run(PersonaGenerator(Persona, {"name": "Ann"}).generate(model=NOBODY))

    assert persona.name == "Ann"


async def test_it_takes_part_in_a_run_that_is_there() -> None:
    model = Filling()

    async with Simulation(model=model, seed=1) as simulation:
        one = await PersonaGenerator(Persona).generate(3, simulation=simulation)
        other = await PersonaGenerator(Persona).generate(3, simulation=simulation)
        statistics = simulation.statistics()

    assert len({persona.name for persona in (*one, *other)}) == 6
    assert statistics.calls == 6
    assert statistics.ended == {"finished": 6}


async def test_what_rules_choose_leaves_the_programs_own_random_numbers_alone() -> None:
    """sdialog seeds the random numbers of the whole process with each generation."""
    generator = PersonaGenerator(Persona, {"age": "{20-90}", "role": ["barista", "guest"]}, model=NOBODY)
    state = random.getstate()

    first, second = await generator.generate(20, seed=4), await generator.generate(20, seed=4)

    assert random.getstate() == state
    assert first == second
