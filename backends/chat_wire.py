"""OpenAI's chat completions: a request becomes a body, and the body of the reply becomes a `Completion`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson

from ..engine.completion import (
    Completion,
    CompletionRequest,
    FinishReason,
    Message,
    Parameters,
    ToolCall,
    ToolSpec,
    Usage,
)
from ..engine.errors import BackendRefused, ReplyInvalid
from .http_answer import Answer, failure_of, presentable

__all__ = ["ChatWire", "Transport"]

# What a server sent: any JSON there is. Each piece is checked where it is taken out.
Json = Any

_FINISH: Mapping[object, FinishReason] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "refused",
}


class Transport(Protocol):
    """Carries a body to the service and brings back its answer, of whatever status."""

    async def post(self, body: bytes) -> Answer: ...

    async def aclose(self) -> None: ...


class ChatWire:
    """Asks one service for completions, over a transport that it owns.

    `vendor` is for OpenAI itself, whose newer models know `max_tokens` under another name and refuse what others take
    as `chat_template_kwargs`. None of `secrets` appears in an error.
    """

    def __init__(
        self,
        backend: str,
        transport: Transport,
        *,
        model: str,
        defaults: Parameters,
        vendor: bool,
        secrets: Sequence[str] = (),
    ) -> None:
        self._backend = backend
        self._transport = transport
        self._model = model
        self._vendor = vendor
        self._secrets = secrets
        self._defaults = self._sampling(defaults)

    async def complete(self, request: CompletionRequest) -> Completion:
        try:
            body = orjson.dumps(self._body(request), default=dict)  # a Mapping need not be a dict
        except orjson.JSONEncodeError as error:
            raise BackendRefused(self._backend, f"the request cannot be written as JSON: {error}") from error
        answer = await self._transport.post(body)
        if not 200 <= answer.status < 300:
            raise failure_of(self._backend, answer, self._secrets)
        try:
            return _completion(orjson.loads(answer.body))
        except ValueError as error:  # a JSONDecodeError is one
            reason = f"the reply is no chat completion ({error}): {answer.body[:4096].decode(errors='replace')}"
            raise ReplyInvalid(self._backend, presentable(reason, self._secrets)) from error

    async def aclose(self) -> None:
        await self._transport.aclose()

    def _body(self, request: CompletionRequest) -> dict[str, object]:
        body: dict[str, object] = {
            "model": request.model or self._model,
            "messages": [_message(message) for message in request.messages],
            **self._defaults,
        }
        if request.seed is not None:
            body["seed"] = request.seed
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        if request.response_schema is not None:
            named = {"name": "reply", "strict": True, "schema": request.response_schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        if request.think is not None and not self._vendor:
            body["chat_template_kwargs"] = {"enable_thinking": request.think}
        body.update(self._sampling(request.parameters))
        return body

    def _sampling(self, parameters: Parameters) -> dict[str, object]:
        given: dict[str, object] = {}
        if parameters.temperature is not None:
            given["temperature"] = parameters.temperature
        if parameters.top_p is not None:
            given["top_p"] = parameters.top_p
        if parameters.max_tokens is not None:
            given["max_completion_tokens" if self._vendor else "max_tokens"] = parameters.max_tokens
        if parameters.stop:
            given["stop"] = parameters.stop
        if parameters.frequency_penalty is not None:
            given["frequency_penalty"] = parameters.frequency_penalty
        if parameters.presence_penalty is not None:
            given["presence_penalty"] = parameters.presence_penalty
        given.update(parameters.extra)
        return given


def _message(message: Message) -> dict[str, object]:
    wire: dict[str, object] = {"role": message.role}
    if message.text or not message.tool_calls:
        wire["content"] = message.text
    if message.tool_calls:
        wire["tool_calls"] = [_written_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _written_call(call: ToolCall) -> dict[str, object]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _tool(tool: ToolSpec) -> dict[str, object]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _completion(reply: Json) -> Completion:
    """Raises `ValueError` when a piece is missing or of the wrong type."""
    try:
        choice = reply["choices"][0]
        message = choice["message"]
        text, refusal = _text(message, "content"), _text(message, "refusal")
        finish = _FINISH.get(choice.get("finish_reason"), "stop")
        return Completion(
            text=text or refusal,
            thinking=_text(message, "reasoning_content") or _text(message, "reasoning"),
            tool_calls=tuple(_read_call(call) for call in message.get("tool_calls") or ()),
            usage=_usage(reply.get("usage")),
            finish="refused" if refusal else finish,
            model=_text(reply, "model"),
        )
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _read_call(call: Json) -> ToolCall:
    function = call["function"]
    return ToolCall(_text(call, "id"), _text(function, "name"), _text(function, "arguments"))


def _usage(usage: Json) -> Usage:
    if usage is None:
        return Usage()
    details = usage.get("prompt_tokens_details") or {}
    return Usage(_count(usage, "prompt_tokens"), _count(usage, "completion_tokens"), _count(details, "cached_tokens"))


def _text(source: Json, key: str) -> str:
    value = source.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{key} is not a text")
    return value


def _count(source: Json, key: str) -> int:
    value = source.get(key)
    if value is None:
        return 0
    if not isinstance(value, int):
        raise TypeError(f"{key} is not a number")
    return value
