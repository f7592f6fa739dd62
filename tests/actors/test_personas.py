"""Thirty-five personas: all of sdialog's fields, named in files, played, kept in journals, and the same afterwards."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

import playact.actors
from playact.actors import Agent, BasePersona, Doctor, ExtendedPatient, Nurse, Patient, Persona, Scenario, SupportAgent
from playact.actors.personas import PERSONAS
from playact.actors.personas.named import WrittenPersona, persona_class, persona_from, personas_by_name, role_of
from playact.actors.playbill import Playbill
from playact.actors.prompts import system_prompt
from playact.actors.recipes import recipe_of, scenario_from
from playact.backends.scripted import ScriptedBackend
from playact.engine import AttributeModel, Context, Dialog, Metadata, Simulation, dialogs_in
from playact.engine.errors import FileInvalid, SetupError

BOB = Agent(Persona(name="Bob"))
FIELDS = """
Persona: name age gender race language role background personality circumstances rules
ExtendedPersona: name age gender race language weight height voice_characteristics occupation education
    socioeconomic_status interests hobbies politeness forgetfulness attentiveness communication_style empathy_level
    political_views religious_beliefs
Customer: name age gender language customer_id occupation account_tenure membership_level loyalty_status fidelity_score
    issue issue_category issue_description issue_history desired_outcome knowledge_domain technical_expertise sentiment
    anger_level tiredness patience_level politeness personality instruction_following forgetfulness times_called
    preferred_channel prior_interactions_summary urgency rules
SupportAgent: name language agent_id role experience_years product_scope product_knowledge_level communication_style
    empathy_level politeness resolution_authority_level escalation_policy average_handle_time adherence_notes
    stress_tolerance performance_notes rules
Patient: name age gender race language forgetfulness formality hurriedness openness height weight occupation
    marital_status insurance reason_for_visit symptoms medical_history medical_conditions medications allergies
    family_history
ExtendedPatient: name age gender race language weight height voice_characteristics occupation education
    socioeconomic_status interests hobbies politeness forgetfulness attentiveness communication_style empathy_level
    political_views religious_beliefs reason_for_visit symptoms vital_signs health_literacy medical_conditions
    medications allergies family_history
Doctor: name age gender race language years_of_experience specialty forgetfulness formality hurriedness openness
ExtendedDoctor: name age gender race language weight height voice_characteristics occupation education
    socioeconomic_status interests hobbies politeness forgetfulness attentiveness communication_style empathy_level
    political_views religious_beliefs specialty years_of_experience certifications work_experience
Nurse: name age gender language years_of_experience specialty shift empathy_level politeness attentiveness
    stress_tolerance
Pharmacist: name age gender language years_of_experience workplace expertise politeness communication_style
Caregiver: name age gender relationship experience_years empathy_level attentiveness
Teacher: name age gender subject years_of_experience education_level politeness communication_style
Student: name age gender grade_level major interests politeness
AcademicAdvisor: name age gender years_of_experience specialty politeness
FinancialAdvisor: name age gender years_of_experience certifications specialty politeness
Banker: name age gender branch years_of_experience politeness
InsuranceAgent: name age gender company years_of_experience specialty politeness
StoreManager: name age gender store_name years_of_experience politeness
SalesAssociate: name age gender store_name years_of_experience politeness
Shopper: name age gender shopping_goal loyalty_status politeness
HotelReceptionist: name age gender hotel_name years_of_experience politeness
TravelAgent: name age gender agency_name years_of_experience politeness
Tourist: name age gender travel_goal politeness
Lawyer: name age gender specialty years_of_experience politeness
Paralegal: name age gender years_of_experience politeness
LegalClient: name age gender case_type politeness
ITSupportSpecialist: name age gender years_of_experience expertise_area politeness
HelpdeskTechnician: name age gender years_of_experience politeness
EndUser: name age gender device_type issue_description politeness
CivilServant: name age gender department years_of_experience politeness
SocialWorker: name age gender years_of_experience specialty politeness
Citizen: name age gender inquiry_topic politeness
Chef: name age gender restaurant_name years_of_experience cuisine_specialty politeness
Waiter: name age gender restaurant_name years_of_experience politeness
RestaurantCustomer: name age gender dietary_preferences politeness
"""
DEFAULTS = {"language": "English", ("SupportAgent", "role"): "Customer Support Agent"} | {
    (kind, "age"): None for kind in ("Persona", "Patient")
}


class Boatman(BasePersona):
    """A user's own."""

    name: str | int | None = None
    ports: list[str] = []  # noqa: RUF012  # pydantic copies it


