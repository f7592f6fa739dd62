"""A chat as messages: plain dicts in the form of chat completions, and what they are as facts of a dialog."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..engine.completion import Message, Role, ToolCall
from ..engine.messages import Fact, Instructed, ToolCalled, ToolReturned, Uttered

__all__ = ["as_dict", "facts_of", "message_of"]

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "tool": "tool",
}


def as_dict(message: Message) -> dict[str, Any]:
    """`message_of` gives it back."""
    content: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        content["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        content["tool_call_id"] = message.tool_call_id
    return content


def message_of(content: Message | Mapping[str, Any]) -> Message:
    """Raises ValueError for what is no message."""
    if isinstance(content, Message):
        return content
    try:
        role, text = _ROLES[content["role"]], content.get("content")
        calls = tuple(
            ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in content.get("tool_calls") or ()
        )
    except (KeyError, TypeError, AttributeError):
        role, text, calls = "user", 0, ()
    if text is not None and type(text) is not str:
        raise ValueError(
            f'{content!r} is no message; write {{"role": "user", "content": "Hi"}}; roles are {", ".join(_ROLES)}'
        )
    return Message(role, text or "", calls, content.get("tool_call_id"))


def facts_of(messages: Iterable[Message], agent: str, partner: str) -> Iterator[Fact]:
    """What happened in a dialog of the two in which these are the agent's chat."""
    names: dict[str | None, str] = {}
    for message in messages:
        if message.role == "system":
            yield Instructed(agent, "system", message.text, persistent=True)
        elif message.role == "tool":
            yield ToolReturned(agent, names.get(message.tool_call_id, ""), message.text, message.tool_call_id or "")
        elif message.text:
            yield Uttered(agent if message.role == "assistant" else partner, message.text)
        for call in message.tool_calls:
            names[call.id] = call.name
            yield ToolCalled(agent, call.name, _arguments(call), call.id)


def _arguments(call: ToolCall) -> Mapping[str, object]:
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}
