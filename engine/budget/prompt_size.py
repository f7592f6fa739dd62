"""How many tokens a prompt can have at the most, without knowing who counts them."""

from __future__ import annotations

import json
from unicodedata import normalize

from ..completion import CompletionRequest, Message

__all__ = ["most_tokens"]

# What chat templates put around a message; the largest in use need 10.
_AROUND_A_MESSAGE = 16
# What they put before all: some have a system message of their own, of up to about 90 tokens.
_AROUND_A_PROMPT = 128
# What services put before tools, such as how to call them: a few hundred tokens.
_AROUND_TOOLS = 640


def most_tokens(request: CompletionRequest) -> int:
    """An upper bound of the tokens of a request's prompt: no tokenizer makes more tokens than there are bytes."""
    count = _AROUND_A_PROMPT + sum(_in_message(message) for message in request.messages)
    if request.tools:
        count += _AROUND_TOOLS
        for tool in request.tools:
            count += len(json.dumps([tool.name, tool.description, tool.parameters], default=dict)) + _AROUND_A_MESSAGE
    if request.response_schema is not None:
        count += _AROUND_TOOLS + len(json.dumps(request.response_schema, default=dict))
    return count


def _in_message(message: Message) -> int:
    count = _AROUND_A_MESSAGE + _in_text(message.text)
    if message.tool_call_id is not None:
        count += _in_text(message.tool_call_id)
    for call in message.tool_calls:
        # Arguments stand in the prompt as a text, or once more as JSON within JSON.
        count += _AROUND_A_MESSAGE + _in_text(call.id) + _in_text(call.name) + len(json.dumps(call.arguments))
    return count


def _in_text(text: str) -> int:
    """Its bytes. Some tokenizers first write a letter in its parts, which may be more: U+FDFA has 3 bytes, then 33."""
    if text.isascii():
        return len(text)
    return max(len(text.encode("utf-8", "replace")), len(normalize("NFKC", text).encode("utf-8", "replace")))
