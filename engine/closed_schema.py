"""A JSON schema as the strict services want it: every object names all its properties and has no others.

OpenAI refuses anything else, and a small model that may leave a property out does. What fits the closed schema fits the
schema as well, but where it said `oneOf`, which no service knows how to keep to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["closed", "is_closed"]

_NAMED = ("properties", "$defs", "definitions")  # schemas by name
_SEVERAL = ("anyOf", "oneOf", "prefixItems")
_ONE = ("items", "additionalProperties")
_NEEDLESS = ("title", "default", "discriminator", "$schema", "$id")  # once all is required; no model reads them
# With these a schema says of one object in several places what it has: closing one of them would shut out the others.
_COMPOSING = (
    *("allOf", "not", "if", "dependentSchemas", "dependentRequired", "unevaluatedProperties", "unevaluatedItems"),
    *("$dynamicRef", "$anchor"),
)


def closed(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema closed; as it is where it is composed in ways that closing would change."""
    if any(_composes(part) for part in _parts(schema)):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and isinstance(meant := _meant(reference, schema), Mapping):
        # A model that contains itself is one reference; services want to see an object first.
        schema = {**{name: value for name, value in schema.items() if name != "$ref"}, **meant}
    made: Mapping[str, Any] = _closed(schema, schema, ())
    return made


def is_closed(schema: Mapping[str, Any]) -> bool:
    """Whether a strict service will take it: some objects, such as those with keys of any name, cannot be closed."""
    return not any(_composes(part) or "oneOf" in part or _is_open(part) for part in _parts(schema))


def _is_open(part: Mapping[str, Any]) -> bool:
    is_object = part.get("type") == "object" or "properties" in part
    has_all = set(part.get("required", ())) == set(part.get("properties", ()))
    return is_object and not (part.get("additionalProperties") is False and has_all)


def _closed(part: Any, root: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    """`within`: the references that are being written out, so that none is written out in itself without end."""
    if not isinstance(part, Mapping):
        return part
    reference = part.get("$ref")
    if isinstance(reference, str):
        beside = {name: value for name, value in part.items() if name not in ("$ref", *_NEEDLESS, *_NAMED)}
        meant = _meant(reference, root)
        if not beside or reference in within or not isinstance(meant, Mapping):
            alone = {"$ref": reference}
            return alone | {name: _each(part[name], root, within) for name in _NAMED if name in part}
        part, within = {**meant, **beside}, (*within, reference)  # nothing may stand beside a reference
    made: dict[str, Any] = {}
    for name, value in part.items():
        if name in _NEEDLESS:
            continue
        if name in _NAMED and isinstance(value, Mapping):
            made[name] = _each(value, root, within)
        elif name in _SEVERAL and isinstance(value, list | tuple):
            made["anyOf" if name == "oneOf" else name] = [_closed(each, root, within) for each in value]
        else:
            made[name] = _closed(value, root, within) if name in _ONE else value
    if "properties" in made and "additionalProperties" not in made and "patternProperties" not in made:
        made["additionalProperties"] = False
        made["required"] = list(made["properties"])
    return made


def _each(schemas: Mapping[str, Any], root: Mapping[str, Any], within: tuple[str, ...]) -> dict[str, Any]:
    return {name: _closed(schema, root, within) for name, schema in schemas.items()}


def _meant(reference: str, root: Mapping[str, Any]) -> object:
    """What a reference within the schema points at, None when that cannot be found simply."""
    there: object = root
    for name in reference.removeprefix("#").split("/")[1:]:
        there = there.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(there, Mapping) else None
    return there


def _composes(part: Mapping[str, Any]) -> bool:
    has_choice = "anyOf" in part or "oneOf" in part
    return any(name in part for name in _COMPOSING) or (has_choice and "properties" in part)


def _parts(schema: object) -> Iterator[Mapping[str, Any]]:
    """The schema and all those in it; names of properties are none."""
    if not isinstance(schema, Mapping):
        return
    yield schema
    for name, value in schema.items():
        if name in _NAMED and isinstance(value, Mapping):
            for each in value.values():
                yield from _parts(each)
        elif name in _SEVERAL and isinstance(value, list | tuple):
            for each in value:
                yield from _parts(each)
        elif name in _ONE:
            yield from _parts(value)
