"""Google's generateContent as the Gemini API speaks it: replies whole and in server-sent events, and errors."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from playact.backends.google import GoogleBackend
from playact.engine.completion import FinishReason, Message, Think, ToolCall, Usage
from tests.servers.chat_server import Asked, Reply
from tests.servers.dialect import Heard, Said

__all__ = ["SIGNATURE", "GeminiDialect", "piece"]

SIGNATURE = base64.b64encode(b"\xfb\xff\xfe a thought").decode()  # in the alphabet that differs from the URL's
_FINISH: dict[FinishReason, str] = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "refused": "SAFETY"}
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_EVENTS = {"Content-Type": "text/event-stream"}


class GeminiDialect:
    """The Gemini API, v1beta. It signs its tool calls, and refuses to go on where a signature is missing."""

    name = "google"
    has_ids = False
    reports_model = True
    can = frozenset(("seed", "schema", "thinking", "logprobs", "cached", "refusal"))

    def say(self, said: Said, asked: Asked) -> Reply:
        missing = _unsigned(asked.body)
        if missing:
            return self.fail(400, f"Function call is missing a thought_signature in functionCall parts: {missing}")
        if asked.path.endswith(":streamGenerateContent"):
            return Reply(chunks=tuple(_events(said, asked)), headers=_EVENTS)
        return Reply(body=json.dumps(_reply(said, asked, list(_parts(said)))).encode())

    def fail(self, status: int, message: str, retry_after_s: float | None = None) -> Reply:
        error: dict[str, Any] = {"code": status, "message": message, "status": _STATUS.get(status, "UNKNOWN")}
        if retry_after_s is not None:
            error["details"] = [
                {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{retry_after_s:g}s"},
            ]
        return Reply(status=status, body=json.dumps({"error": error}).encode())

    def hear(self, asked: Asked) -> Heard:
        body = asked.body
        config = body.get("generationConfig", {})
        system = "\n".join(part["text"] for part in body.get("systemInstruction", {}).get("parts", ()))
        messages = [Message("system", system)] if system else []
        messages += (message for content in body["contents"] for message in _messages(content))
        model, _, method = asked.path.rpartition("/")[2].partition(":")
        return Heard(
            model=model,
            messages=tuple(messages),
            is_streamed=method == "streamGenerateContent",
            temperature=config.get("temperature"),
            top_p=config.get("topP"),
            max_tokens=config.get("maxOutputTokens"),
            stop=tuple(config.get("stopSequences", ())),
            seed=config.get("seed"),
            tools=tuple(f["name"] for tool in body.get("tools", ()) for f in tool["functionDeclarations"]),
            schema=config.get("responseJsonSchema"),
            think=_think(config.get("thinkingConfig")),
        )

    def backend(self, address: str, **settings: Any) -> GoogleBackend:  # the backend's own settings, as they come
        settings = {"api_key": "sk-a-key-that-nobody-may-see", **settings}
        return GoogleBackend("m", base_url=address, **settings)


def piece(reply: object) -> bytes:
    """One event of a stream."""
    return f"data: {json.dumps(reply, ensure_ascii=False)}\r\n\r\n".encode()


def _reply(said: Said, asked: Asked, parts: list[Any], *, is_last: bool = True) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0}
    if parts or not is_last:
        candidate["content"] = {"role": "model", "parts": parts}
    usage = said.usage if is_last else Usage(said.usage.prompt_tokens)
    if is_last:
        candidate["finishReason"] = _FINISH[said.finish]
        if said.logprobs and asked.body.get("generationConfig", {}).get("responseLogprobs"):
            chosen = [{"token": t.token, "tokenId": 7, "logProbability": t.logprob} for t in said.logprobs]
            candidate["logprobsResult"] = {"chosenCandidates": chosen}
    thoughts = 1 if usage.completion_tokens > 1 and said.thinking else 0
    told = {
        "promptTokenCount": usage.prompt_tokens,
        "candidatesTokenCount": usage.completion_tokens - thoughts,
        "thoughtsTokenCount": thoughts,
        "cachedContentTokenCount": usage.cached_tokens,
        "totalTokenCount": usage.total_tokens,
    }
    return {
        "candidates": [candidate],
        "usageMetadata": {name: count for name, count in told.items() if count},
        "modelVersion": "m-001",
        "responseId": "r-1",
    }


def _events(said: Said, asked: Asked) -> Iterator[bytes]:
    for part in _parts(said):
        if "text" not in part:
            yield piece(_reply(said, asked, [part], is_last=False))
            continue
        for start in range(0, len(part["text"]), 700):
            cut = {**part, "text": part["text"][start : start + 700]}
            yield piece(_reply(said, asked, [cut], is_last=False))
    yield piece(_reply(said, asked, [{"text": ""}]))


def _parts(said: Said) -> Iterator[dict[str, Any]]:
    if said.thinking:
        yield {"text": said.thinking, "thought": True}
    if said.text:
        yield {"text": said.text}
    for place, call in enumerate(said.tool_calls):
        wish: dict[str, Any] = {"name": call.name, "args": json.loads(call.arguments)}
        if call.id:
            wish["id"] = call.id
        yield {"functionCall": wish} | ({} if place else {"thoughtSignature": SIGNATURE})


def _messages(content: dict[str, Any]) -> Iterator[Message]:
    parts = content["parts"]
    for part in parts:
        if told := part.get("functionResponse"):
            yield Message("tool", told["response"]["output"], tool_call_id=told.get("id"))
    text = "\n".join(part["text"] for part in parts if "text" in part)
    calls = tuple(
        ToolCall(call.get("id", ""), call["name"], json.dumps(call["args"]))
        for part in parts
        if (call := part.get("functionCall"))
    )
    if text or calls:
        yield Message("assistant" if content["role"] == "model" else "user", text, calls)


def _unsigned(body: dict[str, Any]) -> str:
    """The first function call of each content must come with its signature, as the service gave it."""
    for content in body["contents"]:
        calls = [part for part in content["parts"] if "functionCall" in part]
        if calls:
            signature = calls[0].get("thoughtSignature", "")
            if base64.urlsafe_b64decode(signature.replace("+", "-").replace("/", "_")) != base64.b64decode(SIGNATURE):
                return str(calls[0]["functionCall"]["name"])
    return ""


def _think(config: dict[str, Any] | None) -> Think | None:
    """The service takes names in both styles, and its own client writes these with underscores."""
    if config is None:
        return None
    level: Any = config.get("thinking_level", "").lower()
    if level == "minimal" or config.get("thinking_budget") == 0:
        return False
    return level or bool(config.get("include_thoughts"))
