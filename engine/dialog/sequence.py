"""A dialog as a sequence of turns: asked, cut, reworded, renamed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, Self, overload

from ..said import has_secrets
from .events import events_by_turn
from .record import DialogRecord
from .turn import LINE_END, Event, Turn

__all__ = ["DialogSequence"]


class DialogSequence(DialogRecord):
    """`len` counts turns, iteration and indices give turns, a slice gives a new dialog; see `__getitem__`.

    What changes a dialog changes it in place and returns it; operations on texts give a changed clone instead with
    `in_place=False`. They change what the turns say, never `events`, which tell what happened.
    """

    def __len__(self) -> int:
        return len(self.turns)

    def __iter__(self) -> Iterator[Turn]:  # type: ignore[override]  # a dialog is a sequence of turns, not of fields
        return iter(self.turns)

    @overload
    def __getitem__(self, place: int) -> Turn: ...
    @overload
    def __getitem__(self, place: slice) -> Self: ...
    def __getitem__(self, place: int | slice) -> Turn | Self:
        """A turn; or, of a slice, a dialog of its own with these turns and what led to them, in that order.

        Its `parentId` is this one's id. Where it does not end as this one does, how this one ended is not said of it;
        and only the whole has cost what the whole has cost.
        """
        if not isinstance(place, slice):
            return self.turns[place]
        places = range(len(self.turns))[place]
        part = self.model_copy(update={"turns": [self.turns[at] for at in places]})
        if self.events is not None:
            groups = events_by_turn(self.turns, self.events)
            part.events = [event for at in places for event in groups[at]]
        if not places or places[-1] != len(self.turns) - 1:
            part.ending = part.complete = None
        if len(places) != len(self.turns):
            part.usage = None
        part = part.clone()
        part.parentId = self.id
        return part

    def __str__(self) -> str:
        return self.description()

    def description(self, turn_template: str | None = None) -> str:
        """The turns as text, one a line, in the template's form; a turn without a speaker is its text alone."""
        if turn_template is None:
            return "\n".join(_on_a_line(str(turn)) for turn in self.turns)
        lines = (_filled(turn_template, turn) if turn.speaker is not None else turn.text for turn in self.turns)
        return "\n".join(map(_on_a_line, lines))

    def length(self, mode: Literal["words", "turns", "minutes", "time"] = "words", words_per_minute: int = 130) -> int:
        """Words, turns, or the minutes (at least 1; "time" is the same) that it takes to say the words.

        Raises ValueError for another mode, and for less than one word a minute.
        """
        if words_per_minute < 1:
            raise ValueError(f"nobody says {words_per_minute} words a minute")
        unit = mode.lower()
        if unit not in ("words", "turns", "minutes", "time"):
            raise ValueError(f"a dialog's length is one of words, turns, minutes or time, not {mode!r}")
        if unit == "turns":
            return len(self.turns)
        words = sum(map(len, self.turns))
        return words if unit == "words" else max(1, round(words / words_per_minute))

    def get_speakers(self, keep_case: bool = True) -> list[str]:
        """The speakers in the order of their first turn; in lower case, each once, without `keep_case`."""
        names = (turn.speaker for turn in self.turns if turn.speaker is not None)
        return list(dict.fromkeys(names if keep_case else map(str.lower, names)))

    def filter(self, speaker: str) -> Self:
        """A clone with only this speaker's turns and events, in whatever case the name is written.

        Raises ValueError, with the names that there are, when nobody is called so.
        """
        if speaker.lower() not in self.get_speakers(keep_case=False):
            known = ", ".join(self.get_speakers()) or "nobody"
            raise ValueError(f"nobody is called {speaker!r} in the dialog {self.id}; there speaks {known}")
        own = self.clone()
        own.turns = [turn for turn in own.turns if _is(turn.speaker, speaker)]
        own.events = None if own.events is None else [event for event in own.events if _is(event.agent, speaker)]
        return own

    def rename_speaker(
        self, old_name: str, new_name: str, case_sensitive: bool = False, in_events: bool = True
    ) -> Self:
        """Gives a speaker another name, also as the key of the persona, and, with `in_events`, in the events."""

        def is_old(name: str | None) -> bool:
            return name == old_name if case_sensitive else _is(name, old_name)

        for turn in self.turns:
            if is_old(turn.speaker):
                turn.speaker = new_name
            _rename_hearers(turn, is_old, new_name)
        if self.personas is not None and new_name not in self.personas:
            self.personas = {new_name if is_old(name) else name: who for name, who in self.personas.items()}
        for event in (self.events or ()) if in_events else ():
            if is_old(event.agent):
                event.agent = new_name
            _rename_hearers(event, is_old, new_name)
        return self

    def append(self, turn: Turn, event: Event | None = None) -> Self:
        """Adds a turn at the end, and the row that tells of it."""
        self.turns.append(turn)
        if event is not None:
            self.events = [*(self.events or ()), event]
        return self

    def collapse(self, separator: str = "\n") -> Self:
        """Makes one turn of those that one speaker has in a row, with their texts joined.

        Turns that not all hear, and those of several parts, stay as they are.
        """
        turns: list[Turn] = []
        texts: list[list[str]] = []
        for turn in self.turns:
            is_next = turns and turn.speaker == turns[-1].speaker
            if is_next and not has_secrets(turn.model_extra) and not has_secrets(turns[-1].model_extra):
                texts[-1].append(turn.text)
            else:
                turns.append(turn)
                texts.append([turn.text])
        for turn, parts in zip(turns, texts, strict=True):
            turn.text = separator.join(parts)
        self.turns = turns
        return self

    def lower(self, in_place: bool = True) -> Self:
        return self._reworded(str.lower, in_place)

    def upper(self, in_place: bool = True) -> Self:
        return self._reworded(str.upper, in_place)

    def title(self, in_place: bool = True) -> Self:
        return self._reworded(str.title, in_place)

    def capitalize(self, in_place: bool = True) -> Self:
        return self._reworded(str.capitalize, in_place)

    def strip(self, chars: str | None = None, in_place: bool = True) -> Self:
        return self._reworded(lambda text: text.strip(chars), in_place)

    def replace(self, old: str, new: str, count: int = -1, in_place: bool = True) -> Self:
        """As `str.replace` does; `count` is for each turn."""
        return self._reworded(lambda text: text.replace(old, new, count), in_place)

    def re_sub(
        self,
        pattern: str | re.Pattern[str],
        repl: str | Callable[[re.Match[str]], str],
        count: int = 0,
        flags: int = 0,
        in_place: bool = True,
    ) -> Self:
        """As `re.sub` does; `count` is for each turn. What is compiled already has its flags, and takes no others."""
        finder = re.compile(pattern, flags) if isinstance(pattern, str) else pattern
        return self._reworded(lambda text: finder.sub(repl, text, count), in_place)

    def _reworded(self, change: Callable[[str], str], in_place: bool) -> Self:
        dialog = self if in_place else self.clone()
        for turn in dialog.turns:
            turn.text = change(turn.text)
            for part in _parts(turn):
                part["text"] = change(part["text"])
        return dialog


def _is(name: str | None, wanted: str) -> bool:
    return name is not None and name.lower() == wanted.lower()


def _on_a_line(text: str) -> str:
    return LINE_END.sub(" ", text)


def _parts(row: Turn | Event) -> list[dict[str, Any]]:
    """What a turn of several parts consists of, as it is kept beside the text."""
    parts = (row.model_extra or {}).get("parts")
    return [part for part in parts if isinstance(part, dict) and "text" in part] if isinstance(parts, list) else []


def _rename_hearers(row: Turn | Event, is_old: Callable[[str | None], bool], new_name: str) -> None:
    for content in (row.model_extra or {}, *_parts(row)):
        if isinstance(content.get("heard_by"), list):
            content["heard_by"] = [new_name if is_old(name) else name for name in content["heard_by"]]


def _filled(template: str, turn: Turn) -> str:
    """In one go: what is said may itself hold `{text}`."""
    values = {"{speaker}": turn.speaker or "", "{text}": turn.text}
    return re.sub(r"\{speaker\}|\{text\}", lambda match: values[match[0]], template)
