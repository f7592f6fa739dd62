"""Bedrock's Converse: a request becomes its arguments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..engine.completion import CompletionRequest, Message, Parameters, Think, ToolSpec

__all__ = ["OWNED", "REPLY_TOOL", "Block", "Json", "arguments_of", "conversation", "input_of", "is_object"]

Json = Any  # whatever there is; each piece is checked where it is taken out
Block = dict[str, Any]  # of text, of a tool's use or of its answer

# The arguments of Converse that a request says in its own words; all others may be said among the extras.
OWNED = frozenset(("inferenceConfig", "messages", "modelId", "system", "toolConfig"))
REPLY_TOOL = "structured_reply"
_CUE = "(Go on.)"  # the service wants the user to speak first, and most models last; dialogs of ours always have that
_BUDGETS = {"low": 1024, "medium": 4096, "high": 16384}  # 1024 is the least that there is


def arguments_of(request: CompletionRequest, defaults: Parameters, model: str) -> dict[str, Any]:
    """The arguments of `converse`, and of `converse_stream` alike.

    Raises `TypeError`, `ValueError` for what JSON cannot hold.
    """
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
        extra = _plain(parameters.extra)
        fields |= extra.pop("additionalModelRequestFields", {})
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


def is_object(schema: Mapping[str, object]) -> bool:
    """Whether a reply of this schema can be a tool's input as it is; any other value is made the member of one."""
    return schema.get("type") == "object" or ("type" not in schema and "properties" in schema)


def input_of(text: str) -> Json:
    """What a model wrote as a tool's input; itself where it is no JSON, as when it was cut off."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def _blocks(message: Message) -> Iterator[Block]:
    if message.role == "tool":
        content = [{"text": message.text}] if message.text.strip() else []
        yield {"toolResult": {"toolUseId": message.tool_call_id or "", "content": content}}
        return
    if message.text.strip():
        yield {"text": message.text}
    for call in message.tool_calls:
        arguments = input_of(call.arguments)
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
    return bool(request.think) and not (request.messages and request.messages[-1].role == "tool")


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
    return {"toolSpec": {"name": tool.name, **described, "inputSchema": {"json": _plain(tool.parameters)}}}


def _object(schema: Mapping[str, object]) -> Mapping[str, object]:
    if is_object(schema):
        return {"type": "object", **schema}
    shared = {name: schema[name] for name in ("$defs", "definitions") if name in schema}  # referred to from the root
    return {"type": "object", "properties": {"value": schema}, "required": ["value"], **shared}


def _plain(given: Mapping[str, object]) -> dict[str, Any]:
    """The AWS client takes no mappings but dicts."""
    copy: dict[str, Any] = json.loads(json.dumps(given, default=dict))
    return copy
