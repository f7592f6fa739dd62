"""Small talk in a form: JSON that fits a schema, made up by a seed, out of single words."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["made_up"]

_DEPTH = 4  # from here on what may be left out is left out
_SPAN = 100  # numbers without bounds lie within


# fmt: off
_WORDS = (
    "amber", "birch", "cedar", "daisy", "ember", "fern", "ginger", "hazel", "indigo", "juniper", "kestrel", "lilac",
    "maple", "nettle", "olive", "poppy", "quince", "robin", "sage", "tansy", "umber", "violet", "willow", "yarrow",
    "almond", "basil", "clover", "dill", "elder", "flint", "garnet", "heather", "iris", "jasper",
)
# fmt: on


def made_up(schema: Mapping[str, Any], chance: random.Random) -> Any:
    """A value of the commonest kinds of schema; patterns, formats and conditions are not looked at."""
    return _value(schema, _Maker(schema, chance), 0)


@dataclass(frozen=True, slots=True)
class _Maker:
    root: Mapping[str, Any]
    chance: random.Random


def _value(schema: Any, maker: _Maker, depth: int) -> Any:
    if not isinstance(schema, Mapping):
        return maker.chance.choice(_WORDS)
    schema = _resolved(schema, maker.root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return maker.chance.choice(list(schema["enum"]))
    choices = [each for key in ("anyOf", "oneOf") for each in schema.get(key, ())]
    if choices:
        said = [each for each in choices if each != {"type": "null"}] or choices
        return _value(maker.chance.choice(said) if depth < _DEPTH else choices[-1], maker, depth + 1)
    for each in schema.get("allOf", ()):
        schema = {**_resolved(each, maker.root), **schema}
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    match kind:
        case "object":
            return _object(schema, maker, depth)
        case "array":
            return _array(schema, maker, depth)
        case "integer" | "number":
            return _number(schema, maker, is_whole=kind == "integer")
        case "boolean":
            return maker.chance.random() < 0.5
        case "null":
            return None
    return _text(schema, maker)


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference within the schema points at."""
    for _ in range(_SPAN):  # some go round in circles
        if not str(schema.get("$ref", "")).startswith("#/"):
            break
        place: Any = root
        for part in str(schema["$ref"])[2:].split("/"):
            place = place[part.replace("~1", "/").replace("~0", "~")]
        schema = {**place, **{key: each for key, each in schema.items() if key != "$ref"}}
    return schema


def _object(schema: Mapping[str, Any], maker: _Maker, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    wanted = schema.get("required", ()) if depth >= _DEPTH else [*properties, *schema.get("required", ())]
    return {name: _value(properties.get(name), maker, depth + 1) for name in dict.fromkeys(wanted)}


def _array(schema: Mapping[str, Any], maker: _Maker, depth: int) -> list[Any]:
    first = [_value(each, maker, depth + 1) for each in schema.get("prefixItems", ())]
    least = max(schema.get("minItems", 0), 0 if depth >= _DEPTH or first else 1)
    most = min(schema.get("maxItems", least + 2), least + 2)
    for _ in range(maker.chance.randint(least, max(least, most)) - len(first)):
        first.append(_value(schema.get("items"), maker, depth + 1))
    return first


def _number(schema: Mapping[str, Any], maker: _Maker, *, is_whole: bool) -> float:
    step = schema.get("multipleOf", 1 if is_whole else 0.5)
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    if least is None:
        least = 0 if most is None or most > 0 else most - _SPAN
    if most is None:
        most = least + _SPAN
    lowest = math.ceil(least / step) + (least == schema.get("exclusiveMinimum") and least % step == 0)
    highest = math.floor(most / step) - (most == schema.get("exclusiveMaximum") and most % step == 0)
    number: float = maker.chance.randint(lowest, max(lowest, highest)) * step
    return number


def _text(schema: Mapping[str, Any], maker: _Maker) -> str:
    """Without a space, so that it stays one token, as the scripted model counts them."""
    text = maker.chance.choice(_WORDS)
    while len(text) < schema.get("minLength", 0):
        text += "-" + maker.chance.choice(_WORDS)
    return text[: schema.get("maxLength", len(text))]
