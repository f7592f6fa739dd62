"""Turns the messages of a request into the text a model was trained on, by its tokenizer's chat template.

Templates differ in what they take. What one refuses or leaves out is said in another way: a system message becomes part
of the first user message, tools and their answers become text, two messages of the same role in a row become one, and
a chat that the other side has to begin gets an opening.
"""

from __future__ import annotations

import json
from typing import Any

from ...engine.completion import CompletionRequest, Message, ToolCall
from ...engine.errors import BackendRefused
from ..http_answer import presentable

__all__ = ["ChatFormat"]

Chat = list[dict[str, Any]]

_OPENING = "Please begin."
_TOOLS = """You may call these tools, each described as JSON:
{tools}
To call one, answer with nothing but <tool_call>{{"name": "…", "arguments": {{…}}}}</tool_call>."""


class ChatFormat:
    """The chat template of one tokenizer."""

    def __init__(self, backend: str, tokenizer: Any) -> None:
        self._backend = backend
        self._tokenizer = tokenizer
        template = tokenizer.chat_template
        written = template if isinstance(template, str) else " ".join(dict(template or {}).values())
        self._knows_tools = "tools" in written

    def text(self, request: CompletionRequest) -> str:
        """The prompt. Raises `BackendRefused` when the template takes the messages in no form."""
        from jinja2 import TemplateError

        tools = [_tool(tool) for tool in request.tools] if self._knows_tools else None
        chat = [_entry(message) for message in request.messages] if self._knows_tools else _spelt_out(request)
        try:
            text = self._rendered(request, chat, tools)
            if all(entry["content"].strip() in text for entry in chat if entry["role"] == "system"):
                return text
        except (TemplateError, TypeError, KeyError, ValueError):
            pass  # it wants another order, or does not know a role
        try:
            return self._rendered(request, _alternating(_spelt_out(request)), None)
        except Exception as error:  # a template is a program: it can fail in any way
            reason = f"the model's chat template does not take these messages: {error}"
            raise BackendRefused(self._backend, presentable(reason)) from error

    def _rendered(self, request: CompletionRequest, chat: Chat, tools: list[dict[str, Any]] | None) -> str:
        settings: dict[str, Any] = {}
        if request.think is not None:
            settings["enable_thinking"] = request.think is not False
        if isinstance(request.think, str):
            settings["reasoning_effort"] = request.think
        text: str = self._tokenizer.apply_chat_template(
            chat, tools=tools or None, add_generation_prompt=True, tokenize=False, **settings
        )
        return text


def _entry(message: Message) -> dict[str, Any]:
    entry: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        entry["tool_calls"] = [
            {"type": "function", "id": call.id, "function": {"name": call.name, "arguments": _arguments(call)}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        entry["tool_call_id"] = message.tool_call_id
    return entry


def _arguments(call: ToolCall) -> Any:
    """As a value, which templates write out themselves; as the model wrote it where it is no JSON."""
    try:
        return json.loads(call.arguments)
    except ValueError:
        return call.arguments


def _tool(tool: Any) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def _spelt_out(request: CompletionRequest) -> Chat:
    """With everything that concerns tools as text."""
    chat: Chat = []
    for message in request.messages:
        text = message.text
        for call in message.tool_calls:
            said = json.dumps({"name": call.name, "arguments": _arguments(call)}, ensure_ascii=False)
            text += f"{chr(10) if text else ''}<tool_call>{said}</tool_call>"
        if message.role == "tool":
            chat.append({"role": "user", "content": f"<tool_response>{text}</tool_response>"})
        else:
            chat.append({"role": message.role, "content": text})
    if request.tools:
        described = _TOOLS.format(tools="\n".join(json.dumps(_tool(tool), default=dict) for tool in request.tools))
        if chat and chat[0]["role"] == "system":
            chat[0]["content"] = f"{chat[0]['content']}\n\n{described}"
        else:
            chat.insert(0, {"role": "system", "content": described})
    return chat


def _alternating(chat: Chat) -> Chat:
    """User and assistant in turn, the user first and last; system messages are part of the user's."""
    turns: Chat = []
    for entry in chat:
        role = "assistant" if entry["role"] == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += f"\n\n{entry['content']}"
        else:
            turns.append({"role": role, "content": entry["content"]})
    if not turns or turns[0]["role"] == "assistant":
        turns.insert(0, {"role": "user", "content": _OPENING})
    if turns[-1]["role"] == "assistant":
        turns.append({"role": "user", "content": "Please go on."})
    return turns