class Nameless(BasePersona):
    ship: str = ""


def test_each_class_has_sdialogs_fields_and_defaults() -> None:
    wanted = dict(line.split(": ") for line in FIELDS.replace("\n    ", " ").strip().splitlines())

    assert [kind.__name__ for kind in PERSONAS] == list(wanted)
    for kind in PERSONAS:
        assert kind.attributes() == wanted[kind.__name__].split()
        for name, field in kind.model_fields.items():
            assert field.default == DEFAULTS.get((kind.__name__, name), DEFAULTS.get(name, ""))


@pytest.mark.parametrize("kind", PERSONAS, ids=lambda kind: kind.__name__)
def test_each_class_says_what_it_is_and_what_each_field_means(kind: type[AttributeModel]) -> None:
    assert kind.__doc__ is not None
    assert kind.__doc__.splitlines()[0].endswith(".")
    assert all(field.description and field.description[-1] == "." for field in kind.model_fields.values())
    assert getattr(playact.actors, kind.__name__) is kind
    assert kind.__module__ == "playact.actors.personas"


VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(st.characters(exclude_categories=["Cs"])),
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    list: st.lists(st.text(st.characters(exclude_categories=["Cs"]))),
    type(None): st.none(),
}


@st.composite
def personas(draw: st.DrawFn) -> AttributeModel:
    """Any persona of any class, each field left out or set to any value that it takes."""
    kind = draw(st.sampled_from(PERSONAS))
    fields = {}
    for name in draw(st.lists(st.sampled_from(kind.attributes()), unique=True)):
        value = draw(st.one_of(*VALUES.values()))
        try:
            kind.model_validate({name: value})
        except ValidationError:
            value = draw(VALUES[str])
        fields[name] = value
    return kind.model_validate(fields)


@given(personas())
def test_any_persona_comes_back_from_a_file(persona: AttributeModel) -> None:
    with tempfile.TemporaryDirectory() as folder:
        persona.to_file(Path(folder) / "persona.json")

        again = AttributeModel.from_file(Path(folder) / "persona.json")

    assert repr(again) == repr(persona)
    assert again.metadata.id == persona.metadata.id


