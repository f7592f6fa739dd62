"""Google's replies, whole and in pieces: each becomes a `Completion`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..engine.completion import Completion, Delta, FinishReason, TokenLogprob, ToolCall, Usage
from .json_fields import count_of, text_of

__all__ = ["CALL_ID", "Gathered"]

# What a server sent: any JSON there is. Each piece is checked where it is taken out.
Json = Any

CALL_ID = re.compile(
    r"(?P<reply>\d+)\.\d+(?::(?P<own>[^#]*)#(?P<signature>.*))?"
)  # of a tool call, as `_call_id` makes it
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
        self._model = text_of(reply, "modelVersion") or self._model
        if usage := reply.get("usageMetadata"):
            self._usage = _usage(usage)  # of a stream each counts all so far
        candidates = reply.get("candidates")
        if not candidates:
            if blocked := (reply.get("promptFeedback") or {}).get("blockReason"):
                self._finish = blocked if blocked in _FINISH else "OTHER"
            return Delta()
        candidate = candidates[0]
        self._finish = candidate.get("finishReason") or self._finish
        self._reason = text_of(candidate, "finishMessage") or self._reason
        for chosen in (candidate.get("logprobsResult") or {}).get("chosenCandidates") or ():
            self._logprobs.append(TokenLogprob(text_of(chosen, "token"), float(chosen["logProbability"])))
        said: list[str] = []
        thought: list[str] = []
        for part in (candidate.get("content") or {}).get("parts") or ():
            if called := part.get("functionCall"):
                self._calls.append(self._call(called, text_of(part, "thoughtSignature")))
            (thought if part.get("thought") else said).append(text_of(part, "text"))
        self._text += said
        self._thinking += thought
        return Delta("".join(said), "".join(thought))

    def _call(self, called: Json, signature: str) -> ToolCall:
        id = _call_id(self._sequence, len(self._calls), text_of(called, "id"), signature)
        return ToolCall(id, called["name"], json.dumps(called.get("args") or {}, ensure_ascii=False))


def _call_id(sequence: int, place: int, own: str = "", signature: str = "") -> str:
    """The name of a tool call: it says which reply it came in, and carries the service's own name and its signature.

    Newer models refuse to go on without the signature that they gave with a call, and nothing else of a call comes
    back to us.
    """
    return f"{sequence}.{place}:{own}#{signature}" if own or signature else f"{sequence}.{place}"


def _usage(usage: Json) -> Usage:
    return Usage(
        count_of(usage, "promptTokenCount") + count_of(usage, "toolUsePromptTokenCount"),
        count_of(usage, "candidatesTokenCount") + count_of(usage, "thoughtsTokenCount"),
        count_of(usage, "cachedContentTokenCount"),
    )
