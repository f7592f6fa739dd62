"""What a journal's log holds, as text: facts, and the answers that the world gave, each a kind and a JSON body.

Bodies are plain ASCII, so that whatever a model says, also half a surrogate pair, comes back as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, NamedTuple

from .. import messages
from ..completion import Completion, TokenLogprob, ToolCall, Usage
from ..errors import CodeMissing, JournalInvalid
from ..messages import Fact
from ..said import Said

__all__ = ["Entry", "ANSWER", "REPLY", "completion_of", "encoded", "encoded_fact", "encoded_reply", "fact_of"]

REPLY = "reply"  # what a model said
ANSWER = "answer"  # what anything else outside said, such as a tool


class Entry(NamedTuple):
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
        """Raises `JournalInvalid` when the body is not what it should be."""
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise self.not_understood(error) from error
        if not isinstance(content, dict):
            raise self.not_understood("no object")
        return content

    def not_understood(self, why: object) -> JournalInvalid:
        return JournalInvalid("the journal", f"has an entry {self.position}, {self.kind}, that makes no sense: {why}")


def encoded(content: Mapping[str, Any]) -> str:
    return _encoder.encode(content)


def encoded_fact(fact: Fact) -> tuple[str, str]:
    """Kind and body. Raises TypeError for a fact that is not a dataclass of plain values."""
    kind, names, sparse = _form(type(fact))  # type: ignore[arg-type]  # a class is hashable, whatever its instances are
    body = [key + _text(getattr(fact, name)) for name, key in names]
    for name, key, default in sparse:
        if (value := getattr(fact, name)) is not default:
            body.append(key + _text(value))
    return kind, "{" + ",".join(body) + "}"


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
    if "parts" in values:
        values["parts"] = tuple(_said(*part) for part in values["parts"])
    made: Fact = own(**values)
    return made


def encoded_reply(call: int, key: str, completion: Completion, **more: Any) -> str:
    usage = _text(completion.usage)
    body = f'{{"call":{call},"key":{_quoted(key)},"text":{_quoted(completion.text)},"usage":{usage}'
    if more:
        body += f",{_encoder.encode(more)[1:-1]}"
    if completion.thinking:
        body += f',"thinking":{_quoted(completion.thinking)}'
    if completion.tool_calls:
        tools = [[tool.id, tool.name, tool.arguments] for tool in completion.tool_calls]
        body += f',"tool_calls":{_encoder.encode(tools)}'
    if completion.finish != "stop":
        body += f',"finish":{_quoted(completion.finish)}'
    if completion.model:
        body += f',"model":{_quoted(completion.model)}'
    if completion.logprobs:
        body += f',"logprobs":{_encoder.encode(completion.logprobs)}'
    if completion.is_cached:
        body += ',"cached":true'
    return body + "}"


def completion_of(content: Mapping[str, Any]) -> Completion:
    return Completion(
        text=content["text"],
        thinking=content.get("thinking", ""),
        tool_calls=tuple(ToolCall(*tool) for tool in content.get("tool_calls", ())),
        usage=Usage(*content["usage"]),
        finish=content.get("finish", "stop"),
        model=content.get("model", ""),
        logprobs=tuple(TokenLogprob(*each) for each in content.get("logprobs", ())),
        is_cached=content.get("cached", False),
    )


def _text(value: object) -> str:
    """As the encoder has it; strings and usages, most of what there is, at a third of its time."""
    if type(value) is str:
        return _quoted(value)
    if type(value) is Usage:
        return f"[{value.prompt_tokens},{value.completion_tokens},{value.cached_tokens}]"
    return _encoder.encode(value)


def _said(channel: str, text: str, heard_by: list[str] | None) -> Said:
    return Said(channel, text, None if heard_by is None else tuple(heard_by))


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
def _form(kind: type[Fact]) -> tuple[str, tuple[tuple[str, str], ...], tuple[tuple[str, str, object], ...]]:
    """The kind's name in the log, and its fields: the name of each, and how it begins in a body.

    Then those that came later, with their defaults, at which they are left out: what is in old journals stays as it is.
    """
    if not issubclass(kind, Fact) or not is_dataclass(kind):
        raise TypeError(f"{kind.__name__} is a fact that a journal cannot keep; make it a dataclass")
    is_own = kind.__module__ == messages.__name__
    name = kind.__name__ if is_own else f"{kind.__module__}:{kind.__qualname__}"
    named = [(field, f"{_quoted(field.name)}:") for field in fields(kind)]
    return (
        name,
        tuple((field.name, key) for field, key in named if not field.metadata.get("sparse")),
        tuple((field.name, key, field.default) for field, key in named if field.metadata.get("sparse")),
    )


def _foreign(kind: str) -> type[Fact]:
    same = [known for known in _subclasses(Fact) if f"{known.__module__}:{known.__qualname__}" == kind]
    if not same:
        raise CodeMissing((kind,))
    return same[-1]  # a dataclass with slots is made of another class, which stays known for a while


def _subclasses(kind: type[Fact]) -> Iterator[type[Fact]]:
    for known in kind.__subclasses__():
        yield known
        yield from _subclasses(known)