@given(personas())
def test_any_persona_comes_back_from_a_scenario_file(persona: AttributeModel) -> None:
    written = {type(persona).__name__: persona.json()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "play.yaml"
        cast = [{"persona": written}, {"persona": {"name": "Bob"}}]
        path.write_text(yaml.safe_dump({"cast": cast}), encoding="utf-8")

        again = Playbill.from_file(path).cast[0].persona

    assert repr(again) == repr(persona)


@given(personas(), st.booleans())
def test_any_persona_comes_back_from_a_recipe_with_where_it_comes_from(persona: AttributeModel, known: bool) -> None:
    known_persona = persona.with_metadata(Metadata(id=3, seed=7, notes="n")) if known else persona
    scenario = Scenario(cast=(Agent(known_persona), BOB))

    again = scenario_from(json.loads(json.dumps(recipe_of(scenario))))

    assert repr(again.cast[0].persona) == repr(persona)
    assert recipe_of(again) == recipe_of(scenario)
    assert again.dialog().personas == scenario.dialog().personas


@given(personas())
def test_any_persona_is_its_own_clone(persona: AttributeModel) -> None:
    assert repr(persona.clone()) == repr(persona)


@pytest.mark.parametrize(
    ("persona", "name"),
    [
        (None, ""),
        (Persona(), ""),
        (Nurse(name="Ana"), "Ana"),
        (Nameless(ship="Argo"), ""),
        (Boatman(), ""),
        (Boatman(name=7), "7"),
        (Boatman(name=0), "0"),
    ],
)
def test_an_agent_is_called_what_its_persona_says_if_it_says_it(persona: AttributeModel | None, name: str) -> None:
    assert Agent(persona).own_name == name
    assert Agent(persona, name="Zoë").own_name == "Zoë"


@pytest.mark.anyio
async def test_personas_without_a_name_and_with_a_number_for_one_are_played() -> None:
    cast = (Agent(Nameless(ship="Argo")), Agent(Boatman(name=7, ports=["Kiel", "Bergen"])))
    async with Simulation(model=ScriptedBackend()) as simulation:
        dialog = await simulation.play(Scenario(cast=cast, max_turns=2))

    assert dialog.get_speakers() == ["Speaker 1", "7"]
    assert dialog.personas == {"Speaker 1": {"ship": "Argo"}, "7": {"name": 7, "ports": ["Kiel", "Bergen"]}}


@pytest.mark.anyio
async def test_a_dialog_keeps_where_its_personas_come_from_but_its_digest_does_not(tmp_path: Path) -> None:
    ana = Doctor(name="Ana")
    known = ana.with_metadata(Metadata(id="d1", timestamp="2026-11-24T10:00:00Z"))

    dialogs: list[Dialog] = []
    for doctor in (ana, known):
        async with Simulation(model=ScriptedBackend(), seed=1, journal=tmp_path / f"{len(dialogs)}.db") as simulation:
            dialogs.append(await simulation.play(Scenario(cast=(Agent(doctor), BOB), max_turns=2, seed=1)))

    kept = (dialogs[1].personas or {})["Ana"]
    assert AttributeModel.from_dict(kept) == ana
    assert AttributeModel.from_dict(kept).metadata.id == "d1"
    assert dialogs[0].digest() == dialogs[1].digest()
    assert [dialog.personas for dialog in dialogs_in(tmp_path / "1.db")] == [dialogs[1].personas]


def test_a_journal_opens_without_the_class_of_a_users_persona() -> None:
    recipe = recipe_of(Scenario(cast=(Agent(Nameless(ship="Argo")), BOB)))

    setting = scenario_from(recipe, plays=False)

    assert setting.dialog().personas == {"Speaker 1": {"ship": "Argo"}, "Bob": {"name": "Bob", "language": "English"}}


def prompt(persona: AttributeModel, *, short: bool = False) -> str:
    agent = Agent(persona)
    return system_prompt(agent, agent.own_name or "X", ("Bob",), None, is_short=short).split(" You are talking")[0]


@pytest.mark.parametrize(
    ("persona", "full", "short"),
    [
        (Persona(name="Ana"), "You are Ana.", "You are Ana."),
        (Persona(name="Ana", role="cook"), "You are Ana. Role: cook.", "You are Ana, cook."),
        (Doctor(name="Ana"), "You are Ana. Role: doctor.", "You are Ana, doctor."),
        (
            Doctor(name="Ana", specialty="skin", years_of_experience=3),
            "You are Ana. Role: doctor. Years of experience: 3. Specialty: skin.",
            "You are Ana, doctor. Years of experience: 3. Specialty: skin.",
        ),
        (
            ExtendedPatient(name="Ana", symptoms=["cough", "fever"]),
            "You are Ana. Role: patient. Symptoms: cough; fever.",
            "You are Ana, patient. Symptoms: cough; fever.",
        ),
        (
            SupportAgent(name="Ana", role="clerk"),
            "You are Ana. Role: clerk.",
            "You are Ana, clerk.",
        ),
        (Boatman(name="Ana", ports=[]), "You are Ana. Role: boatman.", "You are Ana, boatman."),
        (Patient(name="Ana", language="Nahuatl"), "You are Ana. Role: patient. Language: Nahuatl.", ""),
    ],
)
def test_a_prompt_says_what_somebody_is_and_lists_in_a_line(persona: AttributeModel, full: str, short: str) -> None:
    assert prompt(persona).splitlines()[0] == full
    assert not short or prompt(persona, short=True) == short


def test_what_somebody_is_comes_from_the_class_unless_that_has_a_field_for_it() -> None:
    roles = {kind.__name__: role_of(kind()) for kind in PERSONAS}

    assert roles["ITSupportSpecialist"] == "IT support specialist"
    assert roles["ExtendedDoctor"] == roles["Doctor"] == "doctor"
    assert [name for name, role in roles.items() if not role] == ["Persona", "ExtendedPersona", "SupportAgent"]


FILE = """\
cast:
  - persona:
      Doctor:
        name: Ana
        specialty: skin
  - persona: {name: Bob}
"""


def cast_of(tmp_path: Path, text: str) -> tuple[Agent, ...]:
    file = tmp_path / "play.yaml"
    file.write_text(text, encoding="utf-8")
    return Playbill.from_file(file).cast


def test_a_scenario_file_names_the_class_of_a_persona(tmp_path: Path) -> None:
    ana, bob = cast_of(tmp_path, FILE)

    assert ana.persona == Doctor(name="Ana", specialty="skin")
    assert bob.persona == Persona(name="Bob")
    assert cast_of(tmp_path, FILE.replace("{name: Bob}", "{Nurse: }"))[1].persona == Nurse()


def test_a_scenario_file_may_hold_what_to_file_wrote(tmp_path: Path) -> None:
    Doctor(name="Ana").to_file(tmp_path / "ana.json")
    written = json.loads((tmp_path / "ana.json").read_text("utf-8"))

    agent = Agent(written)

    assert agent.persona == Doctor(name="Ana")
    assert agent.persona is not None
    assert agent.persona.metadata.id == written["_metadata"]["id"]
    assert Agent({"name": "Ana", "_metadata": {"id": 1}}).persona == Persona(name="Ana")  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="did you mean Doctor"):
        Agent({"_metadata": {"className": "Docter"}})  # type: ignore[arg-type]  # as a file has it


