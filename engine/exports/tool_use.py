"""What a speaker looked up before its words, as messages: calls that were answered, and the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ..completion import Message, ToolCall
from ..dialog import Event

__all__ = ["tool_use"]


def tool_use(rows: Sequence[Event]) -> list[Message]:
    """Calls that were made at once are one message, as services want it. A call without an answer is left out, and an
    answer without a call, as when a dialog was cut off: services refuse both.
    """
    steps = [(row.actionLabel, row.content) for row in rows if row.action == "tool" and isinstance(row.content, dict)]
    messages: list[Message] = []
    at = 0
    while at < len(steps):
        calls, outputs = [], []
        while at < len(steps) and steps[at][0] == "call":
            calls.append(steps[at][1])
            at += 1
        while at < len(steps) and steps[at][0] != "call":
            outputs.append(steps[at][1])
            at += 1
        pairs = list(_pairs(calls, outputs))
        if pairs:
            messages.append(Message("assistant", "", tool_calls=tuple(call for call, _ in pairs)))
            messages += [Message("tool", text, tool_call_id=call.id) for call, text in pairs]
    return messages


def _pairs(calls: Sequence[dict[str, Any]], outputs: Sequence[dict[str, Any]]) -> Iterator[tuple[ToolCall, str]]:
    """By id, where there are ids, else by name in the order of asking."""
    left = list(outputs)
    for number, call in enumerate(calls, 1):
        for output in left:
            is_answer = output.get("call_id") == call.get("id") and output.get("name") == call.get("name")
            if is_answer:
                left.remove(output)
                yield _call(call, number), _text(output.get("output"))
                break


def _call(content: dict[str, Any], number: int) -> ToolCall:
    arguments = content.get("args") or {}
    return ToolCall(str(content.get("id") or f"call_{number}"), str(content.get("name")), _text(arguments))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
