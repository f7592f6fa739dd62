"""A turn as JSON, one field for each channel, for models that are kept to a schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ...engine.said import SPEECH, Said
from ...engine.structured import ReplySchema

__all__ = ["parts_of", "schema_of"]

_TO = "to"


def schema_of(channels: Sequence[str], confidants: Sequence[str] | None) -> ReplySchema:
    """`speech`, `to` where there may be asides, and the channels; what there is none of is an empty text or list."""
    properties: dict[str, Any] = {name: {"type": "string"} for name in channels if name != SPEECH}
    if confidants:
        properties[_TO] = {"type": "array", "items": {"type": "string", "enum": list(confidants)}}
    properties[SPEECH] = {"type": "string"}
    return ReplySchema.of({"type": "object", "properties": properties, "required": list(properties)})


def parts_of(text: str, channels: Sequence[str]) -> Iterator[Said]:
    """The parts of a turn that fits the schema, without empty ones."""
    content = json.loads(text)
    heard_by = tuple(content.get(_TO, ())) or None
    for name in (*(name for name in channels if name != SPEECH), SPEECH):
        if words := content[name].strip():
            yield Said(name, words, heard_by if name == SPEECH else None)
