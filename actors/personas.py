"""Personas: who somebody is."""

from __future__ import annotations

from ..engine.attributes import AttributeModel

__all__ = ["Persona"]


class Persona(AttributeModel):
    """Who an agent is. Every field is optional; subclass it to add your own.

    Raises pydantic's `ValidationError`, a ValueError, for a field that does not exist.
    """

    name: str = ""
    age: int | str | None = None
    gender: str = ""
    race: str = ""
    language: str = "English"
    role: str = ""
    background: str = ""
    personality: str = ""
    circumstances: str = ""
    rules: str = ""
