"""Replies in a form: what fits comes through whatever stands around it, and what does not is told in plain words."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from playact.engine import Capabilities, CompletionRequest, Message
from playact.engine.closed_schema import closed, is_closed
from playact.engine.structured import ReplySchema, correction

Schema = dict[str, Any]

AGE: Schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


class Person(BaseModel):
    name: str
    mood: Mood = Mood.GOOD
    friend: Person | None = Field(default=None, description="the best one")


# --- Schemas and values that fit them, made together. ---


@st.composite
def schemas_and_values(draw: st.DrawFn, depth: int = 2) -> tuple[Schema, Any]:
    kinds = ["string", "integer", "boolean", "null", "number", "enum"] + (["array", "object", "anyOf"] * (depth > 0))
    match draw(st.sampled_from(kinds)):
        case "string":
            return {"type": "string"}, draw(st.text(max_size=12))
        case "integer":
            return {"type": "integer"}, draw(st.integers())
        case "boolean":
            return {"type": "boolean"}, draw(st.booleans())
        case "number":
            return {"type": "number"}, draw(st.floats(allow_nan=False, allow_infinity=False))
        case "enum":
            options = draw(st.lists(st.text(max_size=5), min_size=1, max_size=3, unique=True))
            return {"enum": options}, draw(st.sampled_from(options))
        case "array":
            item, value = draw(schemas_and_values(depth - 1))
            return {"type": "array", "items": item}, [value] * draw(st.integers(0, 3))
        case "anyOf":
            (one, value), (other, _) = draw(schemas_and_values(depth - 1)), draw(schemas_and_values(depth - 1))
            return {"anyOf": [other, one]}, value
        case "object":
            return draw(objects(depth))
    return {"type": "null"}, None


@st.composite
def objects(draw: st.DrawFn, depth: int = 2) -> tuple[Schema, Any]:
    parts = draw(
        st.dictionaries(st.text(min_size=1, max_size=6), schemas_and_values(depth - 1), min_size=1, max_size=3)
    )
    properties = {name: schema for name, (schema, _) in parts.items()}
    return {"type": "object", "properties": properties}, {name: value for name, (_, value) in parts.items()}


words = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="{}[]`"), max_size=30)


@given(objects(), words, words, st.sampled_from(["alone", "indented", "fenced", "among words"]))
def test_what_fits_comes_through_whatever_stands_around_it(
    made: tuple[Schema, Any], before: str, after: str, form: str
) -> None:
    schema, value = made
    written = json.dumps(value, ensure_ascii=False, indent=2 if form == "indented" else None)
    text = {
        "alone": written,
        "indented": written,
        "fenced": f"{before}\n```json\n{written}\n```\n{after}",
        "among words": f"{before}{written}{after}",
    }[form]

    checked = ReplySchema(schema).check(text)

    assert not checked.problem
    assert checked.value == value
    assert json.loads(checked.text) == value
    assert list(json.loads(checked.text)) == list(value)
    if form in ("alone", "indented"):
        assert not checked.is_repaired


@given(schemas_and_values())
def test_what_fits_the_closed_schema_or_is_whole_fits_the_schema_too(made: tuple[Schema, Any]) -> None:
    schema, value = made

    assert not ReplySchema(schema).check(json.dumps(value)).problem
    assert not ReplySchema(closed(schema)).check(json.dumps(value)).problem  # nothing is left out of these values


@given(st.text(max_size=200))
def test_any_text_at_all_is_either_a_value_or_a_problem(text: str) -> None:
    checked = ReplySchema.of(AGE).check(text)

    assert bool(checked.problem) != bool(checked.text)
    if checked.text:
        assert type(checked.value["age"]) is int


@pytest.mark.parametrize(
    "text",
    [
        "{'age': 3}",
        '{"age": 3,}',
        '{"age": 3',
        '```\n{"age": 3}',
        'Sure! {"age": 3} Anything else?',
        '{"age": 3} // as asked',
        "{age: 3}",
        'First I thought {"age": "three"}, but the answer is {"age": 3}.',
        'As {this} says: {"age": 3}',
    ],
)
def test_small_slips_are_put_right_and_said_to_have_been(text: str) -> None:
    checked = ReplySchema.of(AGE).check(text)

    assert checked.text == '{"age":3}'
    assert checked.is_repaired


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not JSON"),
        ("I am three.", "not JSON"),
        ("[", "not JSON"),
        ('{"age": "3"}', r"`age`: '3' is not of type 'integer'"),
        ("{}", "'age' is a required property"),
        ('{"age": NaN}', "not"),
        ("[" * 100_000, "not JSON"),
        ('{"age": ' * 50_000, "not"),
        ('"' + "\\" * 99, "not JSON"),
    ],
)
def test_what_does_not_fit_is_told_in_words_that_a_model_understands(text: str, problem: str) -> None:
    checked = ReplySchema.of(AGE).check(text)

    assert problem in checked.problem
    assert len(checked.problem) < 1000
    assert checked.text == ""


def test_at_most_four_problems_are_told_and_none_at_length() -> None:
    schema = {"type": "object", "properties": {name: {"type": "integer"} for name in "abcdefgh"}}

    checked = ReplySchema.of(schema).check(json.dumps(dict.fromkeys("abcdefgh", "x" * 9000)))

    assert checked.problem.count("; ") == 3
    assert len(checked.problem) < 1100


def test_a_value_inside_a_broken_one_is_not_taken_for_it() -> None:
    text = '{"name": "Ann", "friend": {"name": "Ben", "mood": "good", "friend": null}, mood: "bad"}'

    checked = ReplySchema.of(Person).check(text)

    assert checked.value.name == "Ann"
    assert checked.value.friend.name == "Ben"


def test_a_reply_cut_off_at_the_limit_is_not_completed_by_guessing() -> None:
    text = '{"name": "Annab'

    assert ReplySchema.of(Person).check(text).value.name == "Annab"
    assert "cut off" in ReplySchema.of(Person).check(text, is_cut_off=True).problem
    assert ReplySchema.of(Person).check('{"name": "Ann"}', is_cut_off=True).value.name == "Ann"


def test_a_pydantic_model_gives_an_object_of_it_and_its_json_whole() -> None:
    checked = ReplySchema.of(Person).check('{"friend": {"name": "Ben"}, "name": "Ann", "mood": "bad"}')

    assert checked.value == Person(name="Ann", mood=Mood.BAD, friend=Person(name="Ben"))
    assert checked.text == (
        '{"name":"Ann","mood":"bad","friend":{"name":"Ben","mood":"good","friend":null}}'  # its own order, all fields
    )


def test_aliases_are_used_both_ways() -> None:
    class Box(BaseModel):
        model_config = ConfigDict(extra="forbid")
        width: int = Field(alias="w")

    checked = ReplySchema.of(Box).check('{"w": 4}')

    assert checked.text == '{"w":4}'
    assert "`v`" in ReplySchema.of(Box).check('{"v": 4}').problem


# --- What is no schema, and what a service is sent. ---


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "nope"}, "no JSON schema"),
        ({"type": "string", "pattern": "("}, "no JSON schema"),
        ({"$ref": "http://somewhere.invalid/schema"}, "not in it"),
        ({"properties": {"a": {"$ref": "#/$defs/missing"}}}, "not in it"),
        ({"enum": [{1, 2}]}, "holds JSON only"),
    ],
)
def test_what_is_no_schema_is_refused_and_nothing_is_fetched(schema: Schema, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReplySchema.of(schema)


def test_one_form_is_made_once() -> None:
    assert ReplySchema.of(Person) is ReplySchema.of(Person)
    assert ReplySchema.of(dict(AGE)) is ReplySchema.of(dict(AGE))


def test_every_object_is_closed_also_within_lists_choices_and_definitions() -> None:
    person = closed(Person.model_json_schema())
    nested = closed({"type": "array", "items": {"anyOf": [AGE, {"type": "null"}]}})

    assert person["type"] == "object"  # services want to see an object first, not a reference
    assert person["required"] == ["name", "mood", "friend"]
    assert person["additionalProperties"] is False
    assert person["$defs"]["Person"]["required"] == ["name", "mood", "friend"]
    assert person["properties"]["friend"]["description"] == "the best one"
    assert nested["items"]["anyOf"][0]["additionalProperties"] is False
    assert "default" not in json.dumps(person)


def test_a_reference_with_something_beside_it_is_written_out_but_never_without_end() -> None:
    schema = {
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node", "description": "on"}}}},
        "type": "object",
        "properties": {"first": {"$ref": "#/$defs/node", "description": "one"}},
    }

    first = closed(schema)["properties"]["first"]

    assert first["description"] == "one"
    assert first["properties"]["next"] == {"$ref": "#/$defs/node"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"allOf": [AGE, {"type": "object", "properties": {"name": {"type": "string"}}}]},
        {"type": "object", "properties": {"a": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
    ],
)
def test_what_closing_would_change_stays_open(schema: Schema) -> None:
    assert closed(schema) == schema


def test_what_could_not_be_closed_is_known_to_be_open() -> None:
    free = {"type": "object", "additionalProperties": {"type": "string"}}

    assert is_closed(closed(Person.model_json_schema()))
    assert is_closed({"type": "string"})
    assert not is_closed(AGE)
    assert not is_closed(closed({"type": "object", "properties": {"age": {"type": "integer"}, "more": free}}))
    assert not is_closed(closed({"allOf": [AGE]}))


def test_properties_may_be_called_like_keywords() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}, "default": {"type": "string"}}}

    assert closed(schema)["required"] == ["title", "default"]


def test_a_backend_that_knows_schemas_is_given_it_and_another_is_told() -> None:
    schema = ReplySchema.of(AGE)
    request = CompletionRequest(messages=(Message("system", "You are Ann."), Message("user", "Hi")))

    native = schema.asked(request, Capabilities(response_schema=True))
    told = schema.asked(request, Capabilities())
    alone = schema.asked(CompletionRequest(messages=(Message("user", "Hi"),)), Capabilities())

    assert (native.messages, native.response_schema) == (request.messages, schema.json_schema)
    assert told.response_schema is None
    assert told.messages[0].text.startswith("You are Ann.\nAnswer with JSON only")
    assert '"required":["age"]' in told.messages[0].text
    assert [message.role for message in alone.messages] == ["system", "user"]


def test_a_correction_quotes_the_reply_and_the_problem_and_is_never_empty() -> None:
    reply, asking = correction("x" * 10_000, "the answer is not JSON")

    assert (reply.role, len(reply.text)) == ("assistant", 4003)
    assert "the answer is not JSON" in asking.text
    assert correction("", "it is empty")[0].text


@pytest.mark.parametrize("reply", ['{"a": 1e309}', '{"a": ' + "9" * 4000 + "}"])
def test_a_number_beyond_reckoning_is_a_problem_and_no_crash(reply: str) -> None:
    schema = ReplySchema({"type": "object", "properties": {"a": {"type": "number", "multipleOf": 0.01}}})

    assert schema.check(reply).problem


def test_half_a_character_is_a_problem_for_no_service_could_be_told_of_it() -> None:
    schema = ReplySchema({"type": "object", "properties": {"a": {"type": "string"}}})

    assert "half of a character" in schema.check('{"a": "\\ud800"}').problem


@pytest.mark.parametrize(
    "schema",
    [
        {"x": 5, "properties": {"a": {"$ref": "#/x"}}},
        {"x": "s", "properties": {"a": {"$ref": "#/x/y"}}},
        {"properties": {"a": {"$ref": "#/no"}}},
    ],
)
def test_a_reference_to_what_is_no_schema_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="refers to"):
        ReplySchema.of(schema)


def test_a_schema_nested_beyond_reason_is_refused() -> None:
    schema: dict[str, object] = {"type": "string"}
    for _ in range(3000):
        schema = {"type": "array", "items": schema}

    with pytest.raises(ValueError, match="nested"):
        ReplySchema.of(schema)


def test_what_looks_like_a_reference_among_data_is_none() -> None:
    assert not ReplySchema({"properties": {"a": {"const": {"$ref": "x"}}}}).check('{"a": {"$ref": "x"}}').problem


@pytest.mark.parametrize("text", ['{"' + '\\"' * 40_000, "{ " + '"\\' * 40_000, '{"' + "\\" * 79_999, '"{' * 30_000])
def test_no_text_takes_long_to_be_told_apart(text: str) -> None:
    """Each took seconds once; the test's own time limit would not catch that, the number of steps does not grow."""
    assert ReplySchema({"type": "object"}).check(text, is_cut_off=True).problem


def test_a_pattern_that_backtracks_without_end_stops_nobody() -> None:
    schema = ReplySchema({"type": "string", "pattern": "^(a+)+$"})

    checked = schema.check(json.dumps("a" * 5000 + "!"))

    assert checked.problem


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [
        ("b", "abc", "xyz"),
        ("^[A-Z]{2}\\d+$", "AB12", "AB12x"),
        ("^(?!no)\\w+$", "yes", "none"),  # look-around, which only Python's engine knows
        ("(.)\\1", "aab", "abc"),  # a back-reference, likewise
    ],
)
def test_a_pattern_is_looked_for_anywhere_in_a_text(pattern: str, fitting: str, other: str) -> None:
    schema = ReplySchema({"type": "object", "properties": {"code": {"type": "string", "pattern": pattern}}})

    assert schema.fits({"code": fitting})
    assert not schema.fits({"code": other})


def test_a_property_may_be_called_pattern() -> None:
    schema = ReplySchema({"type": "object", "properties": {"pattern": {"type": "string"}}, "required": ["pattern"]})

    assert schema.fits({"pattern": "("})
    assert not schema.fits({"pattern": 5})
