"""A dialog and its parts: what a run leaves behind, in the file format of sdialog."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_serializer

from .completion import Usage
from .errors import DialogFailed, FileInvalid

if TYPE_CHECKING:
    from .completion import Backend
    from .dialog_files import FileType
    from .performance import Playable
    from .simulation import Simulation

__all__ = ["Context", "Dialog", "Ending", "Event", "Instruction", "Turn"]

Texts = str | list[str] | None


class Turn(BaseModel):
    """One utterance; its length is its number of words. Keys of a file that are unknown here are kept."""

    model_config = ConfigDict(extra="allow")

    speaker: str | None = None
    text: str

    def __len__(self) -> int:
        return len(self.text.split())

    def __str__(self) -> str:
        return self.text if self.speaker is None else f"{self.speaker}: {self.text}"

    def prompt(self) -> str:
        """The turn as indented JSON."""
        return json.dumps(self.model_dump(), indent=2, ensure_ascii=False)


class Event(BaseModel):
    """One row of a dialog's `events`; `action` is utter, think, tool, instruct, …; `timestamp` is Unix seconds."""

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


class Context(BaseModel):
    """Where and why a dialog takes place; every field is optional. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    location: str | None = None
    datetime: str | None = None
    environment: str | None = None
    objects: Texts = None
    participants_shared_knowledge: str | None = None
    circumstances: Texts = None
    goals: Texts = None
    constraints: Texts = None
    topics: Texts = None
    style_guidelines: Texts = None
    notes: str | None = None
    metadata: dict[str, Any] | None = Field(default=None, alias="_metadata")

    @model_serializer
    def _set_fields(self) -> dict[str, Any]:
        names = {"metadata": "_metadata"}
        return {names.get(name, name): value for name, value in self if value not in (None, "")}


class Ending(BaseModel):
    """Why a dialog ended; `detail` says more (such as "goodbyes"), `error` what went wrong."""

    model_config = ConfigDict(frozen=True)

    reason: Literal["finished", "turn_limit", "budget", "failed", "cancelled"]
    detail: str = ""
    error: str | None = None

    @property
    def failed(self) -> bool:
        return self.reason == "failed"


class Dialog(BaseModel):
    """Who said what, and how it came about.

    The first fourteen fields are sdialog's and are always written; ours (`ending`, `usage`) follow when they are set,
    then the keys of a file that are unknown here. `len` counts turns, iteration and indices give turns, a slice gives a
    new dialog whose `parentId` is this one's id.
    """

    model_config = ConfigDict(extra="allow")

    version: str | None = None
    timestamp: str | None = None
    model: str | dict[str, Any] | None = None
    seed: int | None = None
    id: int | str | None = Field(default_factory=lambda: str(uuid4()))
    parentId: int | str | None = None  # noqa: N815  # the file's own name
    complete: bool | None = None
    personas: dict[str, Any] | None = None
    context: Context | str | dict[str, Any] | None = None
    scenario: str | dict[str, Any] | None = None
    turns: list[Turn] = Field(default_factory=list)
    events: list[Event] | None = None
    annotations: Any = None
    notes: Any = None
    ending: Ending | None = None
    usage: Usage | None = None

    def __len__(self) -> int:
        return len(self.turns)

    def __iter__(self) -> Iterator[Turn]:  # type: ignore[override]  # a dialog is a sequence of turns, not of fields
        return iter(self.turns)

    @overload
    def __getitem__(self, place: int) -> Turn: ...
    @overload
    def __getitem__(self, place: slice) -> Dialog: ...
    def __getitem__(self, place: int | slice) -> Turn | Dialog:
        if isinstance(place, slice):
            part = self.clone()
            part.turns = part.turns[place]
            return part
        return self.turns[place]

    def __str__(self) -> str:
        return self.description()

    def length(self, mode: Literal["words", "turns", "minutes", "time"] = "words", words_per_minute: int = 130) -> int:
        """Words, turns, or the minutes (at least 1) that it takes to say the words."""
        if mode == "turns":
            return len(self.turns)
        words = sum(map(len, self.turns))
        return words if mode == "words" else max(1, round(words / words_per_minute))

    def get_speakers(self) -> list[str]:
        """The speakers in the order of their first turn."""
        return list(dict.fromkeys(turn.speaker for turn in self.turns if turn.speaker is not None))

    def description(self, turn_template: str = "{speaker}: {text}") -> str:
        """The turns as text, one a line; a turn without a speaker is its text alone."""
        lines = (
            turn.text
            if turn.speaker is None
            else turn_template.replace("{speaker}", turn.speaker).replace("{text}", turn.text)
            for turn in self.turns
        )
        return "\n".join(lines)

    def clone(self, new_id: int | str | None = None) -> Dialog:
        """A deep copy with an id of its own, whose `parentId` is this dialog's id."""
        copy = self.model_copy(deep=True)
        copy.id, copy.parentId = new_id or str(uuid4()), self.id
        return copy

    def forked(self, *, turn: int, scenario: Playable, seed: int | None = None) -> Playable:
        """Another scenario, to be played on from this dialog's first `turn` turns, which cost nothing.

        For `Simulation.run`, any number at once; see `Simulation.fork`. Raises ValueError when there are fewer turns.
        """
        from .program.fork import Fork

        return Fork.of(self, turn, scenario, seed)

    async def fork(
        self,
        *,
        turn: int,
        scenario: Playable,
        seed: int | None = None,
        model: str | Backend | None = None,
        simulation: Simulation | None = None,
    ) -> Dialog:
        """What the dialog would have become, had it gone on from its first `turn` turns as another scenario.

        Uses `simulation` where one is given, else one of its own with `model`; see `Simulation.fork`. Raises ValueError
        when the dialog has fewer turns, `DialogFailed` when the new one cannot be finished, and `SetupError` when the
        model cannot be used.
        """
        from .program.fork import own_seed
        from .simulation import Simulation

        forked = self.forked(turn=turn, scenario=scenario, seed=seed)
        if simulation is not None:
            dialog = await simulation.play(forked)
        else:
            async with Simulation(model=model, seed=own_seed(forked, model), concurrency=1) as own:
                dialog = await own.play(forked)
        if dialog.ending is not None and dialog.ending.failed:
            raise DialogFailed(dialog, dialog.ending.error or dialog.ending.reason)
        return dialog

    def print(
        self, *, scenario: bool = False, orchestration: bool = False, think: bool = False, all: bool = False
    ) -> None:
        """Prints the dialog for reading; `all` adds what the other flags add: its setting, its events, its thoughts."""
        from .transcript import print_dialog

        print_dialog(self, scenario=scenario or all, orchestration=orchestration or all, think=think or all)

    def to_dict(self) -> dict[str, Any]:
        """The dialog as its file has it."""
        content = self.model_dump(mode="json")
        for name in ("ending", "usage"):
            if content[name] is None:
                del content[name]
        return content

    def prompt(self) -> str:
        """The turns as indented JSON."""
        return json.dumps([turn.model_dump() for turn in self.turns], indent=2, ensure_ascii=False)

    @overload  # type: ignore[override]  # sdialog's method; pydantic's of this name is deprecated
    def json(self, string: Literal[False] = False, indent: int | None = 2) -> dict[str, Any]: ...
    @overload
    def json(self, string: Literal[True], indent: int | None = 2) -> str: ...
    def json(self, string: bool = False, indent: int | None = 2) -> dict[str, Any] | str:
        """The dialog as its file has it, or that as text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False) if string else self.to_dict()

    def to_line(self) -> str:
        """The dialog as one line of a JSON Lines file, without the line's end."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Raises pydantic's `ValidationError`, a ValueError, when this is no dialog."""
        return cls.model_validate(content)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises `FileInvalid` when the text is not a dialog's JSON."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise FileInvalid("dialog", None, f"{where}: {first['msg']}" if where else first["msg"]) from error

    @classmethod
    def from_str(cls, text: str, template: str = "{speaker}: {text}") -> Dialog:
        """Reads turns out of lines in the template's form. Raises `FileInvalid` with the line that is not."""
        from .dialog_files import from_text

        return from_text(text, template, "text")

    def to_file(self, path: str | Path, type: FileType = "auto", *, overwrite: bool = True) -> None:
        """Writes the dialog as json, csv, tsv or txt, by the name's ending unless `type` says; never half a file.

        Raises FileExistsError when the file is there and `overwrite` is off, and OSError when it cannot be written.
        """
        from .dialog_files import write_dialog

        write_dialog(self, Path(path), type, overwrite=overwrite)

    @classmethod
    def from_file(cls, path: str | Path, type: FileType = "auto") -> Dialog:
        """Reads what `to_file` and sdialog write. Raises `FileInvalid`, with the line where there is one."""
        from .dialog_files import read_dialog

        return read_dialog(Path(path), type)

    @staticmethod
    def read_lines(path: str | Path) -> Iterator[Dialog]:
        """The dialogs of a JSON Lines file one by one, in flat memory. Raises `FileInvalid` with the line."""
        from .dialog_files import read_lines

        return read_lines(Path(path))

    def digest(self) -> str:
        """A hexadecimal fingerprint of what was said and why; see `digest.digest_of`."""
        from .digest import digest_of

        return digest_of(self)
