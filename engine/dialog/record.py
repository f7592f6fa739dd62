"""A dialog as its file has it: fourteen fields of sdialog's, ours, and whatever else a file holds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, Self, overload
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ..completion import Usage
from ..errors import FileInvalid
from ..metadata import now, own_version
from .context import Context
from .ending import Ending
from .jsonable import jsonable
from .turn import Event, Turn

__all__ = ["DialogRecord"]

_OURS = ("ending", "usage")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # an escaped half of a character, as `ensure_ascii` writes it


class DialogRecord(BaseModel):
    """The fields of a dialog, and JSON in and out.

    One that is made here says by which version, and when; one that is read says what its file says.

    The first fourteen fields are sdialog's and are always written; ours (`ending`, `usage`) follow when they are set,
    then the keys of a file that are unknown here. NaN and infinities, which sdialog writes though JSON has none, are
    read, and written as null.
    """

    model_config = ConfigDict(extra="allow")

    version: str | None = Field(default_factory=own_version)
    timestamp: str | None = Field(default_factory=now)
    model: str | dict[str, Any] | None = None
    seed: int | None = None
    id: int | str | None = Field(default_factory=lambda: str(uuid4()))
    parentId: int | str | None = None  # noqa: N815  # the file's own name
    complete: bool | None = None
    personas: dict[str, Any] | None = None
    # In this order: writing tries one after the other, and a context's own way to write itself takes anything.
    context: str | dict[str, Any] | Context | None = None
    scenario: str | dict[str, Any] | None = None
    turns: list[Turn] = Field(default_factory=list)
    events: list[Event] | None = None
    annotations: Any = None
    notes: Any = None
    ending: Ending | None = None
    usage: Usage | None = None

    @field_validator("turns", mode="before")
    @classmethod
    def _none_are_no_turns(cls, value: object) -> object:
        """As sdialog's reader takes null."""
        return [] if value is None else value

    @field_validator("context", mode="before")
    @classmethod
    def _as_context(cls, value: object) -> object:
        """What a `Context` would not give back as it was stays as it is."""
        context = Context.kept(value) if type(value) is dict else None
        return value if context is None else context

    def clone(self, new_id: int | str | None = None) -> Self:
        """A deep copy with an id of its own, whose `parentId` is this dialog's id."""
        copy = self.model_copy(deep=True)
        copy.id, copy.parentId = str(uuid4()) if new_id is None else new_id, self.id
        return copy

    def to_dict(self) -> dict[str, Any]:
        """The dialog as its file has it. A value in it that no JSON can say becomes its text, and nothing around it."""
        content = jsonable(self)
        for name in _OURS:
            if content[name] is None:
                del content[name]
        return content

    @overload  # type: ignore[override]  # sdialog's method; pydantic's of this name is deprecated
    def json(
        self, string: Literal[False] = False, indent: int | None = 2, ensure_ascii: bool = False
    ) -> dict[str, Any]: ...
    @overload
    def json(self, string: Literal[True], indent: int | None = 2, ensure_ascii: bool = False) -> str: ...
    def json(self, string: bool = False, indent: int | None = 2, ensure_ascii: bool = False) -> dict[str, Any] | str:
        """The dialog as its file has it, or that as text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=ensure_ascii) if string else self.to_dict()

    def prompt(self) -> str:
        """The turns as indented JSON."""
        turns = [jsonable(turn) for turn in self.turns]
        return json.dumps(turns, indent=2, ensure_ascii=False)

    def to_line(self) -> str:
        """The dialog as one line of a JSON Lines file, without the line's end."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Raises pydantic's `ValidationError`, a ValueError, when this is no dialog."""
        return cls.model_validate(data)._as_it_was()

    @classmethod
    def from_json(cls, json_str: str) -> Self:
        """Raises `FileInvalid` when the text is not a dialog's JSON."""
        try:
            return cls.model_validate_json(json_str)._as_it_was()
        except ValidationError as error:
            if _HALF.search(json_str):
                with suppress(ValueError, RecursionError):  # a ValidationError is a ValueError
                    return cls.from_dict(json.loads(json_str))  # takes halves, which pydantic's parser does not
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise FileInvalid("dialog", None, f"{where}: {first['msg']}" if where else first["msg"]) from error

    def _as_it_was(self) -> Self:
        """What was read was not made now and here."""
        for name in ("version", "timestamp"):
            if name not in self.model_fields_set:
                setattr(self, name, None)
        return self
