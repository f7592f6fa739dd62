"""What a journal's log holds, as text: facts, and the answers that the world gave, each a kind and a JSON body.

Bodies are plain ASCII, so that whatever a model says, also half a surrogate pair, comes back as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from typing import Any

from .. import messages
from ..completion import Completion, ToolCall, Usage
from ..errors import CodeMissing
from ..messages import Fact

__all__ = ["Entry", "ANSWER", "REPLY", "completion_of", "encoded", "encoded_fact", "encoded_reply", "fact_of"]

REPLY = "reply"  # what a model said
ANSWER = "answer"  # what anything else outside said, such as a tool


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the log. `dialog` is the dialog's number, `RUN` for what concerns the run as a whole."""

    position: int
    dialog: int
    time: float
    kind: str
    body: str

    @property
    def is_fact(self) -> bool:
        return self.kind not in (REPLY, ANSWER)

    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


def encoded(content: Mapping[str, Any]) -> str:
    return _encoder.encode(content)


def encoded_fact(fact: Fact) -> tuple[str, str]:
    """Kind and body. Raises TypeError for a fact that is not a dataclass of plain values."""
    kind, names = _form(type(fact))  # type: ignore[arg-type]  # a class is hashable, whatever its instances are
    return kind, _encoder.encode({name: getattr(fact, name) for name in names})


def fact_of(kind: str, content: Mapping[str, Any]) -> Fact:
    """Raises `CodeMissing` for a kind whose class has not been imported: no file makes us import anything."""
    own: Any = getattr(messages, kind, None) if kind in messages.__all__ else None
    if own is None:
        from pydantic import TypeAdapter

        fact: Fact = TypeAdapter(_foreign(kind)).validate_python(content)
        return fact
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}
    if "usage" in values:
        values["usage"] = Usage(*values["usage"])
    made: Fact = own(**values)
    return made


def encoded_reply(call: int, key: str, completion: Completion, **more: Any) -> str:
    content: dict[str, Any] = {"call": call, "key": key, "text": completion.text, "usage": completion.usage, **more}
    if completion.thinking:
        content["thinking"] = completion.thinking
    if completion.tool_calls:
        content["tool_calls"] = [[tool.id, tool.name, tool.arguments] for tool in completion.tool_calls]
    if completion.finish != "stop":
        content["finish"] = completion.finish
    if completion.model:
        content["model"] = completion.model
    return _encoder.encode(content)


def completion_of(content: Mapping[str, Any]) -> Completion:
    return Completion(
        text=content["text"],
        thinking=content.get("thinking", ""),
        tool_calls=tuple(ToolCall(*tool) for tool in content.get("tool_calls", ())),
        usage=Usage(*content["usage"]),
        finish=content.get("finish", "stop"),
        model=content.get("model", ""),
    )


def _plain(value: object) -> object:
    if isinstance(value, Usage):
        return [value.prompt_tokens, value.completion_tokens, value.cached_tokens]
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"a journal cannot keep {value!r}; facts hold plain values")


_encoder = json.JSONEncoder(separators=(",", ":"), default=_plain)


@lru_cache(maxsize=256)
def _form(kind: type[Fact]) -> tuple[str, tuple[str, ...]]:
    if not issubclass(kind, Fact) or not is_dataclass(kind):
        raise TypeError(f"{kind.__name__} is a fact that a journal cannot keep; make it a dataclass")
    is_own = kind.__module__ == messages.__name__
    name = kind.__name__ if is_own else f"{kind.__module__}:{kind.__qualname__}"
    return name, tuple(field.name for field in fields(kind))


def _foreign(kind: str) -> type[Fact]:
    for known in _subclasses(Fact):
        if f"{known.__module__}:{known.__qualname__}" == kind:
            return known
    raise CodeMissing((kind,))


def _subclasses(kind: type[Fact]) -> Iterator[type[Fact]]:
    for known in kind.__subclasses__():
        yield known
        yield from _subclasses(known)
