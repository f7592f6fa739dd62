"""What is made of attributes is listed, cloned, written and read again, and is the same afterwards."""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from playact.engine import AttributeModel, BaseAttributeModel, Metadata
from playact.engine.attributes import words_of
from playact.engine.errors import FileInvalid, SetupError


class Pirate(AttributeModel):
    name: str = ""
    ship: str = Field(default="Argo", description="what they sail on")
    crew: list[str] = []  # noqa: RUF012  # pydantic copies it
    age: int | str | None = None
    note: Any = None

    @field_validator("age")
    @classmethod
    def _is_old(cls, age: Any) -> Any:
        if isinstance(age, int) and age < 0:
            raise ValueError("nobody is younger than nothing")
        return age


class Corsair(Pirate):
    letter: str = "of marque"


class Galley(Pirate):
    model_config = ConfigDict(validate_by_name=True)

    oars: int = Field(default=0, alias="rudder")


ANNE = Pirate(name="Anne", crew=["Mary", "Jack"], age=30)


def read_back(thing: AttributeModel, tmp_path: Path) -> AttributeModel:
    thing.to_file(tmp_path / "thing.json")
    return AttributeModel.from_file(tmp_path / "thing.json")


def test_a_class_lists_its_fields_and_so_does_an_object() -> None:
    assert Pirate.attributes() == ANNE.attributes() == ["name", "ship", "crew", "age", "note"]
    assert Corsair.attributes() == [*Pirate.attributes(), "letter"]


def test_a_class_prints_its_fields_also_when_print_is_said_without_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    """In sdialog `attributes(True)` fails: its first parameter is the class."""
    Pirate.attributes(True)
    Pirate.attributes(print=True)

    first, second = capsys.readouterr().out.split("--- Pirate ---\n")[1:]
    assert first == second == "name\nship: what they sail on\ncrew\nage\nnote\n--- 5 fields ---\n"


def test_what_is_printed_cannot_take_over_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Pirate(name="\x1b[31mred", note="a\nb").with_metadata(Metadata(notes="\x07bell")).print()

    assert capsys.readouterr().out == (
        "notes: bell\n--- Pirate ---\nName: red\nShip: Argo\nNote: a b\n--- 3 fields ---\n"
    )


def test_an_object_is_printed_with_where_it_comes_from_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    made = Metadata(model={"name": "m", "stop": ["a", "b"]}, seed=0, notes="", className="Pirate")

    Pirate(name="Anne").with_metadata(made).print()

    assert capsys.readouterr().out.splitlines()[:3] == ["model: name: m; stop: a, b", "seed: 0", "--- Pirate ---"]


def test_it_says_itself_in_words() -> None:
    assert str(ANNE) == ANNE.description() == "* Name: Anne\n* Ship: Argo\n* Crew: Mary; Jack\n* Age: 30"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("years_of_experience", "years of experience"),
        ("ITSupportSpecialist", "IT support specialist"),
        ("actionLabel", "action label"),
        ("AcademicAdvisor", "academic advisor"),
        ("Agent2", "agent2"),
        ("HTMLPage", "HTML page"),
        ("größe_in_cm", "größe in cm"),
    ],
)
def test_names_of_code_become_words(name: str, words: str) -> None:
    assert words_of(name) == words


def test_its_json_leaves_out_what_says_nothing() -> None:
    assert ANNE.json() == {"name": "Anne", "ship": "Argo", "crew": ["Mary", "Jack"], "age": 30}
    assert json.loads(ANNE.json(string=True)) == ANNE.json()
    assert ANNE.json(string=True, indent=None) == json.dumps(ANNE.json())


def test_a_prompt_never_has_the_metadata() -> None:
    known = ANNE.with_metadata(Metadata(id="secret"))

    assert known.prompt() == ANNE.prompt() == json.dumps(ANNE.json(), indent=2)
    assert "secret" not in known.description()
    assert known.json()["_metadata"]["id"] == "secret"
    assert "_metadata" not in known.json(output_metadata=False)


def test_metadata_takes_no_part_in_comparing() -> None:
    known = Pirate(name="Anne").with_metadata(Metadata(id=1))

    assert known == Pirate(name="Anne")
    assert repr(known) == repr(Pirate(name="Anne"))
    assert known.metadata.id == 1


def test_copies_of_every_kind_keep_the_metadata() -> None:
    known = ANNE.with_metadata(Metadata(id=1))

    copies = [known.model_copy(), known.model_copy(deep=True), copy.deepcopy(known), pickle.loads(pickle.dumps(known))]  # noqa: S301  # ours
    assert [each.metadata.id for each in copies] == [1, 1, 1, 1]
    assert all(each == known for each in copies)
    assert not ANNE.has_metadata


