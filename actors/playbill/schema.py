"""The JSON schema of scenario files, for editors and for what is said of a mistake.

It is made from the same classes that read the files: their fields, and what their docstrings say of each.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticOmit, core_schema

from .forms import forms_of, only
from .generated import GeneratedContexts, GeneratedPersonas

__all__ = ["keys_at", "schema"]

JSON = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ENTRY = re.compile(r"(\w+(?:, \w+)*): (.+)")  # "seed, notes: what they are", as docstrings of classes have it
_NOISE = ("title", "default")  # of a field: its name again, and what nobody needs to write


class _Forms(GenerateJsonSchema):
    """Leaves out what no file can say, such as functions, and tells of each field what its class says of it."""

    def handle_invalid_for_json_schema(self, schema: core_schema.CoreSchema, error_info: str) -> JsonSchemaValue:
        raise PydanticOmit

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return _told(super().model_schema(schema), schema["cls"])

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return _told(super().dataclass_schema(schema), schema["cls"])


@lru_cache(maxsize=1)
def schema() -> JSON:
    """Of a scenario file as a whole. It is made once and for all: nobody may change it."""
    from .playbill import Playbill

    whole = Playbill.model_json_schema(schema_generator=_Forms)
    definitions: JSON = whole.setdefault("$defs", {})
    for owner, name, form in forms_of(Playbill, definitions, form_of):
        properties = whole["properties"] if owner is Playbill else definitions[owner.__name__]["properties"]
        properties[name] = form | {"description": _said_of(owner).get(name, "")}
    for properties, name, kind in (
        (definitions["Agent"]["properties"], "persona", GeneratedPersonas),
        (whole["properties"], "contexts", GeneratedContexts),
    ):
        field = properties[name]
        told = field.pop("description", "")
        properties[name] = {"anyOf": [field, only("generate", form_of(kind, definitions))], "description": told}
    return {"$schema": _DIALECT, **whole, "title": "A scenario file of playact"}


def form_of(kind: Any, definitions: JSON) -> JSON:
    """A reference to the form of a class, which is put among the definitions."""
    name = kind.__name__
    if name not in definitions:
        form = TypeAdapter(kind).json_schema(schema_generator=_Forms, ref_template="#/$defs/{model}")
        definitions.update({key: each for key, each in form.pop("$defs", {}).items() if key not in definitions})
        definitions[name] = form
    return {"$ref": f"#/$defs/{name}"}


def keys_at(location: Sequence[int | str]) -> list[str]:
    """The keys that are known at a place of a file; where it is a list or a choice of names, those of what is in it."""
    whole = schema()
    forms = list(_plain(whole, whole))
    for part in location:
        forms = [inner for form in forms for inner in _part(form, part, whole)] or forms
    while forms and not any("properties" in form for form in forms):
        forms = [inner for form in forms for inner in _part(form, 0, whole)]
    return list(dict.fromkeys(key for form in forms for key in _with_those_below(form, whole)))


def _with_those_below(form: JSON, whole: JSON) -> Iterator[str]:
    for key, inner in form.get("properties", {}).items():
        yield key
        if form.get("required") == [key]:  # a name, with its parameters
            for each in _plain(inner, whole):
                yield from each.get("properties", ())


def _part(form: JSON, part: int | str, whole: JSON) -> Iterator[JSON]:
    """The forms of what is at a place in a value of this form."""
    if isinstance(part, int):
        inner = form.get("items")
    else:
        inner = form.get("properties", {}).get(part, form.get("additionalProperties"))
    if isinstance(inner, dict):
        yield from _plain(inner, whole)


def _plain(form: JSON, whole: JSON) -> Iterator[JSON]:
    """The forms that it is a choice of, each in its own words."""
    if "$ref" in form:
        form = whole["$defs"][form["$ref"].rpartition("/")[2]]
    choices = [*form.get("anyOf", ()), *form.get("oneOf", ()), *form.get("allOf", ())]
    for each in choices:
        yield from _plain(each, whole)
    if not choices or "properties" in form:
        yield form


def _told(form: JSON, kind: type) -> JSON:
    """With what the docstrings of a class say of it and of its fields, and without what nobody needs to read."""
    if "properties" not in form:
        return form
    entries = _said_of(kind)
    properties = {
        name: {key: value for key, value in field.items() if key not in _NOISE}
        | ({"description": entries[name]} if name in entries and "description" not in field else {})
        for name, field in form["properties"].items()
    }
    summary = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0]
    return {**form, "properties": properties, "description": " ".join(summary.split())}


def _said_of(kind: type) -> Mapping[str, str]:
    """What docstrings say of the fields of a class, and of those that it inherits."""
    entries: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        entries |= _entries(inspect.cleandoc(each.__doc__ or "").splitlines())
    return entries


def _entries(lines: Iterable[str]) -> Mapping[str, str]:
    """What a docstring says of each field; an entry goes on in the lines that are indented."""
    entries: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        if found := _ENTRY.fullmatch(line):
            names = found[1].split(", ")
            entries |= dict.fromkeys(names, found[2])
        elif names and line.startswith("    "):
            entries |= {name: f"{entries[name]} {line.strip()}" for name in names}
        else:
            names = []
    return entries
