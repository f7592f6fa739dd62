"""A reply as a model wrote it, taken apart while it comes: what it thought, what it says, which tools it calls.

Stop strings are looked for in what it says alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from ..engine.completion import ToolCall
from ..engine.errors import ReplyInvalid
from .http_answer import presentable

__all__ = ["MARKS", "Part", "ReplyText"]

_THINK, _THOUGHT = "<think>", "</think>"
_CALL, _CALLED = "<tool_call>", "</tool_call>"
_CALLS = "[TOOL_CALLS]"
# Tokenizers count some of these among their special tokens, which are left out of texts as a rule.
MARKS = (_THINK, _THOUGHT, _CALL, _CALLED, _CALLS)


class Part(NamedTuple):
    """What a piece of a reply adds to what is said and to what was thought."""

    text: str = ""
    thinking: str = ""


class ReplyText:
    """Reads a reply in pieces of any size: cut anywhere, they come to the same. `text` and `thinking` only ever grow.

    Knows the forms that open models are taught. A thought, `<think>…</think>`, stands at the beginning, or after
    another thought or a call; `in_thought`: the prompt has opened one already. A call of a tool, where there are tools,
    is `<tool_call>…</tool_call>` around a name and arguments in JSON, `[TOOL_CALLS]` before several, or the whole
    reply. Calls are numbered, not named at random, so that a run repeats: `call_prefix` tells those of one reply from
    another's. What may yet turn out to be part of a mark, of a call or of a stop string is held back.
    """

    def __init__(
        self,
        backend: str,
        *,
        in_thought: bool = False,
        has_tools: bool = False,
        call_prefix: str = "call",
        stop: Sequence[str] = (),
    ) -> None:
        self.text = ""
        self.thinking = ""
        self.is_stopped = False
        self._backend = backend
        self._has_tools = has_tools
        self._call_prefix = call_prefix
        self._stop = stop
        self._calls: list[ToolCall] = []
        self._within: Literal["start", "thought", "text", "call", "calls", "json"] = (
            "thought" if in_thought else "start"
        )
        self._held = ""  # not decided yet
        self._is_fresh = False  # a mark has just been closed, and the space after it is nobody's

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(self._calls)

    @property
    def is_thinking(self) -> bool:
        return self._within == "thought"

    def feed(self, piece: str, *, is_last: bool = False) -> Part:
        """What `piece` adds. Raises `ReplyInvalid` for a call of a tool that cannot be read.

        A call that is not complete at the end was cut off, and is left out; what follows a stop string is too.
        """
        text, thinking = len(self.text), len(self.thinking)
        self._held += piece
        while not self.is_stopped and self._step(is_last):
            pass
        return Part(self.text[text:], self.thinking[thinking:])

    def _step(self, is_last: bool) -> bool:
        """One mark further; False when more has to come first."""
        match self._within:
            case "start":
                return self._begin(is_last)
            case "thought":
                return self._think(is_last)
            case "text":
                return self._say(is_last)
            case "call":
                return self._call(is_last)
            case _:
                return is_last and self._call_all()

    def _begin(self, is_last: bool) -> bool:
        begun = self._held.lstrip()
        if begun.startswith(_THINK):
            self._go_on(begun[len(_THINK) :], "thought")
        elif not is_last and (_THINK.startswith(begun) or (self._has_tools and _CALLS.startswith(begun))):
            return False
        elif self._has_tools and begun[:1] in ("{", "[") and not begun.startswith(_CALLS):
            self._go_on(begun if self._is_fresh else self._held, "json")
        else:
            self._go_on(begun if self._is_fresh else self._held, "text")
        return True

    def _think(self, is_last: bool) -> bool:
        before, mark, after = self._held.partition(_THOUGHT)
        # The space at a thought's end is no part of it.
        free = (before if mark or is_last else self._free((_THOUGHT,))).rstrip()
        self.thinking += free if self.thinking else free.lstrip()
        if mark:
            self._go_on(after, "start", is_fresh=True)
            return True
        self._held = self._held[len(free) :]
        return False

    def _say(self, is_last: bool) -> bool:
        marks = (*self._stop, *((_CALL, _CALLS) if self._has_tools else ()))
        found = [(at, mark) for mark in marks if (at := self._held.find(mark)) >= 0]
        if not found:
            free = self._held if is_last else self._free(marks)
            self.text += free
            self._held = self._held[len(free) :]
            return False
        at, mark = min(found)
        self.text += self._held[:at]
        self.is_stopped = mark in self._stop
        self._go_on(self._held[at + len(mark) :], "call" if mark == _CALL else "calls")
        return True

    def _call(self, is_last: bool) -> bool:
        written, mark, after = self._held.partition(_CALLED)
        if not mark:
            if is_last and _is_json(written):  # some close a call by ending
                self._take(written)
            return False
        self._take(written)
        self._go_on(after, "start", is_fresh=True)
        return True

    def _call_all(self) -> bool:
        """Reads what has calls to its very end. What has no mark of a call, and is none, is text."""
        if self._within == "calls":
            self._take(self._held)
            return False
        try:
            said = [call for call in _calls_in(self._held) if {"arguments", "parameters"} & call.keys()]
        except (ValueError, RecursionError):
            said = []
        if not said:
            self._within = "text"
            return True
        self._take(self._held)
        return False

    def _take(self, written: str) -> None:
        try:
            calls = list(_calls_in(written))
        except (ValueError, RecursionError) as error:
            reason = presentable(f"the model calls a tool in a form that cannot be read ({error}): {written.strip()}")
            raise ReplyInvalid(self._backend, reason) from error
        for call in calls:
            arguments = call.get("arguments", call.get("parameters", {}))
            if not isinstance(arguments, str):
                arguments = json.dumps(arguments, ensure_ascii=False)
            self._calls.append(ToolCall(f"{self._call_prefix}-{len(self._calls) + 1}", call["name"], arguments))

    def _go_on(
        self, held: str, within: Literal["start", "thought", "text", "call", "calls", "json"], *, is_fresh: bool = False
    ) -> None:
        self._held, self._within, self._is_fresh = held, within, is_fresh

    def _free(self, marks: Sequence[str]) -> str:
        """What is held without the longest end that could be the beginning of a mark."""
        held = self._held
        longest = max((len(mark) for mark in marks), default=1) - 1
        for size in range(min(longest, len(held)), 0, -1):
            if any(mark.startswith(held[-size:]) for mark in marks):
                return held[:-size]
        return held


def _is_json(written: str) -> bool:
    try:
        json.loads(written)
    except (ValueError, RecursionError):
        return False
    return True


def _calls_in(written: str) -> Iterator[dict[str, Any]]:
    """The calls in a JSON text, at least one. Raises `ValueError` when that is not what it is."""
    said = json.loads(written)
    for each in said if isinstance(said, list) and said else [said]:
        match each:
            case {"function": {"name": str()} as call} | ({"name": str()} as call):  # the former as OpenAI writes them
                yield call
            case _:
                raise ValueError("it has no name")