def test_a_clone_takes_other_values_and_knows_its_parent() -> None:
    anne = ANNE.with_metadata(Metadata(id="a", seed=7, model="m"))

    clone = anne.clone(ship="Revenge")

    assert clone == Pirate(name="Anne", ship="Revenge", crew=["Mary", "Jack"], age=30)
    assert (clone.metadata.parentId, clone.metadata.seed, clone.metadata.model) == ("a", 7, "m")
    assert clone.metadata.id not in ("a", None)
    assert anne.clone(0).metadata.id == 0
    assert clone.clone().metadata.parentId == clone.metadata.id


def test_a_clone_of_what_has_no_metadata_has_a_parent_all_the_same() -> None:
    """In sdialog its parentId is null."""
    clone = ANNE.clone()

    assert clone.metadata.parentId == ANNE.metadata.id is not None
    assert ANNE.metadata.id == Pirate(name="Anne", crew=["Mary", "Jack"], age=30).metadata.id
    assert ANNE.metadata.id != Pirate(name="Anne").metadata.id


def test_a_clone_shares_no_list_with_its_origin() -> None:
    """In sdialog it does."""
    clone = ANNE.clone()
    clone.crew.append("Grace")

    assert ANNE.crew == ["Mary", "Jack"]


def test_a_clone_keeps_fields_that_were_emptied() -> None:
    """In sdialog an empty field is lost on the way, so that its default comes back."""
    assert Pirate(ship="", note="").clone() == Pirate(ship="", note="")
    assert Pirate(ship="").clone(name="Anne").model_fields_set == {"ship", "name"}


def test_a_clone_is_checked() -> None:
    with pytest.raises(ValidationError, match="younger than nothing"):
        ANNE.clone(age=-1)
    with pytest.raises(ValidationError, match="shp"):
        ANNE.clone(shp="x")


def test_a_field_with_another_name_in_files_is_cloned_and_comes_back(tmp_path: Path) -> None:
    galley = Galley(oars=40)  # type: ignore[call-arg]  # a model may be made by name

    assert galley.clone() == read_back(galley, tmp_path) == galley
    assert galley.json()["rudder"] == 40


def test_a_file_gives_back_the_class_the_values_and_where_they_come_from(tmp_path: Path) -> None:
    corsair = Corsair(name="Anne", ship="", age=30).with_metadata(Metadata(id=3, model={"name": "m"}, notes="n"))

    again = read_back(corsair, tmp_path)

    assert type(again) is Corsair
    assert again == corsair
    assert again.metadata == Metadata(id=3, model={"name": "m"}, notes="n", className="Corsair")


def test_a_file_says_when_and_by_what_it_was_made_and_has_sdialogs_keys(tmp_path: Path) -> None:
    again = read_back(ANNE, tmp_path)

    keys = ["version", "timestamp", "model", "seed", "id", "parentId", "className", "notes"]
    assert list(json.loads((tmp_path / "thing.json").read_text("utf-8"))["_metadata"]) == keys
    assert again.metadata.id == ANNE.metadata.id
    assert again.metadata.version is not None
    assert not ANNE.has_metadata


def test_keys_of_metadata_that_are_unknown_here_are_kept(tmp_path: Path) -> None:
    data = {"name": "Anne", "_metadata": {"className": "Pirate", "reviewed": True}}

    again = read_back(Pirate.from_dict(data), tmp_path)

    assert again.metadata.model_extra == {"reviewed": True}


def test_a_file_is_utf8_whatever_the_platform_says(tmp_path: Path) -> None:
    """sdialog writes in the platform's encoding and reads UTF-8."""
    code = (
        "import sys, locale; from playact.actors import Persona\n"
        f"Persona(name='Zo\\xeb \\U0001f3ad').to_file(r'{tmp_path / 'zoe.json'}')\n"
        "print(locale.getpreferredencoding(False))"
    )
    environment = os.environ | {"PYTHONUTF8": "0", "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"}

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.strip().upper() != "UTF-8"
    assert '"name": "Zoë 🎭"' in (tmp_path / "zoe.json").read_text("utf-8")


def test_half_a_character_comes_back_from_a_file(tmp_path: Path) -> None:
    assert read_back(Pirate(note="\ud83d half a flag"), tmp_path) == Pirate(note="\ud83d half a flag")


def test_reading_leaves_the_data_as_they_were() -> None:
    """sdialog deletes `_metadata` from them."""
    data = {"name": "Anne", "_metadata": {"className": "Pirate"}}

    AttributeModel.from_dict(data)

    assert data == {"name": "Anne", "_metadata": {"className": "Pirate"}}


