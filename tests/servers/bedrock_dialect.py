"""Bedrock's Converse and ConverseStream as AWS documents them: replies whole and in binary event frames, and errors."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from playact.backends.bedrock import BedrockBackend
from playact.engine.completion import FinishReason, Message, ToolCall, Usage
from tests.servers.chat_server import Asked, Reply
from tests.servers.dialect import Heard, Said

__all__ = ["BedrockDialect", "frame"]

_FINISH: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "refused": "guardrail_intervened",
}
_ERRORS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
_EVENTS = {"Content-Type": "application/vnd.amazon.eventstream"}


class BedrockDialect:
    """Credentials come from the environment, as everywhere with AWS: see the fixtures."""

    name = "aws"
    has_ids = True
    reports_model = False
    can = frozenset(("schema", "thinking", "cached", "refusal"))

    def say(self, said: Said, asked: Asked) -> Reply:
        if asked.path.endswith("/converse-stream"):
            return Reply(chunks=tuple(_events(said, asked)), headers=_EVENTS)
        reply = {
            "output": {"message": {"role": "assistant", "content": list(_content(said, asked))}},
            "stopReason": _stop(said, asked),
            "usage": _usage(said.usage),
            "metrics": {"latencyMs": 12},
        }
        return Reply(body=json.dumps(reply).encode())

    def fail(self, status: int, message: str, retry_after_s: float | None = None) -> Reply:
        headers = {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:g}"}
        if status in _ERRORS:
            headers["x-amzn-ErrorType"] = f"{_ERRORS[status]}:http://internal.amazon.com/coral/com.amazon.bedrock/"
        return Reply(status=status, body=json.dumps({"message": message}).encode(), headers=headers)

    def hear(self, asked: Asked) -> Heard:
        body = asked.body
        _, model, operation = asked.path.removeprefix("/").split("/", 2)
        inference = body.get("inferenceConfig", {})
        specs = {tool["toolSpec"]["name"]: tool["toolSpec"] for tool in body.get("toolConfig", {}).get("tools", ())}
        reply = specs.pop("structured_reply", None)
        system = "\n".join(block["text"] for block in body.get("system", ()))
        return Heard(
            model=model,
            messages=(
                *((Message("system", system),) if system else ()),
                *(message for turn in body["messages"] for message in _messages(turn)),
            ),
            is_streamed=operation == "converse-stream",
            temperature=inference.get("temperature"),
            top_p=inference.get("topP"),
            max_tokens=inference.get("maxTokens"),
            stop=tuple(inference.get("stopSequences", ())),
            tools=tuple(specs),
            schema=None if reply is None else reply["inputSchema"]["json"],
            think=True if "thinking" in body.get("additionalModelRequestFields", {}) else None,
        )

    def backend(self, address: str, **settings: Any) -> BedrockBackend:  # the backend's own settings, as they come
        return BedrockBackend("m", endpoint_url=address, **{"region": "us-east-1", **settings})


def frame(event: str, payload: object, *, kind: str = "event") -> bytes:
    """One message of an event stream. Its `kind` may be "exception" as well."""
    headers = _header(f":{kind}-type", event)
    headers += _header(":content-type", "application/json") + _header(":message-type", kind)
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack(">I", zlib.crc32(message))


def _header(name: str, value: str) -> bytes:
    return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()


def _is_forced(asked: Asked) -> bool:
    return bool(asked.body.get("toolConfig", {}).get("toolChoice"))


def _content(said: Said, asked: Asked) -> Iterator[dict[str, Any]]:
    if said.thinking:
        yield {"reasoningContent": {"reasoningText": {"text": said.thinking, "signature": "c2lnbmVk"}}}
    if said.text and not _is_forced(asked):
        yield {"text": said.text}
    for call in _calls(said, asked):
        yield {"toolUse": {"toolUseId": call.id, "name": call.name, "input": json.loads(call.arguments)}}


def _calls(said: Said, asked: Asked) -> tuple[ToolCall, ...]:
    """A model that must use a tool puts what it has to say into it."""
    if _is_forced(asked) and not said.tool_calls:
        return (ToolCall("tooluse_reply", "structured_reply", said.text),)
    return said.tool_calls


def _events(said: Said, asked: Asked) -> Iterator[bytes]:
    yield frame("messageStart", {"role": "assistant"})
    for place, block in enumerate(_content(said, asked)):
        if "toolUse" in block:
            tool = block["toolUse"]
            start = {"toolUse": {"toolUseId": tool["toolUseId"], "name": tool["name"]}}
            yield frame("contentBlockStart", {"contentBlockIndex": place, "start": start})
        for delta in _deltas(block):
            yield frame("contentBlockDelta", {"contentBlockIndex": place, "delta": delta})
        yield frame("contentBlockStop", {"contentBlockIndex": place})
    yield frame("messageStop", {"stopReason": _stop(said, asked)})
    yield frame("metadata", {"usage": _usage(said.usage), "metrics": {"latencyMs": 12}})


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match block:
        case {"text": text}:
            yield from ({"text": piece} for piece in _pieces(text))
        case {"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}:
            yield from ({"reasoningContent": {"text": piece}} for piece in _pieces(text))
            yield {"reasoningContent": {"signature": signature}}
        case {"toolUse": {"input": given}}:
            yield from ({"toolUse": {"input": piece}} for piece in _pieces(json.dumps(given)))


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + 7] for start in range(0, len(text), 7))


def _stop(said: Said, asked: Asked) -> str:
    return "tool_use" if _calls(said, asked) else _FINISH[said.finish]


def _usage(usage: Usage) -> dict[str, int]:
    """What came from the cache is counted apart."""
    return {
        "inputTokens": usage.prompt_tokens - usage.cached_tokens,
        "outputTokens": usage.completion_tokens,
        "totalTokens": usage.total_tokens,
        "cacheReadInputTokens": usage.cached_tokens,
        "cacheWriteInputTokens": 0,
    }


def _messages(turn: dict[str, Any]) -> Iterator[Message]:
    """Tools' answers are in the user's turns."""
    text, calls = "", []
    for block in turn["content"]:
        match block:
            case {"text": said}:
                text = f"{text}\n{said}" if text else said
            case {"toolUse": {"toolUseId": id, "name": name, "input": given}}:
                calls.append(ToolCall(id, name, json.dumps(given)))
            case {"toolResult": {"toolUseId": id, "content": content}}:
                yield Message("tool", "".join(part["text"] for part in content), tool_call_id=id)
    if text or calls:
        yield Message(turn["role"], text, tuple(calls))
