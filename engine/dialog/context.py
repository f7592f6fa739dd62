"""Where and why a dialog takes place."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_serializer

__all__ = ["Context"]

Texts = str | list[str] | None


class Context(BaseModel):
    """Where and why a dialog takes place; every field is optional. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    location: str | None = Field(default=None, description="Where the dialog takes place, in a room or online.")
    datetime: str | None = Field(default=None, description="When it takes place.")
    environment: str | None = Field(default=None, description="Surroundings, conditions and atmosphere.")
    objects: Texts = Field(default=None, description="Things that matter, one or several.")
    participants_shared_knowledge: str | None = Field(default=None, description="What all participants know.")
    circumstances: Texts = Field(default=None, description="What about the situation bears on the dialog.")
    goals: Texts = Field(default=None, description="What the participants want, said or unsaid.")
    constraints: Texts = Field(default=None, description="What limits what they do or say.")
    topics: Texts = Field(default=None, description="What it is about, one or several topics.")
    style_guidelines: Texts = Field(default=None, description="How they speak, and in what form.")
    notes: str | None = Field(default=None, description="Anything else.")
    metadata: dict[str, Any] | None = Field(default=None, alias="_metadata")

    @model_serializer
    def _set_fields(self) -> dict[str, Any]:
        names = {"metadata": "_metadata"}
        return {names.get(name, name): value for name, value in self if value not in (None, "")}

    @classmethod
    def writes(cls, content: dict[Any, Any]) -> bool:
        """Whether a context that is read from this is written in the same way again, to the byte."""
        names = [field.alias or name for name, field in cls.model_fields.items()]
        is_said = all(value not in (None, "") for value in content.values())
        return is_said and list(content) == [name for name in names if name in content]
