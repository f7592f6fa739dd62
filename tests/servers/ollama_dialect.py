"""Ollama's chat as its server speaks it: replies whole and as lines of JSON, and errors, also within a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from playact.backends.ollama import OllamaBackend
from playact.engine.completion import Message, TokenLogprob, ToolCall
from tests.backends.calls import KEY
from tests.servers.chat_server import Asked, Reply
from tests.servers.dialect import Heard, Said

__all__ = ["OllamaDialect", "line"]

_JSON = {"Content-Type": "application/json; charset=utf-8"}
_LINES = {"Content-Type": "application/x-ndjson"}


class OllamaDialect:
    name = "ollama"
    has_ids = False
    reports_model = True
    can = frozenset(("seed", "schema", "thinking", "logprobs"))

    def say(self, said: Said, asked: Asked) -> Reply:
        if asked.body.get("stream", True):
            return Reply(chunks=tuple(_pieces_said(said, asked)), headers=_LINES)
        message: dict[str, Any] = {"content": said.text}
        if said.thinking:
            message["thinking"] = said.thinking
        if said.tool_calls:
            message["tool_calls"] = [_call(call) for call in said.tool_calls]
        more: dict[str, Any] = _end(said)
        if asked.body.get("logprobs"):
            more["logprobs"] = [_logprob(token) for token in said.logprobs]
        return Reply(body=_piece(asked, message, **more), headers=_JSON)

    def fail(self, status: int, message: str, retry_after_s: float | None = None) -> Reply:
        headers = _JSON if retry_after_s is None else {**_JSON, "Retry-After": f"{retry_after_s:g}"}
        return Reply(status=status, body=json.dumps({"error": message}).encode(), headers=headers)

    def hear(self, asked: Asked) -> Heard:
        body, options = asked.body, asked.body.get("options", {})
        return Heard(
            model=body["model"],
            messages=tuple(_message(message) for message in body["messages"]),
            is_streamed=body.get("stream", True),
            temperature=options.get("temperature"),
            top_p=options.get("top_p"),
            max_tokens=options.get("num_predict"),
            stop=tuple(options.get("stop", ())),
            seed=options.get("seed"),
            tools=tuple(tool["function"]["name"] for tool in body.get("tools", ())),
            schema=body.get("format"),
            think=body.get("think"),
        )

    def backend(self, address: str, **settings: Any) -> OllamaBackend:  # the backend's own settings, as they come
        return OllamaBackend("m", host=address, **{"api_key": KEY, **settings})


def line(content: object) -> bytes:
    """One line of a stream, written as Go does: its separators of lines are escaped, other letters are not."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return (text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029") + "\n").encode()


def _pieces_said(said: Said, asked: Asked) -> Iterator[bytes]:
    logprobs = iter(said.logprobs if asked.body.get("logprobs") else ())
    for piece in _pieces(said.thinking):
        yield _piece(asked, {"content": "", "thinking": piece}, done=False)
    for piece in _pieces(said.text):
        token = next(logprobs, None)
        yield _piece(
            asked, {"content": piece}, done=False, **({} if token is None else {"logprobs": [_logprob(token)]})
        )
    for token in logprobs:
        yield _piece(asked, {"content": ""}, done=False, logprobs=[_logprob(token)])
    for call in said.tool_calls:
        yield _piece(asked, {"content": "", "tool_calls": [_call(call)]}, done=False)
    yield _piece(asked, {"content": ""}, **_end(said))


def _piece(asked: Asked, message: dict[str, Any], **more: object) -> bytes:
    head = {"model": asked.body["model"], "created_at": "2026-11-24T09:21:11.196249Z"}
    return line({**head, "message": {"role": "assistant", **message}, **more})


def _end(said: Said) -> dict[str, object]:
    return {
        "done": True,
        "done_reason": "length" if said.finish == "length" else "stop",
        "total_duration": 174560334,
        "load_duration": 101397084,
        "prompt_eval_count": said.usage.prompt_tokens,
        "prompt_eval_duration": 13074791,
        "eval_count": said.usage.completion_tokens,
        "eval_duration": 52479709,
    }


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + 7] for start in range(0, len(text), 7))


def _call(call: ToolCall) -> dict[str, Any]:
    return {"function": {"name": call.name, "arguments": json.loads(call.arguments)}}


def _logprob(token: TokenLogprob) -> dict[str, Any]:
    return {"token": token.token, "logprob": token.logprob, "bytes": list(token.token.encode())}


def _message(message: dict[str, Any]) -> Message:
    functions = [call["function"] for call in message.get("tool_calls", ())]
    calls = tuple(ToolCall("", function["name"], json.dumps(function["arguments"])) for function in functions)
    return Message(message["role"], message["content"], calls)
