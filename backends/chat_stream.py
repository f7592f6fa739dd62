"""A streamed chat completion: its chunks put together again, and what an error among them means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from ..engine.completion import Completion, Delta, TokenLogprob, ToolCall, Usage
from ..engine.errors import BackendError, BackendOverloaded, BackendRefused, BackendUnavailable
from .chat_reply import Json, finish_of, logprobs_of, usage_of
from .http_answer import LARGEST_BODY, Answer, failure_of, presentable
from .json_fields import text_of

__all__ = ["StreamedReply", "failure_within"]


@dataclass(slots=True)
class _Call:
    id: str
    name: str
    arguments: str


class StreamedReply:
    """What the chunks of one stream come to."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._logprobs: list[TokenLogprob] = []
        self._finish: object = None
        self._is_refusal = False
        self._usage = Usage()
        self._model = ""
        self._size = 0

    def take(self, chunk: Json) -> Delta | None:
        """What the chunk adds to text and thinking, if anything. Raises `ValueError` for what is no chunk."""
        try:
            if chunk.get("usage") is not None:
                self._usage = usage_of(chunk["usage"])
            self._model = self._model or text_of(chunk, "model")
            choices = chunk.get("choices")
            return self._take_choice(choices[0]) if choices else None
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    def completion(self) -> Completion:
        calls = [self._calls[index] for index in sorted(self._calls)]
        return Completion(
            text="".join(self._text),
            thinking="".join(self._thinking),
            tool_calls=tuple(ToolCall(call.id, call.name, call.arguments) for call in calls),
            usage=self._usage,
            finish="refused" if self._is_refusal else finish_of(self._finish),
            model=self._model,
            logprobs=tuple(self._logprobs),
        )

    def _take_choice(self, choice: Json) -> Delta | None:
        self._finish = choice.get("finish_reason") or self._finish
        if choice.get("logprobs"):
            self._logprobs += logprobs_of(choice["logprobs"])
        delta = choice.get("delta")
        if not delta:
            return None
        refusal = text_of(delta, "refusal")
        self._is_refusal = self._is_refusal or bool(refusal)
        text = text_of(delta, "content") or refusal
        thinking = text_of(delta, "reasoning_content") or text_of(delta, "reasoning")
        for fragment in delta.get("tool_calls") or ():
            self._take_call(fragment)
        self._grow(len(text) + len(thinking))
        if text:
            self._text.append(text)
        if thinking:
            self._thinking.append(thinking)
        return Delta(text, thinking) if text or thinking else None

    def _take_call(self, fragment: Json) -> None:
        """A fragment belongs to the call of its index; servers that give none send each call in one piece."""
        function = fragment.get("function") or {}
        id, name, arguments = text_of(fragment, "id"), text_of(function, "name"), text_of(function, "arguments")
        index = fragment.get("index")
        if index is None:
            index = len(self._calls) - (0 if id or name else 1)
        if not isinstance(index, int):
            raise TypeError("the index of a tool call is not a number")
        self._grow(len(arguments))
        call = self._calls.get(index)
        if call is None:
            self._calls[index] = _Call(id, name, arguments)
            return
        call.id = call.id or id
        call.name = call.name or name
        call.arguments += arguments

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > LARGEST_BODY:
            raise ValueError(f"it is larger than {LARGEST_BODY // 2**20} MiB")


def failure_within(backend: str, event: Json, secrets: Sequence[str]) -> BackendError:
    """The error that an event stands for. The model has begun to think by then, so it may have cost something.

    Some servers say the status that it would have been, as `code`, others what kind it is.
    """
    error = event.get("error")
    code, kind = (error.get("code"), error.get("type")) if isinstance(error, dict) else (None, None)
    status = int(code) if isinstance(code, int) or (isinstance(code, str) and code.isdecimal()) else 0
    if 400 <= status < 500:
        return failure_of(backend, Answer(status, {}, orjson.dumps(event)), secrets)
    words = error.get("message") if isinstance(error, dict) else error
    reason = presentable(f"an error in mid-stream: {words or orjson.dumps(error).decode()}", secrets)
    if "insufficient_quota" in (code, kind) or kind == "invalid_request_error":
        return BackendRefused(backend, reason)
    if status in (503, 529) or "rate_limit_exceeded" in (code, kind) or kind == "overloaded_error":
        return BackendOverloaded(backend, reason)
    return BackendUnavailable(backend, reason)
