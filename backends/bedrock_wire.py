"""Bedrock's Converse: a request becomes its arguments, and its answers, whole or in events, become a `Completion`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..engine.completion import (
    Completion,
    CompletionRequest,
    Delta,
    FinishReason,
    Message,
    Parameters,
    Think,
    ToolCall,
    ToolSpec,
    Usage,
)

__all__ = ["OWNED", "REPLY_TOOL", "Gathered", "arguments_of", "completion_of", "conversation"]

# What the AWS client read out of a reply. It checks no types, so each piece is checked where it is taken out.
Json = Any
Block = dict[str, Any]  # of text, of a tool's use or of its answer

# The arguments of Converse that a request says in its own words; all others may be said among the extras.
OWNED = frozenset(("inferenceConfig", "messages", "modelId", "system", "toolConfig"))
REPLY_TOOL = "reply"
_CUE = "(Go on.)"  # the service wants the user to speak first, and most models last; dialogs of ours always have that
_BUDGETS = {"low": 1024, "medium": 4096, "high": 16384}  # 1024 is the least that there is
_FINISH: Mapping[object, FinishReason] = {
    "content_filtered": "refused",
    "guardrail_intervened": "refused",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
}


def arguments_of(request: CompletionRequest, defaults: Parameters, model: str) -> dict[str, Any]:
    """The arguments of `converse`, and of `converse_stream` alike."""
    system, messages = conversation(request.messages)
    arguments: dict[str, Any] = {"modelId": request.model or model, "messages": messages}
    if system:
        arguments["system"] = system
    inference = _inference(defaults) | _inference(request.parameters)
    if inference:
        arguments["inferenceConfig"] = inference
    fields: dict[str, Any] = {}
    if thinks := _thinks(request):
        fields["thinking"] = _thinking(request.think, inference.get("maxTokens"))
    if tools := _tools(request, forced=not thinks):
        arguments["toolConfig"] = tools
    for parameters in (defaults, request.parameters):
        extra = dict(parameters.extra)
        fields |= _mapping(extra.pop("additionalModelRequestFields", None))
        arguments |= extra
    if fields:
        arguments["additionalModelRequestFields"] = fields
    return arguments


def conversation(messages: Iterable[Message]) -> tuple[list[Block], list[Block]]:
    """What the system says, and the chat: in turns, the user first and last, without blank texts.

    The service refuses anything else. It knows the system at the beginning only, so what that says later joins there.
    """
    system: list[Block] = []
    turns: list[Block] = []
    for message in messages:
        blocks = list(_blocks(message))
        role = "assistant" if message.role == "assistant" else "user"
        if message.role == "system":
            system += blocks
        elif blocks and turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    cue = {"role": "user", "content": [{"text": _CUE}]}
    if not turns or turns[0]["role"] == "assistant":
        turns.insert(0, cue)
    if turns[-1]["role"] == "assistant":
        turns.append(cue)
    return system, turns


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
        if said := _text(delta, "text"):
            block.setdefault("text", []).append(said)
            return Delta() if self._schema is not None else Delta(said)
        if thought := _text(delta.get("reasoningContent") or {}, "text"):
            block.setdefault("thinking", []).append(thought)
            return Delta(thinking=thought)
        block.setdefault("input", []).append(_text(delta.get("toolUse") or {}, "input"))
        return Delta()

    def _block(self, place: int) -> Block:
        pieces = {kind: "".join(said) for kind, said in self._blocks[place].items()}
        if place in self._tools:
            return {"toolUse": {**self._tools[place], "input": _read(pieces.get("input", ""))}}
        if "thinking" in pieces:
            return {"reasoningContent": {"reasoningText": {"text": pieces["thinking"]}}}
        return {"text": pieces.get("text", "")}


def _blocks(message: Message) -> Iterator[Block]:
    if message.role == "tool":
        content = [{"text": message.text}] if message.text.strip() else []
        yield {"toolResult": {"toolUseId": message.tool_call_id or "", "content": content}}
        return
    if message.text.strip():
        yield {"text": message.text}
    for call in message.tool_calls:
        arguments = _read(call.arguments)
        yield {
            "toolUse": {
                "toolUseId": call.id,
                "name": call.name,
                "input": arguments if isinstance(arguments, dict) else {},  # else of another service's model
            }
        }


def _inference(parameters: Parameters) -> dict[str, Any]:
    given = {
        "temperature": parameters.temperature,
        "topP": parameters.top_p,
        "maxTokens": parameters.max_tokens,
        "stopSequences": list(parameters.stop) or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _thinks(request: CompletionRequest) -> bool:
    """Models do not think unless they are asked to.

    Nor are they when a tool has just answered: they would want the thoughts before its use back, signed, and those are
    not kept.
    """
    return bool(request.think) and request.messages[-1].role != "tool"


def _thinking(think: Think | None, max_tokens: int | None) -> Block:
    """As Claude takes it. What is thought counts as reply, so it gets at most half of that."""
    budget = _BUDGETS["medium" if not isinstance(think, str) else think]
    if max_tokens is not None:
        budget = min(budget, max_tokens // 2)
    return {"type": "enabled", "budget_tokens": max(budget, _BUDGETS["low"])}


def _tools(request: CompletionRequest, *, forced: bool) -> dict[str, Any]:
    """The tools on offer. A schema is one of them, which must be used, and whose input is then the reply.

    A model that thinks may not be forced to use a tool, so it is only offered.
    """
    tools = [_tool(tool) for tool in request.tools]
    schema = request.response_schema
    if schema is not None:
        tools.append(_tool(ToolSpec(REPLY_TOOL, "Gives the reply. Always reply by this.", _object(schema))))
    if not tools:  # the service wants to know the tools that a chat speaks of
        names = dict.fromkeys(call.name for message in request.messages for call in message.tool_calls)
        tools = [_tool(ToolSpec(name, "", {"type": "object"})) for name in names]
    if not tools:
        return {}
    if schema is None or not forced:
        return {"tools": tools}
    return {"tools": tools, "toolChoice": {"any": {}} if request.tools else {"tool": {"name": REPLY_TOOL}}}


def _tool(tool: ToolSpec) -> Block:
    described = {"description": tool.description} if tool.description else {}
    return {"toolSpec": {"name": tool.name, **described, "inputSchema": {"json": _mapping(tool.parameters)}}}


def _is_object(schema: Mapping[str, object]) -> bool:
    return schema.get("type", "object") == "object"


def _object(schema: Mapping[str, object]) -> Mapping[str, object]:
    """A tool's input is an object, so any other value is made the one member of such."""
    if _is_object(schema):
        return {"type": "object", **schema}
    shared = {name: schema[name] for name in ("$defs", "definitions") if name in schema}  # referred to from the root
    return {"type": "object", "properties": {"value": schema}, "required": ["value"], **shared}


