"""Generators of personas and of contexts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from ...engine.completion import Backend
from ...engine.dialog import Context
from ..personas import Persona
from .attribute_generator import AttributeModelGenerator

__all__ = ["ContextGenerator", "PersonaGenerator"]

P = TypeVar("P", bound=BaseModel)
C = TypeVar("C", bound=Context)
_IN_ENGLISH = "Attributes must be in English"


class PersonaGenerator(AttributeModelGenerator[P]):
    """Generates personas: `await PersonaGenerator(Doctor).set(specialty=["cardiology", "surgery"]).generate(20)`.

    See `AttributeModelGenerator`.
    """

    template = "persona_generator"

    def __init__(
        self,
        persona: P | type[P] = Persona,  # type: ignore[assignment]  # what P is where nothing is said
        generated_attributes: Literal["all"] | Sequence[str] | Mapping[str, Any] = "all",
        extra_instructions: str = _IN_ENGLISH,
        model: str | Backend | None = None,
        **more: Any,
    ) -> None:
        super().__init__(persona, generated_attributes, extra_instructions, model, **more)


class ContextGenerator(AttributeModelGenerator[C]):
    """Generates contexts: `await ContextGenerator(Context(location="Mars Forward Base Alpha")).generate()`.

    See `AttributeModelGenerator`.
    """

    template = "context_generator"

    def __init__(
        self,
        context: C | type[C] = Context,  # type: ignore[assignment]  # what C is where nothing is said
        generated_attributes: Literal["all"] | Sequence[str] | Mapping[str, Any] = "all",
        extra_instructions: str = _IN_ENGLISH,
        model: str | Backend | None = None,
        **more: Any,
    ) -> None:
        super().__init__(context, generated_attributes, extra_instructions, model, **more)

    @classmethod
    def family(cls) -> type[BaseModel]:
        return Context
