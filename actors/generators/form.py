"""The form in which a model is asked for attributes: a JSON schema of just these, and what of a reply fits it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from ...engine.json_text import values_in
from ...engine.structured import Checked, ReplySchema

__all__ = ["Form", "form_of", "schema_of"]

# For models of some hundred million parameters, which do not find the end of a text by themselves, or of a number.
_LONGEST_NAME, _LONGEST_TEXT, _LARGEST = 32, 80, 999
_RANGES = {"age": (18, 90), "years_of_experience": (0, 45), "experience_years": (0, 45)}
_NEEDLESS = ("title", "default", "examples")


class Form(ReplySchema):
    """The attributes `names`. With `takes_parts` any reply fits; what does not fit in it is left out.

    Keys that were not asked for are passed over, and a text without a letter or a digit, or "null", is none.
    """

    def __init__(self, schema: Mapping[str, Any], *, takes_parts: bool = False) -> None:
        super().__init__(schema)
        self.names = tuple(schema["properties"])
        self._takes_parts = takes_parts
        self._parts = {name: ReplySchema(_only(schema, name)) for name in self.names} if takes_parts else {}

    def check(self, text: str, *, is_cut_off: bool = False) -> Checked:
        checked = super().check(text, is_cut_off=is_cut_off)
        if not checked.problem:
            said = {name: value for name, value in checked.value.items() if name in self.names and not _is_none(value)}
            missing = [name for name in self.names if name not in said]
            if missing and not self._takes_parts:
                return Checked(problem=f"`{'`, `'.join(missing)}` says nothing")
            return Checked(said, text, is_repaired=checked.is_repaired)
        if not self._takes_parts:
            return checked
        return Checked(self._fitting(text, is_cut_off), text)

    def problem(self, text: str, *, is_cut_off: bool = False) -> str:
        """What is wrong with a reply as a whole, "" when nothing is."""
        return super().check(text, is_cut_off=is_cut_off).problem

    def _fitting(self, text: str, is_cut_off: bool) -> dict[str, Any]:
        """What fits of the object in the text that has the most of it."""
        best: dict[str, Any] = {}
        for value, _ in values_in(text, is_cut_off):
            if isinstance(value, dict):
                fitting = {name: value[name] for name in self.names if name in value and self._fits(name, value[name])}
                best = max(best, fitting, key=len)
        return best

    def _fits(self, name: str, value: Any) -> bool:
        return not _is_none(value) and self._parts[name].fits({name: value})


def form_of(
    kind: type[BaseModel], names: Sequence[str], hints: Mapping[str, str], *, is_small: bool, takes_parts: bool
) -> Form:
    """The form of some of a class's fields; those used lately are kept, since making one takes milliseconds."""
    return _form(json.dumps(schema_of(kind, names, hints, is_small=is_small)), takes_parts)


def schema_of(
    kind: type[BaseModel], names: Sequence[str], hints: Mapping[str, str], *, is_small: bool
) -> dict[str, Any]:
    """Some of a class's fields, all required; `is_small` bounds them for a model that finds no end by itself."""
    whole = _whole(kind)
    properties: dict[str, Any] = {}
    for name in names:
        field = _stated(whole["properties"].get(name, {}))
        if is_small:
            field = _bounded(name, field)
        if hint := hints.get(name):
            field["description"] = hint
        properties[name] = field
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return schema | {name: whole[name] for name in ("$defs",) if name in whole}


@lru_cache(maxsize=256)
def _form(schema: str, takes_parts: bool) -> Form:
    return Form(json.loads(schema), takes_parts=takes_parts)


@lru_cache(maxsize=64)
def _whole(kind: type[BaseModel]) -> dict[str, Any]:
    return kind.model_json_schema(by_alias=False)


def _only(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {**schema, "properties": {name: schema["properties"][name]}, "required": [name]}


def _stated(field: Mapping[str, Any]) -> dict[str, Any]:
    """A field that says something: nothing, and a text of no length, are no choice."""
    stated = {name: value for name, value in field.items() if name not in _NEEDLESS}
    choices = [_stated(choice) for choice in field.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:
        stated.pop("anyOf")
        return {**choices[0], **stated}
    if choices:
        stated["anyOf"] = choices
    if stated.get("type") == "string" and not {"enum", "const", "pattern", "format"} & stated.keys():
        stated["minLength"] = max(1, stated.get("minLength", 1))
    return stated


def _bounded(name: str, field: dict[str, Any]) -> dict[str, Any]:
    choices = {choice.get("type"): choice for choice in field.get("anyOf", ())}
    for kind in ("integer", "string", "number"):  # of a number or a text the number, of a text or a list the text
        if kind in choices:
            field = {**choices[kind], **{key: value for key, value in field.items() if key != "anyOf"}}
            break
    if field.get("type") == "string" and "minLength" in field:
        field.setdefault("maxLength", _LONGEST_NAME if name == "name" else _LONGEST_TEXT)
    elif field.get("type") in ("integer", "number"):
        low, high = _RANGES.get(name, (0, _LARGEST))
        if not {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "const"} & field.keys():
            field |= {"minimum": low, "maximum": high}
    elif field.get("type") == "array":
        field.setdefault("maxItems", 3)
    return field


def _is_none(value: Any) -> bool:
    if isinstance(value, str):
        return not any(map(str.isalnum, value)) or value.strip().lower() == "null"
    return value is None or value == []
