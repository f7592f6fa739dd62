"""Perspective: whose words a model is to learn from a dialog, and what it is told before."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from ..completion import Message, Role
from ..dialog import Dialog, Event, Turn
from ..dialog.events import events_by_turn
from ..hearing import as_heard
from ..said import whole
from .setting import setting_of
from .tool_use import tool_use

__all__ = ["Chat", "Perspective"]

PERSONA, NOTHING, EACH = "persona", "none", "each"


@dataclass(frozen=True, slots=True)
class Chat:
    """A dialog as one of its speakers lived it: what it said is the assistant's."""

    assistant: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Perspective:
    """How a dialog becomes the chat of an assistant. Raises ValueError for an assistant of no form.

    assistant: a name, in whatever case; "#2" for the second of the cast, whatever its name; or "each" for a chat of
        each who speaks.
    system: "persona" tells the assistant who it is, whom it talks with, where and why; "none" tells nothing; any other
        text is told as it stands.
    opening: what a user says before an assistant that speaks first, since many models insist on it; as agents of
        playact heard it while they were played. Empty for nothing.
    thoughts: the assistant's thoughts stand before its words, between <think> and </think>.
    advice: what orchestrators told the assistant stands before the message that it answers.
    """

    assistant: str = "#2"
    system: str = PERSONA
    opening: str = "Hello!"
    thoughts: bool = False
    advice: bool = False

    def __post_init__(self) -> None:
        if not self.assistant or (self.assistant[0] == "#" and not _place(self.assistant)):
            raise ValueError(f'the assistant is a name, "each" or, as in "#2", a place, not {self.assistant!r}')

    def chats(self, dialog: Dialog) -> list[Chat]:
        """The chat of the assistant; none when it says nothing in this dialog; several for each.

        A chat ends with what the assistant said last: nothing after that can be learnt.
        """
        chats = (Chat(name, self._messages(dialog, name)) for name in self._assistants(dialog))
        return [chat for chat in chats if chat.messages]

    def _assistants(self, dialog: Dialog) -> list[str]:
        speakers = dialog.get_speakers()
        if self.assistant == EACH:
            return speakers
        place = _place(self.assistant)
        if not place:
            return [name for name in speakers if name.casefold() == self.assistant.casefold()]
        return [name for name in cast_of(dialog)[place - 1 : place] if name in speakers]

    def _messages(self, dialog: Dialog, name: str) -> tuple[Message, ...]:
        others = [other for other in cast_of(dialog) if other != name]
        messages = self._told(dialog, name, others)
        rows = events_by_turn(dialog.turns, dialog.events or ())
        begin, end = len(messages), 0
        for is_own, group in groupby(zip(dialog.turns, rows, strict=True), lambda each: each[0].speaker == name):
            if not is_own:
                for turn, _ in group:
                    _add(messages, "user", _heard(turn, name, is_named=len(others) > 1))
                continue
            own = [(turn, [row for row in led if row.agent == name]) for turn, led in group]
            if len(messages) == begin:
                _add(messages, "user", self.opening)
            if self.advice:  # before what was heard last, so that the assistant still answers that
                told = [Message("system", str(row.content)) for _, led in own for row in led if _is_advice(row)]
                at = len(messages) - (messages[-1].role == "user") if messages else 0
                messages[at:at] = told
            for turn, led in own:
                messages += tool_use(led)
                _add(messages, "assistant", self._said(turn, led))
            if messages and messages[-1].role == "assistant":
                end = len(messages)
        return tuple(messages[:end])

    def _told(self, dialog: Dialog, name: str, others: list[str]) -> list[Message]:
        if self.system == NOTHING:
            return []
        return [Message("system", setting_of(dialog, name, others) if self.system == PERSONA else self.system)]

    def _said(self, turn: Turn, led: list[Event]) -> str:
        thoughts = [str(row.content).strip() for row in led if row.action == "think"] if self.thoughts else []
        thought = "<think>\n{}\n</think>\n\n".format("\n".join(thoughts)) if thoughts else ""
        text = whole(turn.text, turn.model_extra)
        return f"{thought}{text}" if text.strip() else ""


def _add(messages: list[Message], role: Role, text: str) -> None:
    """What one side says in a row is one message, since many models insist on taking turns."""
    if not text.strip():
        return
    if messages and messages[-1].role == role and not messages[-1].tool_calls:
        text = f"{messages.pop().text}\n{text}"
    messages.append(Message(role, text))


def cast_of(dialog: Dialog) -> list[str]:
    """Who takes part, in the order of the cast, then of speaking."""
    return list(dict.fromkeys([*(dialog.personas or ()), *dialog.get_speakers()]))


def _place(assistant: str) -> int:
    """From 1; 0 when it is no place."""
    digits = assistant.removeprefix("#")
    return int(digits) if digits != assistant and digits.isdecimal() and len(digits) < 10 else 0


def _heard(turn: Turn, listener: str, *, is_named: bool) -> str:
    """Empty where the listener hears nothing: what was not for its ears is not learnt either."""
    text = as_heard(turn, listener).text
    return f"{turn.speaker}: {text}" if is_named and turn.speaker is not None and text else text


def _is_advice(row: Event) -> bool:
    return row.action in ("instruct", "instruct-persist")
