"""Bedrock's Converse: its replies, whole or in events, become a `Completion`."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..engine.completion import Completion, Delta, FinishReason, ToolCall, Usage
from .bedrock_wire import REPLY_TOOL, Block, Json, input_of, is_object
from .json_fields import count_of, text_of

__all__ = ["Gathered", "completion_of"]

_FINISH: Mapping[object, FinishReason] = {
    "content_filtered": "refused",
    "guardrail_intervened": "refused",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
}


def completion_of(reply: Json, schema: Mapping[str, object] | None) -> Completion:
    """What `converse` brought. Raises `ValueError` when a piece is missing or of the wrong type."""
    try:
        return _completion(reply["output"]["message"]["content"], reply["stopReason"], reply, schema)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


class Gathered:
    """A reply while its events come. With a schema its text comes at the end, for it is the input of a tool."""

    def __init__(self, schema: Mapping[str, object] | None) -> None:
        self._schema = schema
        self._blocks: dict[int, dict[str, list[str]]] = {}  # of each kind of content what it says, in pieces
        self._tools: dict[int, Block] = {}
        self._stop: object = None
        self._metadata: Json = {}

    @property
    def is_whole(self) -> bool:
        """Whether the service has said why it ended."""
        return self._stop is not None

    def take(self, event: Json) -> Delta:
        """What the reply grew by. Raises `ValueError` when a piece is missing or of the wrong type."""
        try:
            return self._take(event)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    def completion(self) -> Completion:
        """Raises `ValueError` as `completion_of`."""
        try:
            blocks = [self._block(place) for place in sorted(self._blocks)]
            return _completion(blocks, self._stop, self._metadata, self._schema)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    def _take(self, event: Json) -> Delta:
        match event:
            case {"contentBlockStart": {"contentBlockIndex": int(place), "start": {"toolUse": tool}}}:
                self._tools[place] = tool
                self._blocks[place] = {"input": []}
            case {"contentBlockDelta": {"contentBlockIndex": int(place), "delta": delta}}:
                return self._grow(self._blocks.setdefault(place, {}), delta)
            case {"messageStop": stop}:
                self._stop = stop["stopReason"]
            case {"metadata": metadata}:
                self._metadata = metadata
        return Delta()

    def _grow(self, block: dict[str, list[str]], delta: Json) -> Delta:
        if said := text_of(delta, "text"):
            block.setdefault("text", []).append(said)
            return Delta() if self._schema is not None else Delta(said)
        if thought := text_of(delta.get("reasoningContent") or {}, "text"):
            block.setdefault("thinking", []).append(thought)
            return Delta(thinking=thought)
        block.setdefault("input", []).append(text_of(delta.get("toolUse") or {}, "input"))
        return Delta()

    def _block(self, place: int) -> Block:
        pieces = {kind: "".join(said) for kind, said in self._blocks[place].items()}
        if place in self._tools:
            return {"toolUse": {**self._tools[place], "input": input_of(pieces.get("input", ""))}}
        if "thinking" in pieces:
            return {"reasoningContent": {"reasoningText": {"text": pieces["thinking"]}}}
        return {"text": pieces.get("text", "")}


def _completion(blocks: Json, stop: Json, told: Json, schema: Mapping[str, object] | None) -> Completion:
    text: list[str] = []
    thinking: list[str] = []
    calls: list[ToolCall] = []
    reply: str | None = None
    for block in blocks:
        text.append(text_of(block, "text"))
        thinking.append(text_of((block.get("reasoningContent") or {}).get("reasoningText") or {}, "text"))
        tool = block.get("toolUse")
        if tool is None:
            continue
        if schema is not None and tool["name"] == REPLY_TOOL:
            reply = _reply(tool["input"], schema)
        else:
            calls.append(ToolCall(text_of(tool, "toolUseId"), text_of(tool, "name"), _written(tool["input"])))
    finish = _FINISH.get(stop, "stop")
    if finish == "tool_calls" and not calls:
        finish = "stop"
    return Completion(
        text="".join(text) if reply is None else reply,
        thinking="".join(thinking),
        tool_calls=tuple(calls),
        usage=_usage(told.get("usage") or {}),
        finish=finish,
        model=text_of((told.get("trace") or {}).get("promptRouter") or {}, "invokedModelId"),
    )


def _reply(given: Json, schema: Mapping[str, object]) -> str:
    if is_object(schema) or not isinstance(given, dict):
        return _written(given)
    return json.dumps(given.get("value"), ensure_ascii=False)


def _written(given: Json) -> str:
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def _usage(usage: Json) -> Usage:
    """The service counts what it took from its cache, or put there, apart from the rest of the prompt."""
    cached = count_of(usage, "cacheReadInputTokens")
    prompt = count_of(usage, "inputTokens") + cached + count_of(usage, "cacheWriteInputTokens")
    return Usage(prompt, count_of(usage, "outputTokens"), cached)
