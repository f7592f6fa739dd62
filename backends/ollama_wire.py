"""Ollama's chat: a request becomes a body, and what its client read becomes a `Completion`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..engine.completion import (
    Completion,
    CompletionRequest,
    Delta,
    FinishReason,
    Message,
    Parameters,
    TokenLogprob,
    ToolCall,
    ToolSpec,
    Usage,
)

if TYPE_CHECKING:
    from ollama import ChatResponse

__all__ = ["FIELDS", "Gathered", "body_of"]

# What a request may say besides its options. All else that the server knows, a request of ours says in its own words.
FIELDS = frozenset(("keep_alive", "logprobs", "shift", "top_logprobs", "truncate"))
_FINISH: Mapping[str | None, FinishReason] = {"length": "length"}


def body_of(request: CompletionRequest, defaults: Parameters, model: str, *, is_streamed: bool) -> dict[str, Any]:
    """The request as the server takes it."""
    names = {call.id: call.name for message in request.messages for call in message.tool_calls}
    body: dict[str, Any] = {
        "model": request.model or model,
        "messages": [_message(message, names) for message in request.messages],
        "stream": is_streamed,
    }
    options = _options(defaults) | _options(request.parameters)
    for name in FIELDS & options.keys():
        body[name] = options.pop(name)
    if request.seed is not None:
        options.setdefault("seed", request.seed)
    if options:
        body["options"] = options
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.response_schema is not None:
        body["format"] = request.response_schema
    if request.think is not None:
        body["think"] = request.think
    return body


class Gathered:
    """A reply while it comes, in one piece or in several.

    The server gives its tool calls no names that would be the same again, so they are named by their places: in the
    dialog, and in the chat.
    """

    def __init__(self, request: CompletionRequest) -> None:
        self._sequence = request.sequence
        self._calls_before = sum(len(message.tool_calls) for message in request.messages)
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: list[ToolCall] = []
        self._logprobs: list[TokenLogprob] = []
        self._last: ChatResponse | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the server has said that this is all."""
        return self._last is not None and bool(self._last.done)

    def take(self, piece: ChatResponse) -> Delta:
        """What the reply grew by."""
        self._last = piece
        text, thinking = piece.message.content or "", piece.message.thinking or ""
        self._text.append(text)
        self._thinking.append(thinking)
        for call in piece.message.tool_calls or ():
            id = f"call_{self._sequence}_{self._calls_before + len(self._calls)}"
            arguments = json.dumps(call.function.arguments, ensure_ascii=False)
            self._calls.append(ToolCall(id, call.function.name, arguments))
        for token in piece.get("logprobs") or ():  # of the package since 0.6.1
            self._logprobs.append(TokenLogprob(token.token, token.logprob))
        return Delta(text, thinking)

    def completion(self) -> Completion:
        """Of what was taken; that must be whole."""
        last = self._last
        assert last is not None
        return Completion(
            text="".join(self._text),
            thinking="".join(self._thinking),
            tool_calls=tuple(self._calls),
            usage=Usage(last.prompt_eval_count or 0, last.eval_count or 0),
            finish="tool_calls" if self._calls else _FINISH.get(last.done_reason, "stop"),
            model=last.model or "",
            logprobs=tuple(self._logprobs),
        )


def _message(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        calls = ({"name": call.name, "arguments": _arguments(call)} for call in message.tool_calls)
        wire["tool_calls"] = [{"function": function} for function in calls]
    if message.tool_call_id is not None and message.tool_call_id in names:
        wire["tool_name"] = names[message.tool_call_id]
    return wire


def _arguments(call: ToolCall) -> dict[str, Any]:
    """The server takes nothing but an object."""
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:  # of another service's model
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _options(parameters: Parameters) -> dict[str, Any]:
    return dict(_given(parameters)) | dict(parameters.extra)


def _given(parameters: Parameters) -> Iterator[tuple[str, object]]:
    if parameters.temperature is not None:
        yield "temperature", parameters.temperature
    if parameters.top_p is not None:
        yield "top_p", parameters.top_p
    if parameters.max_tokens is not None:
        yield "num_predict", parameters.max_tokens
    if parameters.stop:
        yield "stop", parameters.stop
    if parameters.frequency_penalty is not None:
        yield "frequency_penalty", parameters.frequency_penalty
    if parameters.presence_penalty is not None:
        yield "presence_penalty", parameters.presence_penalty
