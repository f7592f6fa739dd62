"""What is told at once to fit a schema fits it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from playact.engine.plain_schema import fits_at_once

Schema = dict[str, Any]

TEXTS = st.text(max_size=4) | st.sampled_from(["", "a", "\ud800", "null"])
NUMBERS = (
    st.integers(-3, 3) | st.just(10**400) | st.floats(-3, 3) | st.sampled_from([1.0, -0.0, float("inf"), 2**53 + 1])
)
NAMES = st.sampled_from("abc")
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXTS, inner, max_size=3),
    max_leaves=8,
)


def some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Schema]:
    return st.fixed_dictionaries({}, optional=keys)


def told(kind: str, **keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Schema]:
    """A schema of a kind, with some of its keywords, some that say nothing, and some that are not plain."""
    more = some(**keys, title=st.just("T"), default=VALUES, enum=st.lists(TEXTS, max_size=3), const=TEXTS)
    return more.map(lambda said: {"type": kind, **said})


COUNTS = st.integers(0, 3)
BOUNDS = st.integers(-3, 3) | st.just(0.5) | st.just(2.0**53)
LEAVES: st.SearchStrategy[Any] = (
    told("string", minLength=COUNTS, maxLength=COUNTS, pattern=st.just("^a"), format=st.just("date"))
    | told("integer", minimum=BOUNDS, maximum=BOUNDS, exclusiveMinimum=BOUNDS, multipleOf=st.just(2))
    | told("number", maximum=BOUNDS, exclusiveMaximum=BOUNDS)
    | told("boolean")
    | told("null")
    | st.lists(TEXTS, max_size=3).map(lambda texts: {"enum": texts})
    | st.just({"$ref": "#/$defs/leaf"})
    | st.just({"$ref": "#"})
    | st.booleans()
    | st.just({})
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: (
        told("array", items=inner, minItems=COUNTS, maxItems=COUNTS, uniqueItems=st.booleans())
        | told(
            "object",
            properties=st.dictionaries(NAMES, inner, max_size=3),
            required=st.lists(NAMES, max_size=2, unique=True),
            additionalProperties=st.booleans() | inner,
            minProperties=COUNTS,
        )
        | st.lists(inner, min_size=1, max_size=3).map(lambda choices: {"anyOf": choices})
    ),
    max_leaves=6,
)


@given(SCHEMAS, VALUES)
def test_what_fits_at_once_fits_the_schema(schema: Schema | bool, value: Any) -> None:
    if isinstance(schema, bool):
        return
    schema = {**schema, "$defs": {"leaf": {"type": "integer"}}}

    if fits_at_once(schema)(value):
        assert Draft202012Validator(schema).is_valid(value)


class Job(BaseModel):
    title: str
    years: int | None = None


class Person(BaseModel):
    name: str = Field(min_length=1, description="as friends call them")
    age: int = Field(ge=0, le=120)
    jobs: list[Job] = []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"name": "Ann", "age": 30, "jobs": [{"title": "barista", "years": None}]}, True),
        ({"name": "Ann", "age": 30, "shoe size": 38}, True),
        ({"name": "Ann", "age": 130}, False),
        ({"name": "Ann", "age": True}, False),
        ({"name": "", "age": 30}, False),
        ({"name": "Ann"}, False),
        ([], False),
    ],
)
def test_the_schema_of_a_class_is_plain(value: Any, expected: bool) -> None:
    assert fits_at_once(Person.model_json_schema())(value) is expected


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^a+$"},
        {"type": "number", "maximum": 3},
        {"allOf": [{"type": "string"}]},
        {"$ref": "#/$defs/text", "$defs": {"text": {"$ref": "#/$defs/text"}}},
        {"$ref": "#/$defs/text", "maxLength": 3, "$defs": {"text": {"type": "string"}}},
    ],
)
def test_what_is_not_plain_is_left_to_the_schema_itself(schema: Schema) -> None:
    assert not fits_at_once(schema)("aaa")


@pytest.mark.parametrize(("reference", "meant"), [("a~1b", "a/b"), ("a~0b", "a~b"), ("a%20b", "a b")])
def test_a_reference_with_escaped_signs_is_left_to_the_schema_itself(reference: str, meant: str) -> None:
    """It was taken at its letters, and another definition may be called so."""
    schema = {"$ref": f"#/$defs/{reference}", "$defs": {reference: {"type": "string"}, meant: {"type": "integer"}}}

    assert not fits_at_once(schema)("aaa")
