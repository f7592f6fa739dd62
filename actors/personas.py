"""Personas: who somebody is."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Persona"]


class Persona(BaseModel):
    """Who an agent is. Every field is optional; subclass it to add your own.

    Raises pydantic's `ValidationError`, a ValueError, for a field that does not exist.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

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

    def fields(self) -> dict[str, Any]:
        """The fields that say something, in the order of their declaration."""
        return {name: value for name, value in self.model_dump().items() if value not in (None, "")}
