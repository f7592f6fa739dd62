"""What an agent remembers of a dialog: the chat as its model is to see it, a fold over the dialog's facts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from ..engine.completion import Message, ToolCall
from ..engine.messages import Fact, FlawFound, Instructed, ReplyRejected, ToolCalled, ToolReturned, Uttered
from ..engine.said import heard, written
from ..engine.structured import correction
from .prompts import OPENING_CUE, PACKAGED, Prompts

__all__ = ["Memory"]

_CUE = Message("user", OPENING_CUE)  # many models insist that a user speaks first
_SILENCE = Message("user", "(You hear nothing.)")  # and that one does before each answer


class Memory:
    """One agent's side of a dialog: its own words are the assistant's, everybody else's the user's.

    What several others say in a row is one message, since many models insist on taking turns. With `names_speakers`
    each is named, for there is more than one. What is not for its ears never comes into it. `is_cued`: who speaks first
    is greeted first, as by a user.
    """

    __slots__ = (
        "_hears",
        "_is_cued",
        "_messages",
        "_missed",
        "_name",
        "_names_speakers",
        "_prompts",
        "is_blank",
        "last_heard",
    )

    def __init__(
        self,
        prompt: str,
        name: str,
        *,
        names_speakers: bool = False,
        hears: Callable[[str], str] | None = None,
        is_cued: bool = True,
    ) -> None:
        self.is_blank = True
        self.last_heard = ""
        self._name = name
        self._names_speakers = names_speakers
        self._hears = hears
        self._is_cued = is_cued
        self._prompts = PACKAGED
        self._messages = [Message("system", prompt)]
        self._missed = False  # whether others have spoken since the last message, so that it was not heard

    def instruct(self, prompt: str, prompts: Prompts) -> None:
        """Puts other instructions in the place of those it was made with; `prompts` has the words for all else."""
        self._prompts = prompts
        self._messages[0] = Message("system", prompt)

    def take(self, fact: Fact) -> None:
        """Remembers a published fact."""
        if isinstance(fact, Uttered):
            self._hear(fact)
        else:
            self._add(self._messages, fact, persistent=True)

    @property
    def remembered(self) -> tuple[Message, ...]:
        """The chat so far."""
        return tuple(self._messages)

    def messages(self, draft: Iterable[Fact]) -> tuple[Message, ...]:
        """The chat so far, and what belongs to this turn only, not published yet: advice, tools, rejected replies.

        Thoughts are never in it.
        """
        messages = self._messages.copy()
        if self.is_blank:
            messages += (_CUE,) if self._is_cued else ()
        elif self._missed and messages[-1].role == "assistant":
            messages.append(_SILENCE)
        for fact in draft:
            self._add(messages, fact, persistent=False)
        return tuple(messages)

    def _hear(self, fact: Uttered) -> None:
        is_plain = fact.heard_by is None and not fact.parts  # as it says itself, at the cost of a call
        if fact.agent == self._name:
            if self.is_blank:
                self._messages += (_CUE,) if self._is_cued else ()
            elif self._missed and self._messages[-1].role == "assistant":
                self._messages.append(_SILENCE)
            self._messages.append(Message("assistant", fact.text if is_plain else written(fact.all_parts)))
            self.last_heard = ""
        else:
            text = fact.text if is_plain else heard(fact.all_parts, self._name)
            if not text and not is_plain:
                self.last_heard, self._missed = "", True
                return
            text = text if self._hears is None else self._hears(text)
            self.last_heard = text
            if self._names_speakers:
                text = f"{fact.agent}: {text}"
            if self._messages[-1].role == "user":
                text = f"{self._messages.pop().text}\n{text}"
            self._messages.append(Message("user", text))
        self.is_blank = self._missed = False

    def _add(self, messages: list[Message], fact: Fact, *, persistent: bool) -> None:
        """Adds advice or a tool's use. Published advice stays only if persistent; a draft's stays for the turn."""
        match fact:
            case Instructed() if fact.agent == self._name and (fact.persistent or not persistent):
                self._advise(messages, fact.text, is_said_once=fact.persistent)
            case FlawFound() if fact.agent == self._name and fact.outcome == "retried" and not persistent:
                self._advise(messages, self._prompts.render("flaw_advice", flaw=fact.flaw), is_said_once=True)
            case ReplyRejected() if fact.agent == self._name and not persistent:
                messages += correction(fact.text, fact.problem)
            case ToolCalled() if fact.agent == self._name:
                call = ToolCall(fact.call_id, fact.name, json.dumps(dict(fact.arguments), ensure_ascii=False))
                messages.append(Message("assistant", "", tool_calls=(call,)))
            case ToolReturned() if fact.agent == self._name:
                messages.append(Message("tool", fact.output, tool_call_id=fact.call_id))

    def _advise(self, messages: list[Message], text: str, *, is_said_once: bool) -> None:
        advice = Message("system", text)
        if not (is_said_once and advice in messages):
            # Before what was heard last, so that the model still answers that.
            messages.insert(len(messages) - (messages[-1].role == "user"), advice)