def _mapping(value: Any) -> dict[str, Any]:  # JSON of the user's own
    """A copy, of plain dicts: the AWS client takes no other mappings."""
    copy: dict[str, Any] = json.loads(json.dumps(value or {}, default=dict))
    return copy


def _read(text: str) -> Json:
    """What a model wrote as a tool's input; itself where it is no JSON, as when it was cut off."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def _completion(blocks: Json, stop: Json, told: Json, schema: Mapping[str, object] | None) -> Completion:
    text: list[str] = []
    thinking: list[str] = []
    calls: list[ToolCall] = []
    reply: str | None = None
    for block in blocks:
        text.append(_text(block, "text"))
        thinking.append(_text((block.get("reasoningContent") or {}).get("reasoningText") or {}, "text"))
        tool = block.get("toolUse")
        if tool is None:
            continue
        if schema is not None and tool["name"] == REPLY_TOOL:
            reply = _reply(tool["input"], schema)
        else:
            calls.append(ToolCall(_text(tool, "toolUseId"), _text(tool, "name"), _written(tool["input"])))
    finish = _FINISH.get(stop, "stop")
    if finish == "tool_calls" and not calls:
        finish = "stop"
    return Completion(
        text="".join(text) if reply is None else reply,
        thinking="".join(thinking),
        tool_calls=tuple(calls),
        usage=_usage(told.get("usage") or {}),
        finish=finish,
        model=_text((told.get("trace") or {}).get("promptRouter") or {}, "invokedModelId"),
    )


def _reply(given: Json, schema: Mapping[str, object]) -> str:
    if _is_object(schema) or not isinstance(given, dict):
        return _written(given)
    return json.dumps(given.get("value"), ensure_ascii=False)


def _written(given: Json) -> str:
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def _usage(usage: Json) -> Usage:
    """The service counts what it took from its cache, or put there, apart from the rest of the prompt."""
    cached = _count(usage, "cacheReadInputTokens")
    prompt = _count(usage, "inputTokens") + cached + _count(usage, "cacheWriteInputTokens")
    return Usage(prompt, _count(usage, "outputTokens"), cached)


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
