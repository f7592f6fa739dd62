"""OpenAI's chat completions as its own service speaks them: replies whole and in server-sent events, and errors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from playact.backends.openai import OpenAIBackend
from playact.engine.completion import FinishReason, Message, Think, TokenLogprob, ToolCall, Usage
from tests.servers.chat_server import Asked, Reply
from tests.servers.dialect import Heard, Said

__all__ = ["OpenAIDialect", "event"]

_FINISH: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "refused": "content_filter",
}
_EVENTS = {"Content-Type": "text/event-stream; charset=utf-8"}


class OpenAIDialect:
    """A service that is not OpenAI's own, as vLLM and llama.cpp are: think goes by the template's arguments."""

    name = "openai"
    has_ids = True
    reports_model = True
    can = frozenset(("seed", "schema", "thinking", "logprobs", "cached", "refusal", "any parameter"))

    def __init__(self, transport: Literal["fast", "sdk"] = "fast") -> None:
        self._transport = transport

    def say(self, said: Said, asked: Asked) -> Reply:
        if asked.body.get("stream"):
            return Reply(chunks=tuple(_events(said, asked)), headers=_EVENTS)
        message: dict[str, object] = {"role": "assistant", "content": said.text or None}
        if said.thinking:
            message["reasoning_content"] = said.thinking
        if said.tool_calls:
            message["tool_calls"] = [_call(call) for call in said.tool_calls]
        choice = {"index": 0, "message": message, "finish_reason": _finish(said), "logprobs": _logprobs(said, asked)}
        reply = {**_head(asked, "chat.completion"), "choices": [choice], "usage": _usage(said.usage)}
        return Reply(body=json.dumps(reply).encode())

    def fail(self, status: int, message: str, retry_after_s: float | None = None) -> Reply:
        body = {"error": {"message": message, "type": "error", "param": None, "code": None}}
        headers = {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:g}"}
        return Reply(status=status, body=json.dumps(body).encode(), headers=headers)

    def hear(self, asked: Asked) -> Heard:
        body = asked.body
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
        return Heard(
            model=body["model"],
            messages=tuple(_message(message) for message in body["messages"]),
            is_streamed=bool(body.get("stream")),
            temperature=body.get("temperature"),
            top_p=body.get("top_p"),
            max_tokens=body.get("max_tokens", body.get("max_completion_tokens")),
            stop=tuple(body.get("stop", ())),
            seed=body.get("seed"),
            tools=tuple(tool["function"]["name"] for tool in body.get("tools", ())),
            schema=schema,
            think=_think(body),
        )

    def backend(self, address: str, **settings: Any) -> OpenAIBackend:  # the backend's own settings, as they come
        settings = {"api_key": "sk-a-key-that-nobody-may-see", "transport": self._transport, **settings}
        return OpenAIBackend("m", base_url=f"{address}/v1", **settings)


def event(content: object) -> bytes:
    """One event of a stream."""
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n".encode()


def _events(said: Said, asked: Asked) -> Iterator[bytes]:
    logprobs = iter(said.logprobs if asked.body.get("logprobs") else ())
    yield _chunk(asked, {"role": "assistant", "content": ""})
    yield b": keep-alive\n\n"
    for piece in _pieces(said.thinking):
        yield _chunk(asked, {"reasoning_content": piece})
    for piece in _pieces(said.text):
        token = next(logprobs, None)
        yield _chunk(asked, {"content": piece}, logprobs=None if token is None else {"content": [_logprob(token)]})
    rest = [_logprob(token) for token in logprobs]
    if rest:
        yield _chunk(asked, {"content": ""}, logprobs={"content": rest})
    for index, call in enumerate(said.tool_calls):
        function = {"name": call.name, "arguments": ""}
        begun = {"index": index, "id": call.id, "type": "function", "function": function}
        yield _chunk(asked, {"tool_calls": [begun]})
        for piece in _pieces(call.arguments):
            yield _chunk(asked, {"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield _chunk(asked, {}, finish_reason=_finish(said))
    if asked.body.get("stream_options", {}).get("include_usage"):
        yield event({**_head(asked, "chat.completion.chunk"), "choices": [], "usage": _usage(said.usage)})
    yield b"data: [DONE]\n\n"


def _chunk(asked: Asked, delta: object, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None, **more}
    return event({**_head(asked, "chat.completion.chunk"), "choices": [choice], "usage": None})


def _pieces(text: str) -> Iterable[str]:
    return (text[start : start + 7] for start in range(0, len(text), 7))


def _head(asked: Asked, kind: str) -> dict[str, object]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": asked.body["model"]}


def _finish(said: Said) -> str:
    return "tool_calls" if said.tool_calls else _FINISH[said.finish]


def _usage(usage: Usage) -> dict[str, object]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _logprobs(said: Said, asked: Asked) -> object:
    if not said.logprobs or not asked.body.get("logprobs"):
        return None
    return {"content": [_logprob(token) for token in said.logprobs], "refusal": None}


def _logprob(token: TokenLogprob) -> dict[str, object]:
    return {"token": token.token, "logprob": token.logprob, "bytes": list(token.token.encode()), "top_logprobs": []}


def _call(call: ToolCall) -> dict[str, object]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _message(message: dict[str, Any]) -> Message:
    calls = tuple(
        ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls", ())
    )
    return Message(message["role"], message.get("content") or "", calls, message.get("tool_call_id"))


def _think(body: dict[str, Any]) -> Think | None:
    effort: Think | None = body.get("reasoning_effort")
    enabled: bool | None = body.get("chat_template_kwargs", {}).get("enable_thinking")
    return effort if effort is not None else enabled
