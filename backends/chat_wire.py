"""The chat-completions wire format: requests to JSON bodies, JSON replies to completions, statuses to errors."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from ..engine.completion import Completion, CompletionRequest, FinishReason, Message, Parameters, ToolCall, Usage
from ..engine.errors import BackendError, BackendOverloaded, BackendRefused, BackendUnavailable, ReplyInvalid

__all__ = ["body_of", "completion_of", "error_of"]

_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "refused",
}
_OVERLOADED = {429, 503, 529}
_TRANSIENT = {408, 409, 425}
_LONGEST_REASON = 300


def body_of(request: CompletionRequest, model: str, defaults: Parameters) -> dict[str, Any]:
    """The body of a request; only keys that are set are in it."""
    body: dict[str, Any] = {
        "model": request.model or model,
        "messages": [
            _with_tools(message)
            if message.tool_calls or message.tool_call_id
            else {"role": message.role, "content": message.text}
            for message in request.messages
        ],
    }
    _add_parameters(body, defaults)
    if request.parameters is not _NONE:
        _add_parameters(body, request.parameters)
    if request.seed is not None:
        body["seed"] = request.seed
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
            }
            for tool in request.tools
        ]
    if request.response_schema is not None:
        schema = {"name": "reply", "schema": request.response_schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def completion_of(reply: Any, backend: str) -> Completion:
    """The completion that a reply holds. Raises `ReplyInvalid` for anything that is not one."""
    try:
        choice = reply["choices"][0]
        message = choice["message"]
        usage = reply.get("usage")
        calls = message.get("tool_calls")
        return Completion(
            text=_text(message.get("content")),
            thinking=message.get("reasoning_content") or message.get("reasoning") or "",
            tool_calls=tuple(_tool_call(call) for call in calls) if calls else (),
            usage=_usage(usage) if usage else Usage(),
            finish=_FINISH.get(choice.get("finish_reason"), "stop"),
            model=reply.get("model") or "",
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ReplyInvalid(backend, f"the reply is no chat completion: {type(error).__name__}: {error}") from error


def error_of(status: int, headers: Mapping[str, str], reply: Any, backend: str) -> BackendError:
    """What an answer that is no reply means. `reply` is its body, parsed where it was JSON, else text."""
    said = reply.get("error", reply) if isinstance(reply, dict) else reply
    message = said.get("message") if isinstance(said, dict) else said
    code = said.get("code") or said.get("type") if isinstance(said, dict) else None
    words = " ".join(str(message or code or "").split())[:_LONGEST_REASON]
    reason = f"HTTP {status}: {words}" if words else f"HTTP {status}"
    if code == "insufficient_quota":
        return BackendRefused(backend, reason)
    if status in _OVERLOADED:
        return BackendOverloaded(backend, reason, _retry_after_s(headers))
    if status in _TRANSIENT or status >= 500:
        return BackendUnavailable(backend, reason)
    if 300 <= status < 400:
        return BackendRefused(backend, f"HTTP {status}: a redirect; is the base URL right?")
    return BackendRefused(backend, reason)


_NONE = Parameters()


def _with_tools(message: Message) -> dict[str, Any]:
    if message.tool_call_id is not None:
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.text}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.tool_calls
    ]
    return {"role": message.role, "content": message.text or None, "tool_calls": calls}


def _add_parameters(body: dict[str, Any], parameters: Parameters) -> None:
    for name in ("temperature", "top_p", "max_tokens", "frequency_penalty", "presence_penalty"):
        value = getattr(parameters, name)
        if value is not None:
            body[name] = value
    if parameters.stop:
        body["stop"] = list(parameters.stop)
    body.update(parameters.extra)


def _tool_call(call: Any) -> ToolCall:
    function = call["function"]
    return ToolCall(str(call.get("id") or ""), str(function["name"]), str(function.get("arguments") or "{}"))


def _text(content: Any) -> str:
    if content is None or type(content) is str:
        return content or ""
    raise TypeError(f"content is {type(content).__name__}")


def _usage(usage: Any) -> Usage:
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if details else 0
    return Usage(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0), int(cached or 0))


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds, or a date, of RFC 9110 section 10.2.3; some vendors also say it in milliseconds."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    said = headers.get("retry-after")
    seconds = _number(said)
    if seconds is not None or said is None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
