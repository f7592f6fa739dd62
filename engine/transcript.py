"""A dialog on a terminal. What models said is untrusted: it can neither move the cursor nor colour the screen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel

from .attributes import METADATA, words_of
from .said import whole

if TYPE_CHECKING:
    from rich.text import Text

    from .dialog import Dialog, Turn

__all__ = ["plain", "print_dialog", "print_turn", "readable"]

_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "red")


def plain(text: str) -> str:
    """The text without terminal escape sequences and control characters; line ends and tabs stay."""
    return _CONTROL.sub("", text)


def print_turn(turn: Turn) -> None:
    from rich.console import Console

    colours = {} if turn.speaker is None else {turn.speaker: _COLOURS[0]}
    Console(soft_wrap=True, highlight=False).print(_said(turn.speaker, whole(turn.text, turn.model_extra), colours))


def print_dialog(dialog: Dialog, *, scenario: bool = False, orchestration: bool = False, think: bool = False) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False)
    console.print(Text(plain(f"--- dialog {dialog.id} ---"), style="dim"))
    if scenario:
        for name, value in _setting(dialog):
            console.print(Text(plain(f"{name}: {readable(value)}"), style="dim"))
    for line in _lines(dialog, orchestration=orchestration, think=think):
        console.print(line)
    console.print(Text(f"--- {_ending(dialog)} ---", style="dim"))


def readable(value: object) -> str:
    """What somebody or something is, in a line, without where that comes from."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if not isinstance(value, Mapping):
        return _in_words(value)
    said = {str(name): each for name, each in value.items() if name != METADATA and each not in (None, "")}
    return "; ".join(f"{words_of(name) or name}: {_in_words(each)}" for name, each in said.items())


def _in_words(value: object) -> str:
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        value = ", ".join(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return " ".join(text.splitlines())


def _setting(dialog: Dialog) -> Iterator[tuple[str, object]]:
    """Where and why it takes place, and who each of those is that take part."""
    yield from ((name, value) for name, value in (("context", dialog.context), ("scenario", dialog.scenario)) if value)
    yield from ((f"persona {name}", persona) for name, persona in (dialog.personas or {}).items() if persona)


def _lines(dialog: Dialog, *, orchestration: bool, think: bool) -> list[Text]:
    """The turns, or, where more than the turns is wanted, the events that tell it all in order."""
    from rich.text import Text

    speakers = {name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(dialog.get_speakers())}
    if not (orchestration or think) or not dialog.events:
        return [_said(turn.speaker, whole(turn.text, turn.model_extra), speakers) for turn in dialog]
    lines = []
    for event in dialog.events:
        if event.action == "utter":
            lines.append(_said(event.agent, whole(str(event.content), event.model_extra), speakers))
        elif think if event.action == "think" else orchestration:
            lines.append(
                Text(plain(f"  ({event.agent} {event.actionLabel or event.action}: {event.content})"), style="dim")
            )
    return lines


def _said(speaker: str | None, text: str, colours: dict[str, str]) -> Text:
    from rich.text import Text

    line = Text()
    if speaker is not None:
        line.append(plain(speaker), style=f"bold {colours.get(speaker, '')}".strip())
        line.append(": ")
    line.append(plain(text))
    return line


def _ending(dialog: Dialog) -> str:
    if dialog.ending is None:
        return f"{len(dialog)} turns"
    parts = [f"{len(dialog)} turns", dialog.ending.reason.replace("_", " ")]
    parts += [plain(part) for part in (dialog.ending.detail, dialog.ending.error) if part]
    return ", ".join(parts)
