"""Takes a reply apart while it comes: thinking, words, calls of tools; and ends it at a stop string."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Literal

from ...engine.completion import ToolCall

__all__ = ["MARKS", "Reader", "tool_calls_in"]

_THINK, _THOUGHT = "<think>", "</think>"
_CALLS = ("<tool_call>", "[TOOL_CALLS]")
# Tokenizers count some of these among their special tokens, which are left out of texts as a rule.
MARKS = (_THINK, _THOUGHT, "<tool_call>", "</tool_call>", "[TOOL_CALLS]")


class Reader:
    """Sorts the pieces of one reply into `text` and `thinking`, each of which only ever grows.

    What may yet turn out to be part of a stop string or of a mark is held back. Stop strings are looked for in the
    words alone, not in thinking; what comes after one is dropped. With `calls_tools` everything from a mark of a call
    on is held back, and a reply that begins as JSON; `finish` says what it was.
    """

    def __init__(self, stop: Sequence[str] = (), *, is_thinking: bool = False, calls_tools: bool = False) -> None:
        self.text = ""
        self.thinking = ""
        self.is_stopped = False
        self.tool_calls: tuple[ToolCall, ...] = ()
        self._stop = stop
        self._calls_tools = calls_tools
        self._mode: Literal["start", "thinking", "thought", "text", "calls"] = "thinking" if is_thinking else "start"
        self._held = ""

    @property
    def is_thinking(self) -> bool:
        return self._mode == "thinking"

    def feed(self, piece: str) -> None:
        self._held += piece
        while not self.is_stopped and self._step():
            pass

    def finish(self, call_ids: str) -> None:
        """No more comes: what was held back is text, thinking, or calls, whose ids begin with `call_ids`."""
        held, self._held = self._held, ""
        if self._mode == "thinking":
            self.thinking += held.rstrip()
        elif self._mode == "calls":
            self.tool_calls = tool_calls_in(held, call_ids)
            if not self.tool_calls:
                self.text += held
        elif not self.is_stopped:
            self.text += held

    def _step(self) -> bool:
        """One mark further; False when more has to come first."""
        match self._mode:
            case "start":
                begun = self._held.lstrip()
                if begun.startswith(_THINK):
                    self._held = begun[len(_THINK) :].lstrip("\n")
                    self._mode = "thinking"
                elif _THINK.startswith(begun):
                    return False
                elif self._calls_tools and begun[0] in "{[":
                    self._mode = "calls"
                else:
                    self._mode = "text"
            case "thinking":
                before, mark, after = self._held.partition(_THOUGHT)
                # Blanks wait: those at the end are not part of it.
                free = (before if mark else self._free((_THOUGHT,))).rstrip()
                self.thinking += free if self.thinking else free.lstrip("\n")
                self._held = after if mark else self._held[len(free) :]
                if not mark:
                    return False
                self._mode = "thought"
            case "thought":
                self._held = self._held.lstrip()
                if not self._held:
                    return False
                self._mode = "calls" if self._calls_tools and self._held[0] in "{[" else "text"
            case "text":
                marks = (*self._stop, *(_CALLS if self._calls_tools else ()))
                found = [(at, mark) for mark in marks if (at := self._held.find(mark)) >= 0]
                if not found:
                    free = self._free(marks)
                    self.text += free
                    self._held = self._held[len(free) :]
                    return False
                at, mark = min(found)
                self.text += self._held[:at]
                if mark in self._stop:
                    self.is_stopped = True
                    self._held = ""
                else:
                    self._held = self._held[at:]
                    self._mode = "calls"
            case "calls":
                return False
        return True

    def _free(self, marks: Sequence[str]) -> str:
        """What is held without the longest end that could be the beginning of a mark."""
        held = self._held
        longest = max((len(mark) for mark in marks), default=1) - 1
        for size in range(min(longest, len(held)), 0, -1):
            if any(mark.startswith(held[-size:]) for mark in marks):
                return held[:-size]
        return held


def tool_calls_in(written: str, ids: str) -> tuple[ToolCall, ...]:
    """The calls in `<tool_call>{…}</tool_call>`, `[TOOL_CALLS][…]` or bare JSON; none when it is not wholly such.

    Ids are `ids` and a number, so that the same reply has the same ids again.
    """
    blocks = re.findall(r"<tool_call>(.*?)(?:</tool_call>|$)", written, re.DOTALL) or [
        written.removeprefix("[TOOL_CALLS]")
    ]
    calls: list[ToolCall] = []
    for block in blocks:
        try:
            said = json.loads(block)
        except ValueError:
            return ()
        for call in said if isinstance(said, list) else [said]:
            made = _call(call, f"{ids}_{len(calls)}")
            if made is None:
                return ()
            calls.append(made)
    return tuple(calls)


def _call(said: Any, call_id: str) -> ToolCall | None:
    match said:
        case {"function": {"name": str()} as inner}:
            said = inner
    match said:
        case {"name": str(name), "arguments": arguments} | {"name": str(name), "parameters": arguments}:
            written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
            return ToolCall(call_id, name, written)
    return None
