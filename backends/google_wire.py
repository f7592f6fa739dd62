"""Google's generateContent: a request becomes a body and a configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..engine.completion import CompletionRequest, Message, Parameters, Think, ToolCall, ToolSpec
from .google_reply import CALL_ID

__all__ = ["OWNED", "body_of", "config_of"]

Content = dict[str, Any]  # a role and parts

# What a request says in its own words, or what is the backend's own affair; not to be said among the extras.
OWNED = frozenset(
    (
        "automatic_continuation",
        "automatic_function_calling",
        "candidate_count",
        "continuation_token",
        "frequency_penalty",
        "http_options",
        "max_output_tokens",
        "presence_penalty",
        "response_json_schema",
        "response_logprobs",
        "response_mime_type",
        "response_schema",
        "seed",
        "should_return_http_response",
        "stop_sequences",
        "system_instruction",
        "temperature",
        "tools",
        "top_p",
    )
)
_CUE = "(Go on.)"  # the service wants the user to speak first and last; dialogs of ours always have that
_UNSIGNED = "skip_thought_signature_validator"  # Google's word for calls that no model of its own has signed
_BUDGETS = {"low": 1024, "medium": 8192, "high": 24576}  # as Google's own compatibility layer translates efforts


def body_of(request: CompletionRequest, model: str) -> dict[str, Any]:
    """The chat and the tools as they are sent: the user first and last, in turns, and one instruction of the system."""
    system: list[str] = []
    contents: list[Content] = []
    names: dict[str, str] = {}
    for message in _calls_together(request.messages):
        if message.role == "system":
            system.append(message.text)
            continue
        names.update((call.id, call.name) for call in message.tool_calls)
        parts = list(_parts(message, names, "" if _is_early(model) else _UNSIGNED))
        role = "model" if message.role == "assistant" else "user"
        if parts and contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        elif parts:
            contents.append({"role": role, "parts": parts})
    if not contents or contents[0]["role"] == "model":
        contents.insert(0, {"role": "user", "parts": [{"text": _CUE}]})
    if contents[-1]["role"] == "model":
        contents.append({"role": "user", "parts": [{"text": _CUE}]})
    body: dict[str, Any] = {"contents": contents}
    if any(system):
        body["systemInstruction"] = {"parts": [{"text": "\n\n".join(filter(None, system))}]}
    if request.tools:
        body["tools"] = [{"functionDeclarations": [_tool(tool) for tool in request.tools]}]
    return body


def config_of(request: CompletionRequest, defaults: Parameters, model: str) -> dict[str, Any]:
    """How the model is to answer, under the names of the package's configuration."""
    config = _sampling(defaults) | _sampling(request.parameters)
    if request.seed is not None:
        config["seed"] = request.seed
    if request.response_schema is not None:
        config["response_mime_type"] = "application/json"
        config["response_json_schema"] = request.response_schema
    if request.think is not None:
        config.setdefault("thinking_config", _thinking(request.think, model))
    return config


def _parts(message: Message, names: Mapping[str, str], unsigned: str) -> Iterator[dict[str, Any]]:
    """`unsigned` signs the calls of another service's model."""
    if message.role == "tool":
        id = message.tool_call_id or ""
        response = {"name": names.get(id, "tool"), "response": {"output": message.text}}
        yield {"functionResponse": response | _own_id(id)}
        return
    if message.text:  # the service refuses empty ones
        yield {"text": message.text}
    for place, call in enumerate(message.tool_calls):
        wish = {"name": call.name, "args": _arguments(call)} | _own_id(call.id)
        is_ours = CALL_ID.fullmatch(call.id)
        signature = is_ours["signature"] if is_ours else unsigned if place == 0 else ""
        yield {"functionCall": wish} | ({"thoughtSignature": signature} if signature else {})


def _tool(tool: ToolSpec) -> dict[str, object]:
    return {"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters}


def _own_id(id: str) -> dict[str, str]:
    is_ours = CALL_ID.fullmatch(id)
    return {"id": is_ours["own"]} if is_ours and is_ours["own"] else {}


def _arguments(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:  # of another service's model
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _calls_together(messages: Iterable[Message]) -> Iterator[Message]:
    """The calls of one reply in one message, then their answers: the service refuses them in turns."""
    calls: list[ToolCall] = []
    answers: list[Message] = []
    for message in messages:
        if message.role == "tool" and calls:
            answers.append(message)
            continue
        is_wish = message.role == "assistant" and bool(message.tool_calls) and not message.text
        if calls and not (is_wish and _reply_of(message.tool_calls[0].id) == _reply_of(calls[0].id)):
            yield Message("assistant", "", tuple(calls))
            yield from answers
            calls, answers = [], []
        if is_wish:
            calls += message.tool_calls
        else:
            yield message
    if calls:
        yield Message("assistant", "", tuple(calls))
        yield from answers


def _reply_of(id: str) -> str:
    """What the calls of one reply have in common; another backend's have nothing."""
    is_ours = CALL_ID.fullmatch(id)
    return is_ours["reply"] if is_ours else id


def _sampling(parameters: Parameters) -> dict[str, Any]:
    config: dict[str, Any] = {
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "max_output_tokens": parameters.max_tokens,
        "stop_sequences": list(parameters.stop) or None,
        "frequency_penalty": parameters.frequency_penalty,
        "presence_penalty": parameters.presence_penalty,
    }
    config = {name: value for name, value in config.items() if value is not None}
    extra = dict(parameters.extra)
    if logprobs := extra.pop("logprobs", None):
        config["response_logprobs"] = True
        if logprobs is not True:
            config["logprobs"] = logprobs  # how many that it might have said instead
    return config | extra


def _thinking(think: Think, model: str) -> dict[str, Any]:
    """The models up to 2.5 are told a number of tokens, later ones a level, which cannot be none."""
    by_budget = _is_early(model)
    if think is False:
        return {"thinking_budget": 0} if by_budget else {"thinking_level": "MINIMAL"}
    if think is True:
        return {"include_thoughts": True}
    how_much = {"thinking_budget": _BUDGETS[think]} if by_budget else {"thinking_level": think.upper()}
    return {"include_thoughts": True} | how_much


def _is_early(model: str) -> bool:
    return model.rpartition("/")[2].startswith(("gemini-1", "gemini-2"))