def test_a_value_that_no_json_can_say_becomes_text_alone() -> None:
    """In sdialog the whole field does."""
    pirate = Pirate(note={"born": date(1697, 3, 8), "code": re.compile("x"), "known": [1]})

    assert pirate.json()["note"] == {"born": "1697-03-08", "code": "x", "known": [1]}


def test_a_class_that_was_made_after_the_first_reading_is_found(tmp_path: Path) -> None:
    """sdialog makes its list of classes once."""
    read_back(ANNE, tmp_path)

    class Buccaneer(AttributeModel):
        name: str = ""

    assert type(read_back(Buccaneer(name="B"), tmp_path)) is Buccaneer


def test_two_classes_of_one_name_are_never_taken_for_each_other(tmp_path: Path) -> None:
    """In sdialog the last one wins."""

    def one() -> type[AttributeModel]:
        class Twin(AttributeModel):
            name: str = ""

        return Twin

    def other() -> type[AttributeModel]:
        class Twin(AttributeModel):
            name: str = ""

        return Twin

    first, second = one(), other()
    first(name="x").to_file(tmp_path / "twin.json")  # type: ignore[call-arg]  # both have one

    with pytest.raises(FileInvalid, match=r"Twin is the name of .*one.* and .*other.*object_class=Twin"):
        AttributeModel.from_file(tmp_path / "twin.json")
    assert type(AttributeModel.from_file(tmp_path / "twin.json", second)) is second
    assert type(first.from_file(tmp_path / "twin.json")) is first


def test_a_class_that_was_defined_again_is_its_last_form() -> None:
    for number in (1, 2):

        class Again(AttributeModel):
            count: int = number

    again = AttributeModel.from_dict({"_metadata": {"className": "Again"}})

    assert again == Again()


def test_a_class_reads_its_own_objects_and_those_of_what_extends_it() -> None:
    data = {"name": "Anne", "_metadata": {"className": "Corsair"}}

    assert type(Pirate.from_dict(data)) is Corsair
    assert type(Pirate.from_dict({"name": "Anne"})) is Pirate
    with pytest.raises(SetupError, match="is a Pirate, no Corsair; read it with AttributeModel or Pirate"):
        Corsair.from_dict({"_metadata": {"className": "Pirate"}})


def test_an_object_is_read_as_another_class_when_that_is_said(tmp_path: Path) -> None:
    corsair = AttributeModel.from_dict({"name": "Anne", "_metadata": {"className": "Pirate"}}, object_class=Corsair)

    assert corsair == Corsair(name="Anne")
    assert type(read_back(corsair, tmp_path)) is Corsair


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"name": "x"}', "names no class in _metadata.className; say which it is, as in object_class=Persona"),
        ('{"_metadata": {"className": "Pirat"}}', "did you mean Pirate?"),
        ('{"_metadata": {"className": "Quux"}}', "import the module that has it"),
        ('{"shp": 1, "_metadata": {"className": "Pirate"}}', "shp: Extra inputs are not permitted"),
        ('{"_metadata": {"className": 7}}', "className: Input should be a valid string"),
        ("[1]", "holds no object"),
        ('{"name":\n"x', "is not JSON"),
        ("[" * 100_000, "is nested too deep"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_name(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "thing.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(FileInvalid) as refusal:
        AttributeModel.from_file(path)

    assert refusal.value.path == str(path)
    assert reason in refusal.value.reason
    with pytest.raises(FileInvalid, match="JSON"):
        AttributeModel.from_json(text)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes(b'{"name": "Zo\xeb"}')

    with pytest.raises(FileInvalid, match="cannot be read: No such file"):
        Pirate.from_file(tmp_path / "none.json")
    with pytest.raises(FileInvalid, match="is not UTF-8"):
        Pirate.from_file(tmp_path / "latin.json")


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "is a folder.json").mkdir()

    with pytest.raises(IsADirectoryError):
        ANNE.to_file(tmp_path / "is a folder.json")
    with pytest.raises(FileNotFoundError):
        ANNE.to_file(tmp_path / "not" / "there.json", makedir=False)
    assert [path.name for path in tmp_path.iterdir()] == ["is a folder.json"]


def test_the_folder_of_a_file_is_made(tmp_path: Path) -> None:
    ANNE.to_file(str(tmp_path / "a" / "b" / "anne.json"))

    assert Pirate.from_file(str(tmp_path / "a" / "b" / "anne.json")) == ANNE


def test_it_goes_by_sdialogs_name_too() -> None:
    assert BaseAttributeModel is AttributeModel
    assert issubclass(AttributeModel, BaseModel)
