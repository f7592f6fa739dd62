"""Where and why a dialog takes place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_serializer, model_validator

from ..attributes import METADATA, AttributeModel
from ..metadata import Metadata

__all__ = ["Context"]

Texts = str | list[str] | None


class Context(AttributeModel):
    """Where and why a dialog takes place; every field is optional. Subclass it to add your own.

    Unknown fields are refused. Where it is part of something else, as in a dialog's file, it has its metadata with it.
    """

    model_config = ConfigDict(populate_by_name=True)

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

    @classmethod
    def kept(cls, content: dict[Any, Any]) -> Self | None:
        """The context that is written as this again, to the byte; None where there is none."""
        names = (*cls.model_fields, METADATA)
        if list(content) != [name for name in names if content.get(name) not in (None, "")]:
            return None
        try:
            made = cls.model_validate(content)
        except ValidationError:
            return None
        # As text, which has an order, and tells 7 from 7.0.
        return made if repr(made._origin()) == repr(content.get(METADATA)) else None

    @model_validator(mode="wrap")
    @classmethod
    def _with_origin(cls, said: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(said, Mapping) or METADATA not in said:
            return handler(said)
        made = handler({name: value for name, value in said.items() if name != METADATA})
        if said[METADATA] is not None:
            object.__setattr__(made, "_stamp", Metadata.model_validate(said[METADATA]))
        return made

    @model_serializer
    def _set_fields(self) -> dict[str, Any]:
        content = {name: value for name, value in self if value not in (None, "")}
        return content | {METADATA: self._origin()} if self.has_metadata else content

    def _origin(self) -> dict[str, Any] | None:
        """Its metadata as they were said, without what they leave out."""
        return self.metadata.model_dump(exclude_unset=True) if self.has_metadata else None
