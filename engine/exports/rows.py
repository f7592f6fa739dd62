"""A chat as a row of training data, in the forms that services and trainers know."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Protocol

from ..completion import Message, ToolCall, ToolSpec

__all__ = ["ChatText", "chatml_row", "openai_messages", "openai_row", "sharegpt_row"]

Row = dict[str, Any]


class ChatText(Protocol):
    """A model's own way to read a chat, such as the chat template of its tokenizer."""

    def whole(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
        """The chat as one text, ready to learn from. Raises `BackendRefused` for a chat that it does not take."""
        ...


def openai_row(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Row:
    """As OpenAI's fine-tuning takes it, and what others have made after it."""
    row: Row = {"messages": openai_messages(messages)}
    if tools:
        row["tools"] = [_tool(tool) for tool in tools]
    return row


def sharegpt_row(messages: Sequence[Message], tools: Sequence[ToolSpec], id: object) -> Row:
    """`conversations` with human and gpt by turns; calls of tools are `function_call` and `observation`."""
    said = []
    for _, group in groupby(messages, key=lambda message: message.role == "tool"):
        several = list(group)
        if several[0].role == "tool":  # one after the other would break the order of turns
            said.append(("observation", "\n".join(message.text for message in several)))
        else:
            said += [_sharegpt_part(message) for message in several]
    row: Row = {"id": id, "conversations": [{"from": who, "value": text} for who, text in said]}
    if tools:
        row["tools"] = json.dumps([_tool(tool)["function"] for tool in tools], ensure_ascii=False)
    return row


def chatml_row(messages: Sequence[Message], tools: Sequence[ToolSpec], id: object, template: ChatText) -> Row:
    return {"id": id, "text": template.whole(messages, tools)}


def openai_messages(messages: Sequence[Message]) -> list[Row]:
    return [_openai_message(message) for message in messages]


def _openai_message(message: Message) -> Row:
    entry: Row = {"role": message.role}
    if message.tool_calls:
        entry["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.text or not message.tool_calls:
        entry["content"] = message.text
    if message.tool_call_id is not None:
        entry["tool_call_id"] = message.tool_call_id
    return entry


def _sharegpt_part(message: Message) -> tuple[str, str]:
    if message.tool_calls:
        calls = [{"name": call.name, "arguments": _arguments(call)} for call in message.tool_calls]
        return "function_call", json.dumps(calls[0] if len(calls) == 1 else calls, ensure_ascii=False)
    return {"system": "system", "user": "human", "assistant": "gpt"}[message.role], message.text


def _arguments(call: ToolCall) -> object:
    try:
        return json.loads(call.arguments)
    except ValueError:
        return call.arguments


def _tool(tool: ToolSpec) -> Row:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}
