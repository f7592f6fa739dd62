"""Whether a value fits a JSON schema, told at once where the schema is plain, as most are that a model is asked with.

Checking by a schema as such takes a hundred times as long. What is told to fit does; what is not may fit all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import SchemaError, SchemaValidator, core_schema

__all__ = ["fits_at_once"]

_SAYS_NOTHING = frozenset(("title", "description", "default", "examples", "format", "$defs", "$schema"))
_DEEPEST = 16  # a schema that refers to itself has no end
_TEXT = {"minLength": "min_length", "maxLength": "max_length"}
_LIST = {"minItems": "min_length", "maxItems": "max_length"}
_WHOLE = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt"}


class _NotPlain(Exception):
    pass


def fits_at_once(schema: Mapping[str, Any]) -> Callable[[Any], bool]:
    """Says of values that were read from JSON that they fit for certain; of none where the schema is not plain."""
    try:
        fits: Callable[[Any], bool] = SchemaValidator(_plain(schema, schema, 0)).isinstance_python
    except (_NotPlain, SchemaError, OverflowError, UnicodeEncodeError):  # where pydantic knows no such bound or name
        return lambda value: False
    return fits


def _plain(part: Any, root: Mapping[str, Any], depth: int) -> core_schema.CoreSchema:
    if not isinstance(part, Mapping) or depth > _DEEPEST:
        raise _NotPlain
    said = {name: value for name, value in part.items() if name not in _SAYS_NOTHING}
    if "$ref" in said:
        return _plain(_meant(said, root), root, depth + 1)
    if "anyOf" in said and len(said) == 1:
        return core_schema.union_schema([_plain(each, root, depth + 1) for each in said["anyOf"]])
    kind = said.pop("type", "string" if "enum" in said else None)
    match kind:
        case "string" if "enum" in said and len(said) == 1 and all(isinstance(each, str) for each in said["enum"]):
            return core_schema.literal_schema(list(said["enum"]))
        case "string":
            return core_schema.str_schema(strict=True, **_bounds(said, _TEXT))
        case "integer":
            return core_schema.int_schema(strict=True, **_bounds(said, _WHOLE))
        case "number":  # without bounds, for which a whole number might be rounded
            return core_schema.float_schema(strict=True, **_bounds(said, {}))
        case "boolean":
            return core_schema.bool_schema(strict=True, **_bounds(said, {}))
        case "null":
            return core_schema.none_schema(**_bounds(said, {}))
        case "array":
            items = said.pop("items", None)
            each = core_schema.any_schema() if items is None else _plain(items, root, depth + 1)
            return core_schema.list_schema(each, strict=True, **_bounds(said, _LIST))
        case "object":
            return _object(said, root, depth)
    raise _NotPlain


def _object(said: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> core_schema.CoreSchema:
    properties, required = said.get("properties", {}), said.get("required", ())
    others = said.get("additionalProperties", True)
    is_known = said.keys() <= {"properties", "required", "additionalProperties"}
    if not is_known or not isinstance(others, bool) or not set(required) <= set(properties):
        raise _NotPlain
    fields = {
        name: core_schema.typed_dict_field(_plain(schema, root, depth + 1), required=name in required)
        for name, schema in properties.items()
    }
    return core_schema.typed_dict_schema(fields, strict=True, extra_behavior="allow" if others else "forbid")


def _bounds(said: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """What a schema says besides, in pydantic's words; whole numbers only."""
    if not said.keys() <= names.keys() or not all(type(value) is int for value in said.values()):
        raise _NotPlain
    return {names[name]: value for name, value in said.items()}


def _meant(said: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """What a reference to a definition means, where nothing stands beside it."""
    place, _, name = str(said["$ref"]).rpartition("/")
    definitions = root.get("$defs")
    is_escaped = "~" in name or "%" in name  # "a~1b" means "a/b"
    if place != "#/$defs" or is_escaped or len(said) > 1 or not isinstance(definitions, Mapping):
        raise _NotPlain
    return definitions.get(name)
