"""Google's generateContent: a request becomes a body and a configuration, and replies become a `Completion`."""

from __future__ import annotations

import json
import re
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
    TokenLogprob,
    ToolCall,
    ToolSpec,
    Usage,
)

__all__ = ["OWNED", "Gathered", "body_of", "config_of"]

# What a server sent: any JSON there is. Each piece is checked where it is taken out.
Json = Any
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
_ID = re.compile(r"(?P<reply>\d+)\.\d+(?::(?P<own>[^#]*)#(?P<signature>.*))?")  # of a tool call, as `_call_id` makes it
_UNSIGNED = "skip_thought_signature_validator"  # Google's word for calls that no model of its own has signed
_BUDGETS = {"low": 1024, "medium": 8192, "high": 24576}  # as Google's own compatibility layer translates efforts
_FINISH: Mapping[object, FinishReason] = {
    "MAX_TOKENS": "length",
    "SAFETY": "refused",
    "RECITATION": "refused",
    "LANGUAGE": "refused",
    "OTHER": "refused",
    "BLOCKLIST": "refused",
    "PROHIBITED_CONTENT": "refused",
    "SPII": "refused",
    "ESCALATION": "refused",
    "MODEL_ARMOR": "refused",
    "PUP_LIMITED_DISABLED": "refused",
}
_BROKEN = frozenset(
    ("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE")
)


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


class Gathered:
    """A reply while it comes, in one piece or in several.

    `sequence` is that of the request: the names of tool calls are made of it.
    """

    def __init__(self, sequence: int) -> None:
        self._sequence = sequence
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: list[ToolCall] = []
        self._logprobs: list[TokenLogprob] = []
        self._usage = Usage()
        self._finish: object = None
        self._reason = ""
        self._model = ""

    @property
    def is_whole(self) -> bool:
        """Whether the service has said why it ended."""
        return self._finish is not None

    def take(self, reply: Json) -> Delta:
        """What the reply grew by. Raises `ValueError` when a piece is missing or of the wrong type."""
        try:
            return self._take(reply)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    def completion(self) -> Completion:
        """Raises `ValueError` when the model broke off in a way that makes no reply."""
        if not self.is_whole:
            raise ValueError("it has no candidate, or one that did not finish")
        if self._finish in _BROKEN:
            raise ValueError(f"it ended by {self._finish}: {self._reason or 'no reason given'}")
        finish = _FINISH.get(self._finish, "refused" if str(self._finish).startswith("IMAGE_") else "stop")
        return Completion(
            text="".join(self._text),
            thinking="".join(self._thinking),
            tool_calls=tuple(self._calls),
            usage=self._usage,
            finish="tool_calls" if self._calls else finish,
            model=self._model,
            logprobs=tuple(self._logprobs),
        )

    def _take(self, reply: Json) -> Delta:
        self._model = _text(reply, "modelVersion") or self._model
        if usage := reply.get("usageMetadata"):
            self._usage = _usage(usage)  # of a stream each counts all so far
        candidates = reply.get("candidates")
        if not candidates:
            if blocked := (reply.get("promptFeedback") or {}).get("blockReason"):
                self._finish = blocked if blocked in _FINISH else "OTHER"
            return Delta()
        candidate = candidates[0]
        self._finish = candidate.get("finishReason") or self._finish
        self._reason = _text(candidate, "finishMessage") or self._reason
        for chosen in (candidate.get("logprobsResult") or {}).get("chosenCandidates") or ():
            self._logprobs.append(TokenLogprob(_text(chosen, "token"), float(chosen["logProbability"])))
        said: list[str] = []
        thought: list[str] = []
        for part in (candidate.get("content") or {}).get("parts") or ():
            if called := part.get("functionCall"):
                self._calls.append(self._call(called, _text(part, "thoughtSignature")))
            (thought if part.get("thought") else said).append(_text(part, "text"))
        self._text += said
        self._thinking += thought
        return Delta("".join(said), "".join(thought))

    def _call(self, called: Json, signature: str) -> ToolCall:
        id = _call_id(self._sequence, len(self._calls), _text(called, "id"), signature)
        return ToolCall(id, called["name"], json.dumps(called.get("args") or {}, ensure_ascii=False))


def _call_id(sequence: int, place: int, own: str = "", signature: str = "") -> str:
    """The name of a tool call: it says which reply it came in, and carries the service's own name and its signature.

    Newer models refuse to go on without the signature that they gave with a call, and nothing else of a call comes
    back to us.
    """
    return f"{sequence}.{place}:{own}#{signature}" if own or signature else f"{sequence}.{place}"


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
        is_ours = _ID.fullmatch(call.id)
        signature = is_ours["signature"] if is_ours else unsigned * (place == 0)
        yield {"functionCall": wish} | ({"thoughtSignature": signature} if signature else {})


def _tool(tool: ToolSpec) -> dict[str, object]:
    return {"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters}


def _own_id(id: str) -> dict[str, str]:
    is_ours = _ID.fullmatch(id)
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
    is_ours = _ID.fullmatch(id)
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


def _usage(usage: Json) -> Usage:
    return Usage(
        _count(usage, "promptTokenCount") + _count(usage, "toolUsePromptTokenCount"),
        _count(usage, "candidatesTokenCount") + _count(usage, "thoughtsTokenCount"),
        _count(usage, "cachedContentTokenCount"),
    )


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
