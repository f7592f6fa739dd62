"""A reply as a model wrote it, taken apart while it comes: what it thought, what it says, which tools it calls."""

from __future__ import annotations

import json
from typing import NamedTuple

from ..engine.completion import ToolCall
from ..engine.errors import ReplyInvalid
from .http_answer import presentable

__all__ = ["Part", "ReplyText"]

_THOUGHT = ("<think>", "</think>")
_CALL = ("<tool_call>", "</tool_call>")


class Part(NamedTuple):
    """What a piece of a reply adds to what is said and to what was thought."""

    text: str = ""
    thinking: str = ""


class ReplyText:
    """Reads a reply in pieces of any size: cut anywhere, they come to the same.

    Knows the two tags that open models are taught: `<think>…</think>`, and `<tool_call>…</tool_call>` around a call's
    name and arguments in JSON. `in_thought`: the prompt has opened a thought already. Calls are numbered, not named at
    random, so that a run repeats: `call_prefix` tells those of one reply from another's.
    """

    def __init__(self, backend: str, *, in_thought: bool, has_tools: bool, call_prefix: str = "call") -> None:
        self.text = ""
        self.thinking = ""
        self._backend = backend
        self._call_prefix = call_prefix
        self._calls: list[ToolCall] = []
        self._openings = (_THOUGHT, _CALL) if has_tools else (_THOUGHT,)
        self._tags = _THOUGHT if in_thought else None  # within which we are
        self._left = ""  # not decided yet
        self._is_fresh = False  # a tag has just been closed, and the space after it is nobody's

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(self._calls)

    def feed(self, piece: str, *, is_last: bool = False) -> Part:
        """What `piece` adds. Raises `ReplyInvalid` for a call of a tool that cannot be read.

        A call that is not complete at the end was cut off, and is left out.
        """
        self._left += piece
        said: list[str] = []
        thought: list[str] = []
        while True:
            tags = self._tags
            end, tag = self._next(is_last)
            before, self._left = self._left[:end], self._left[end + len(tag) :]
            if tags is None:
                said.append(self._said(before))
            elif tags is _THOUGHT:
                whole = before.rstrip() if tag or is_last else before
                thought.append(whole if self.thinking or any(thought) else whole.lstrip())
            elif tag:
                self._calls.append(self._call(before))
            else:
                self._left = before + self._left
            if not tag:
                break
            self._is_fresh = self._is_fresh or tags is not None
            self._tags = None if tags else next(pair for pair in self._openings if pair[0] == tag)
        part = Part("".join(said), "".join(thought))
        self.text += part.text
        self.thinking += part.thinking
        return part

    def _next(self, is_last: bool) -> tuple[int, str]:
        """Where the next tag is, and which; without one, how much is certain not to belong to any."""
        wanted = [pair[0] for pair in self._openings] if self._tags is None else [self._tags[1]]
        found = [(place, tag) for tag in wanted if (place := self._left.find(tag)) >= 0]
        if found:
            return min(found)
        if is_last:
            return len(self._left), ""
        held = max(
            (size for tag in wanted for size in range(1, len(tag)) if self._left.endswith(tag[:size])), default=0
        )
        if self._tags is _THOUGHT:  # the space at a thought's end is no part of it
            held = max(held, len(self._left) - len(self._left[: len(self._left) - held].rstrip()))
        return len(self._left) - held, ""

    def _said(self, text: str) -> str:
        if self._is_fresh:
            text = text.lstrip()
            self._is_fresh = not text
        return text

    def _call(self, written: str) -> ToolCall:
        try:
            call = json.loads(written)
            name, arguments = str(call["name"]), call.get("arguments", {})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = presentable(f"the model calls a tool in a form that cannot be read ({error}): {written.strip()}")
            raise ReplyInvalid(self._backend, reason) from error
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        return ToolCall(f"{self._call_prefix}-{len(self._calls) + 1}", name, arguments)