@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        (("Doctor:", "Docter:"), 3, "cast[0].persona.Docter: unknown persona `Docter`; did you mean `Doctor`?"),
        (("Doctor:", "Wizard:"), 3, "cast[0].persona.Wizard: unknown persona `Wizard`; known are Persona, Extended"),
        (("specialty:", "speciality:"), 5, "unknown key `speciality`; did you mean `specialty`?"),
        (("skin", "[skin]"), 5, "cast[0].persona.Doctor.specialty: takes text"),
        (("name: Ana", "name: {first: Ana}"), 4, "cast[0].persona.Doctor.name: takes text"),
        (("{name: Bob}", "{nam: Bob}"), 6, "unknown key `nam`; did you mean `name`?"),
        (("{name: Bob}", "{name: [Bob]}"), 6, "cast[1].persona.name: takes text"),
        (("{name: Bob}", "{name: Bob, Nurse: {}}"), 6, "the key `Nurse` stands here"),
        (("{name: Bob}", "Bob"), 6, "cast[1].persona: takes keys with values"),
    ],
)
def test_what_is_wrong_in_a_persona_is_told_with_its_line(
    tmp_path: Path, change: tuple[str, str], line: int, reason: str
) -> None:
    with pytest.raises(FileInvalid) as refusal:
        cast_of(tmp_path, FILE.replace(*change))

    assert refusal.value.reason.startswith(reason)
    assert refusal.value.line == line


def test_a_users_class_goes_by_its_name_too_and_what_is_no_persona_does_not() -> None:
    assert persona_from({"Boatman": {"name": 7}}) == Boatman(name=7)
    assert {"Context", "AttributeModel", "_AnyPersona"} & set(personas_by_name()) == set()
    with pytest.raises(SetupError, match="unknown persona `Context`"):
        persona_class("Context")


@pytest.mark.parametrize("context", [Context(location="a"), {"location": "a", "_metadata": {"className": "Context"}}])
def test_a_context_is_nobody(context: Any) -> None:
    """In sdialog it can be an agent's persona."""
    with pytest.raises(ValidationError, match="where a dialog takes place is said with context="):
        Agent(context)


def test_the_schema_of_a_persona_for_editors_takes_what_a_file_can_say() -> None:
    from typing import Annotated

    from jsonschema import Draft202012Validator

    schema = TypeAdapter(Annotated[AttributeModel | None, WrittenPersona]).json_schema()
    validator = Draft202012Validator(schema)

    taken: list[dict[str, Any]] = [{"name": "Ana"}, {"Doctor": {"name": "Ana"}}, {"Nurse": None}]
    refused: list[dict[str, Any]] = [{"nam": "Ana"}, {"Doctor": {"nam": "Ana"}}, {"Wizard": {}}]
    assert all(validator.is_valid(value) for value in taken)
    assert not any(validator.is_valid(value) for value in refused)


def test_a_file_with_a_mark_of_byte_order_is_read(tmp_path: Path) -> None:
    file = tmp_path / "ada.json"
    Persona(name="Ada").to_file(file)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())

    assert Persona.from_file(file).name == "Ada"
