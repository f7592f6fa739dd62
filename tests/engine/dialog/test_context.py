"""A context is listed, cloned, written and read again as a persona is, and is in a dialog's file as it always was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from playact.engine import AttributeModel, Context, Dialog, Metadata
from playact.engine.errors import FileInvalid

FIELDS = [
    "location",
    "datetime",
    "environment",
    "objects",
    "participants_shared_knowledge",
    "circumstances",
    "goals",
    "constraints",
    "topics",
    "style_guidelines",
    "notes",
]
# What sdialog 0.5.3 writes.
SDIALOGS_FILE = """{
  "location": "Caf\\u00e9",
  "goals": [
    "a",
    "b"
  ],
  "topics": "tea",
  "_metadata": {
    "version": "0.5.3",
    "timestamp": "2026-11-24T10:00:00Z",
    "model": null,
    "seed": null,
    "id": "5f0c2f0e-7f5c-4c39-9a40-2f8f2f5b3f11",
    "parentId": null,
    "className": "Context",
    "notes": null
  }
}"""
PIER = Context(location="a pier", goals=["one", "two"])


class Cafe(Context):
    menu: str = "tea"


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def contexts(draw: st.DrawFn) -> Context:
    kind = draw(st.sampled_from([Context, Cafe]))
    several = {"objects", "circumstances", "goals", "constraints", "topics", "style_guidelines"}
    said: dict[str, Any] = {
        name: draw(texts | st.none() | (st.lists(texts, max_size=3) if name in several else st.nothing()))
        for name in draw(st.lists(st.sampled_from(FIELDS), unique=True))
    }
    made = kind(**said)
    if not draw(st.booleans()):
        return made
    more = draw(st.dictionaries(st.sampled_from(["reviewed", "x-y", "Ä"]), plain, max_size=2))
    known: dict[str, Any] = {
        "id": draw(st.integers() | texts),
        "seed": draw(st.none() | st.integers()),
        "className": kind.__name__,
    }
    return made.with_metadata(Metadata(**(known | more)))


def test_a_context_lists_its_fields_which_are_sdialogs() -> None:
    assert Context.attributes() == PIER.attributes() == FIELDS
    assert Cafe.attributes() == [*FIELDS, "menu"]


def test_each_field_says_what_it_means(capsys: pytest.CaptureFixture[str]) -> None:
    Context.attributes(print=True)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "--- Context ---"
    assert all(line.partition(": ")[2] for line in lines[1:-1])


def test_a_context_says_itself_in_words_and_prints_itself(capsys: pytest.CaptureFixture[str]) -> None:
    PIER.print()

    assert str(PIER) == PIER.description() == "* Location: a pier\n* Goals: one; two"
    assert capsys.readouterr().out == "--- Context ---\nLocation: a pier\nGoals: one; two\n--- 2 fields ---\n"


def test_its_prompt_is_its_json_without_where_it_comes_from() -> None:
    known = PIER.with_metadata(Metadata(id="secret"))

    assert known.prompt() == PIER.prompt() == '{\n  "location": "a pier",\n  "goals": [\n    "one",\n    "two"\n  ]\n}'
    assert known.json(output_metadata=False) == PIER.json() == {"location": "a pier", "goals": ["one", "two"]}
    assert known.json()["_metadata"]["id"] == "secret"


def test_it_never_changes_and_takes_no_field_that_it_has_not() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        PIER.location = "a quay"
    with pytest.raises(ValidationError, match="weather"):
        Context(weather="rain")  # type: ignore[call-arg]  # there is none


def test_where_it_comes_from_takes_no_part_in_comparing() -> None:
    known = PIER.with_metadata(Metadata(id=1))

    assert known == PIER
    assert repr(known) == repr(PIER)
    assert Context(location="a") != Cafe(location="a")


def test_a_clone_takes_other_values_and_names_its_parents() -> None:
    """In sdialog the clone of what has no metadata has no parent."""
    first = PIER.with_metadata(Metadata(id="a", seed=7, notes="n"))

    second = first.clone(location="a quay")
    third = second.clone(new_id=3, goals=None)

    assert second == Context(location="a quay", goals=["one", "two"])
    assert third == Context(location="a quay")
    assert (second.metadata.parentId, second.metadata.seed, second.metadata.notes) == ("a", 7, "n")
    assert (third.metadata.parentId, third.metadata.id) == (second.metadata.id, 3)
    assert PIER.clone().metadata.parentId == PIER.metadata.id is not None


def test_a_clone_shares_no_list_with_its_origin() -> None:
    """In sdialog it does."""
    clone = PIER.clone()
    assert isinstance(clone.goals, list)

    clone.goals.append("three")

    assert PIER.goals == ["one", "two"]


@given(contexts())
def test_any_context_comes_back_from_its_json_with_where_it_comes_from(context: Context) -> None:
    text = context.clone().json(string=True)

    again = AttributeModel.from_json(text)

    # Fields that say nothing are left out.
    assert (type(again), again.fields()) == (type(context), context.fields())
    assert again.metadata.parentId == context.metadata.id
    assert again.json(string=True) == text


@given(contexts())
def test_any_context_comes_back_from_a_dialogs_file_to_the_byte(context: Context) -> None:
    text = Dialog(id=1, context=context).json(string=True)

    again = Dialog.from_json(text)

    assert again.json(string=True) == text
    if isinstance(again.context, Context):  # a class of one's own may have fields that no context has
        assert again.context.fields() == context.fields()
        assert again.context.has_metadata == context.has_metadata
    else:
        assert type(context) is Cafe


@given(contexts())
def test_where_a_context_comes_from_is_in_a_dialogs_file_but_not_in_its_digest(context: Context) -> None:
    known = context.with_metadata(Metadata(id="x", reviewed=True))  # type: ignore[call-arg]  # any more are kept

    dialogs = [Dialog(id=1, context=each) for each in (context, known)]

    assert dialogs[0].digest() == dialogs[1].digest()
    assert dialogs[1].to_dict()["context"]["_metadata"] == {"id": "x", "reviewed": True}


def test_a_context_is_written_as_a_file_and_read_as_the_class_that_it_was(tmp_path: Path) -> None:
    cafe = Cafe(location="Zoë's", menu="")

    cafe.to_file(tmp_path / "rooms" / "cafe.json")
    again = AttributeModel.from_file(tmp_path / "rooms" / "cafe.json")

    assert again == Context.from_file(tmp_path / "rooms" / "cafe.json") == Cafe(location="Zoë's")
    assert again.metadata.className == "Cafe"


def test_a_file_of_sdialogs_is_read_and_written_with_all_that_it_has(tmp_path: Path) -> None:
    (tmp_path / "context.json").write_text(SDIALOGS_FILE, encoding="utf-8")

    context = Context.from_file(tmp_path / "context.json")

    assert context == Context(location="Café", goals=["a", "b"], topics="tea")
    assert context.metadata.version == "0.5.3"
    assert json.dumps(context.json(), indent=2) == SDIALOGS_FILE


def test_a_context_of_sdialogs_within_a_dialog_is_a_context_and_stays_to_the_byte() -> None:
    content = Dialog(id=1).to_dict() | {"context": json.loads(SDIALOGS_FILE)}

    dialog = Dialog.from_dict(content)

    assert isinstance(dialog.context, Context)
    assert dialog.context.metadata.id == "5f0c2f0e-7f5c-4c39-9a40-2f8f2f5b3f11"
    assert json.dumps(dialog.to_dict()) == json.dumps(content)


@pytest.mark.parametrize(
    "context",
    [
        {"location": "a", "weather": "rain"},
        {"goals": ["a"], "location": "b"},
        {"location": "a", "notes": None},
        {"location": "a", "_metadata": {"seed": 7.0}},
        {"location": "a", "_metadata": {"id": 1, "version": "0.5.3"}},
        {"location": "a", "_metadata": {"seed": "seven"}},
        {"location": "a", "_metadata": "mine"},
        {"location": 1},
    ],
)
def test_what_no_context_would_give_back_as_it_was_stays_as_it_is(context: dict[str, Any]) -> None:
    dialog = Dialog.from_dict({"context": context})

    assert type(dialog.context) is dict
    assert json.dumps(dialog.to_dict()["context"]) == json.dumps(context)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"weather": "rain", "_metadata": {"className": "Context"}}', "weather: Extra inputs are not permitted"),
        ('{"_metadata": {"className": "Contxt"}}', "did you mean Context?"),
        ("[]", "holds no object"),
    ],
)
def test_a_file_that_is_wrong_is_told_of_by_its_name(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "c.json").write_text(text, encoding="utf-8")

    with pytest.raises(FileInvalid) as told:
        Context.from_file(tmp_path / "c.json")

    assert str(told.value).startswith(str(tmp_path / "c.json"))
    assert problem in str(told.value)


def test_keys_of_metadata_that_are_unknown_here_are_kept(tmp_path: Path) -> None:
    Context.from_dict({"location": "a", "_metadata": {"id": 1, "reviewed": True}}).to_file(tmp_path / "c.json")

    assert Context.from_file(tmp_path / "c.json").metadata.model_extra == {"reviewed": True}
