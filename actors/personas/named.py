"""Personas by the names of their classes, as scenario files write them, and classes as words, as prompts say them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import GetJsonSchemaHandler, TypeAdapter, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from ...engine.attribute_classes import class_named, classes_of
from ...engine.attributes import AttributeModel, in_words, words_of
from ...engine.dialog import Context
from ...engine.errors import SetupError
from ..problem import inside, problem
from . import PERSONAS, Persona

__all__ = ["WrittenPersona", "persona_class", "persona_from", "personas_by_name", "role_of", "said_of"]


def personas_by_name() -> dict[str, type[AttributeModel]]:
    """Ours, and those of the user's classes that are imported and have a name of their own."""
    own = {kind.__name__: kind for kind in PERSONAS}
    return {kind.__name__: kind for kind in classes_of(AttributeModel) if _is_persona(kind)} | own


def persona_class(name: str) -> type[AttributeModel]:
    """The class of that name. Raises `SetupError` where there is none, or more than one."""
    if name in personas_by_name():
        return class_named(AttributeModel, name)
    close = get_close_matches(name, personas_by_name(), 1)
    hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(kind.__name__ for kind in PERSONAS)}"
    raise SetupError(f"unknown persona `{name}`; {hint}")


def persona_from(value: Any) -> Any:
    """A persona as a file has it: fields of a `Persona`, `{Doctor: {name: Ana}}`, or what `to_file` wrote.

    What is none of these is given back, for pydantic to judge. Raises its `ValidationError`, with the place inside,
    and ValueError for a context.
    """
    if isinstance(value, Context):
        raise ValueError("a persona is who somebody is; where a dialog takes place is said with context=")  # noqa: TRY004
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        return value
    if "_metadata" in value:
        return _as_written(value)
    if len(value) == 1:
        ((name, fields),) = value.items()
        if name in personas_by_name() or (name not in Persona.model_fields and isinstance(fields, Mapping)):
            return _of_class(name, {} if fields is None else fields)
    if "class" in value:
        raise problem(
            "the class of a persona is the key that its fields stand under, as in `Doctor: {name: Ana}`", "class"
        )
    return Persona.model_validate(value)


def role_of(persona: AttributeModel) -> str:
    """What somebody is by its class alone: "IT support specialist"; "" where the class does not say, or a field does.

    `Persona` and what extends it have a field for it.
    """
    kind = type(persona)
    if "role" in kind.model_fields or kind.__name__.startswith("_"):
        return ""
    return words_of(kind.__name__.removeprefix("Extended").removesuffix("Persona"))


def said_of(persona: AttributeModel | None) -> dict[str, Any]:
    """What a prompt says of somebody: what the person is, then the fields that say something; lists in a line.

    Without the name, which the agent's own stands for, and without the language that the prompt is in.
    """
    if persona is None:
        return {}
    role = role_of(persona)
    said = {name: in_words(value) if isinstance(value, list) else value for name, value in persona.fields().items()}
    said = {name: value for name, value in said.items() if value != "" and name != "name"}
    if said.get("language") == "English":
        del said["language"]
    return {"role": role, **said} if role else said


class WrittenPersona:
    """Marks a field of a persona: its JSON schema tells how one is written in a file."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        forms = {kind.__name__: handler(TypeAdapter(kind).core_schema) for kind in PERSONAS}
        named = [
            {
                "type": "object",
                "description": kind.__doc__,
                "properties": {kind.__name__: {"anyOf": [forms[kind.__name__], {"type": "null"}]}},
                "required": [kind.__name__],
                "additionalProperties": False,
            }
            for kind in PERSONAS
        ]
        return {"anyOf": [forms["Persona"], *named]}


def _is_persona(kind: type[AttributeModel]) -> bool:
    """Not the base, nor a context, nor what is nobody else's business."""
    is_other = kind.__module__.startswith("playact.engine") or issubclass(kind, Context)
    return not is_other and not kind.__name__.startswith("_")


def _as_written(value: Mapping[str, Any]) -> Any:
    """Of the class that its metadata name; a `Persona` when they name none."""
    try:
        metadata = value["_metadata"]
        is_named = isinstance(metadata, Mapping) and metadata.get("className")
        return persona_from(AttributeModel.from_dict(value)) if is_named else Persona.from_dict(value)
    except SetupError as error:
        raise problem(str(error), "_metadata") from error


def _of_class(name: str, fields: Any) -> AttributeModel:
    try:
        return persona_class(name).model_validate(fields)
    except ValidationError as error:
        raise inside(error, name) from error
    except SetupError as error:
        raise problem(str(error), name) from error
