"""The rows of a dialog: what was said, and what happened around it."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import BaseModel, ConfigDict

from .jsonable import jsonable

__all__ = ["LINE_END", "Turn", "Event", "Instruction"]

LINE_END = re.compile(r"\r\n?|\n")  # and no other: what is said may hold a form feed, or a separator of paragraphs


class Turn(BaseModel):
    """One utterance; its length is its number of words. Keys of a file that are unknown here are kept."""

    model_config = ConfigDict(extra="allow")

    speaker: str | None = None
    text: str

    def __len__(self) -> int:
        return len(self.text.split())

    def __str__(self) -> str:
        return f"{self.speaker}: {self.text}" if self.speaker else self.text

    def prompt(self) -> str:
        """The turn as indented JSON."""
        return json.dumps(jsonable(self), indent=2, ensure_ascii=False)

    def print(self) -> None:
        """Prints the turn for reading; what it says can neither move the cursor nor colour the screen."""
        from ..transcript import print_turn

        print_turn(self)


class Event(BaseModel):
    """One row of a dialog's `events`; `action` is utter, think, tool, instruct, …; `timestamp` is Unix seconds.

    Keys of a file that are unknown here are kept.
    """

    model_config = ConfigDict(extra="allow")

    agent: str | None = None
    action: str
    actionLabel: str | None = None  # noqa: N815  # the file's own name
    content: Any
    timestamp: int


class Instruction(BaseModel):
    """What an orchestrator may give instead of a string: the instruction, and events of its own."""

    text: str
    events: Event | list[Event] | None = None
