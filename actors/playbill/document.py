"""A YAML document that knows its lines: each value as it was meant, and nothing that grows without end.

Words are words: `No`, `on` and `2024-01-01` are text, as YAML 1.2 has it; only `true`, `false`, `null`, `~` and numbers
are something else. Keys are text, always.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from ...engine.errors import FileInvalid

__all__ = ["Document", "Node"]

_MOST_BYTES = 16 * 2**20
_MOST_VALUES = 1_000_000  # with what anchors repeat
_DEEPEST = 64

_TAG = "tag:yaml.org,2002:"
_MERGE = "<<"
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_WHOLE = re.compile(r"[-+]?[0-9]{1,4000}|0o[0-7]{1,4000}|0x[0-9a-fA-F]{1,4000}")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

# What PyYAML says is about its parts; what a person can do is about the text.
_IN_OTHER_WORDS = {
    "expected ',' or ']'": "the [ of line {line} is not closed by a ] before this",
    "expected ',' or '}'": "the {{ of line {line} is not closed by a }} before this",
    "unexpected end of stream": "the text whose quotes begin in line {line} has none at its end",
    "mapping values are not allowed": "a text with `: ` in it needs quotes, and keys of one block are indented alike",
    "could not find expected ':'": "a key needs a colon and a space after it, as in `name: Ana`",
    "did not find expected key": "keys of one block are indented alike, and a text with brackets needs quotes",
    "expected '-' indicator": "items of a list begin with `- `, and all are indented alike",
    "alphabetic or numeric character": "a text that begins with & or * needs quotes",
    "unknown escape character": "within double quotes a \\ is written twice; within single quotes once",
}


@dataclass(slots=True)
class Node:
    """A value and the line that it begins in; `text` is how a scalar was written, None of lists and mappings.

    content: of a list its nodes, of a mapping the nodes of its keys and values, by key.
    size, depth: how many values it comes to, and how deep, with those that are said by an anchor elsewhere.
    """

    line: int
    content: Any
    text: str | None = None
    size: int = 1
    depth: int = 1

    def grow(self, part: Node) -> None:
        self.size += part.size
        self.depth = max(self.depth, part.depth + 1)

    @property
    def value(self) -> Any:
        """As Python has it."""
        if isinstance(self.content, list):
            return [each.value for each in self.content]
        if isinstance(self.content, dict):
            return {key: each.value for key, (_, each) in self.content.items()}
        return self.content

    def at(self, location: Sequence[int | str]) -> tuple[str, int, Node]:
        """What is there: its path in words, its line, itself; parts of the location that are not in it are left out."""
        node, line, path = self, self.line, ""
        for part in location:
            if isinstance(node.content, list) and isinstance(part, int) and part < len(node.content):
                node = node.content[part]
                line, path = node.line, f"{path}[{part}]"
            elif isinstance(node.content, dict) and str(part) in node.content:
                key, node = node.content[str(part)]
                line, path = key.line, f"{path}.{part}"
        return path.removeprefix("."), line, node

    def line_of(self, key: str) -> int | None:
        """Of the first such key in it, at any depth."""
        parts = self.content.values() if isinstance(self.content, dict) else ()
        if isinstance(self.content, dict) and key in self.content:
            return int(self.content[key][0].line)
        nodes = [node for _, node in parts] if isinstance(self.content, dict) else self.content
        lines = (node.line_of(key) for node in nodes) if isinstance(nodes, list) else ()
        return next((line for line in lines if line is not None), None)


@dataclass
class Document:
    """The one document of a file. `Document.read` raises `FileInvalid` with the line for whatever is wrong in it.

    A file has at most 16 MiB, is nested at most 64 deep, and comes to at most a million values.
    """

    path: str
    events: Iterator[Event]
    anchors: dict[str, Node | None] = field(default_factory=dict)  # None: it is not closed yet

    @classmethod
    def read(cls, path: Path) -> Node | None:
        """Its root; None when it holds nothing."""
        text = _text(path)
        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the former is ten times as fast
        try:
            return cls(str(path), yaml.parse(text, Loader=loader))._root()
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else None
            if "nesting depth" in str(error.problem):  # PyYAML has a limit of its own from 6.0.4 on, farther away
                raise FileInvalid(str(path), line, f"is nested more than {_DEEPEST} deep here") from error
            raise FileInvalid(str(path), line, f"is not YAML: {_yaml_problem(error, text)}") from error
        except yaml.YAMLError as error:
            line = text.count("\n", 0, error.position) + 1 if isinstance(error, yaml.reader.ReaderError) else None
            raise FileInvalid(str(path), line, f"is not YAML: {str(error).splitlines()[0]}") from error

    def _root(self) -> Node | None:
        root, documents = None, 0
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._invalid(event, "begins a second document here; a scenario file is one")
            elif isinstance(event, NodeEvent):
                root = self._node(event, 0)
        return root

    def _node(self, event: Event, depth: int) -> Node:
        if depth >= _DEEPEST:
            raise self._too_deep(event)
        if isinstance(event, AliasEvent):
            return self._repeated(event)
        if isinstance(event, ScalarEvent):
            node = self._scalar(event)
            if event.anchor:
                self.anchors[event.anchor] = node
            return node
        assert isinstance(event, SequenceStartEvent | MappingStartEvent)
        if event.anchor:
            self.anchors[event.anchor] = None
        node = self._list(event, depth) if isinstance(event, SequenceStartEvent) else self._mapping(event, depth)
        if node.depth > _DEEPEST:
            raise self._too_deep(event)
        if node.size > _MOST_VALUES:
            raise self._invalid(event, f"comes to more than {_MOST_VALUES:,} values here, with what its anchors repeat")
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _repeated(self, event: AliasEvent) -> Node:
        name = event.anchor or ""
        if name not in self.anchors:
            raise self._invalid(event, f"has no anchor &{name} before this *{name}")
        node = self.anchors[name]
        if node is None:
            raise self._invalid(event, f"refers to itself without end, by *{name} inside &{name}")
        return node

    def _list(self, event: SequenceStartEvent, depth: int) -> Node:
        self._check_tag(event, "seq")
        node = Node(_line(event), [])
        while not isinstance(item := next(self.events), SequenceEndEvent):
            each = self._node(item, depth + 1)
            node.content.append(each)
            node.grow(each)
        return node

    def _mapping(self, event: MappingStartEvent, depth: int) -> Node:
        self._check_tag(event, "map")
        node, merged = Node(_line(event), {}), list[tuple[Node, Node]]()
        while not isinstance(item := next(self.events), MappingEndEvent):
            key = self._node(item, depth + 1)
            value = self._node(next(self.events), depth + 1)
            node.grow(value)
            if key.text is None or (key.text == "" and _is_plain(item)):
                raise self._invalid(item, "has a key here that is no text")
            if key.text == _MERGE and _is_plain(item):
                merged.append((key, value))
            elif key.text in node.content:
                raise FileInvalid(self.path, key.line, f"the key `{key.text}` stands here a second time")
            else:
                node.content[key.text] = (Node(_line(item), key.text, key.text), value)
        for key, value in merged:
            self._merge(node, key, value)
        return node

    def _merge(self, node: Node, key: Node, value: Node) -> None:
        """What stands in the mapping itself goes before what is merged into it, and the first before the others."""
        for other in value.content if isinstance(value.content, list) else [value]:
            if not isinstance(other.content, dict):
                raise FileInvalid(self.path, key.line, "`<<` takes a mapping, or a list of some, as in `<<: *name`")
            for name, pair in other.content.items():
                node.content.setdefault(name, pair)

    def _scalar(self, event: ScalarEvent) -> Node:
        text = event.value
        tag = (event.tag or "").removeprefix(_TAG)
        if not tag:
            return Node(_line(event), _meant(text) if event.implicit[0] else text, text)
        if tag in ("str", "!"):
            return Node(_line(event), text, text)
        self._check_tag(event, "int", "float", "bool", "null")
        return Node(_line(event), _meant(text), text)

    def _check_tag(self, event: ScalarEvent | SequenceStartEvent | MappingStartEvent, *known: str) -> None:
        if event.tag and event.tag not in ("!", *(f"{_TAG}{name}" for name in known)):
            tag = event.tag.replace(_TAG, "!!")
            raise self._invalid(event, f"has the tag {tag} here, which a scenario file cannot use")

    def _too_deep(self, event: Event) -> FileInvalid:
        return self._invalid(event, f"is nested more than {_DEEPEST} deep here")

    def _invalid(self, event: Event, reason: str) -> FileInvalid:
        return FileInvalid(self.path, _line(event), reason)


def _line(event: Event) -> int:
    mark: Any = event.start_mark  # it is always there, which its types do not know
    return int(mark.line) + 1


def _meant(text: str) -> Any:
    """Of a plain scalar, by the core schema of YAML 1.2."""
    lowered = text if text not in (text.lower(), text.upper(), text.capitalize()) else text.lower()
    if lowered in _WORDS:
        return _WORDS[lowered]
    if _WHOLE.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _DECIMAL.fullmatch(text) and isfinite(number := float(text)):
        return number
    return text


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise FileInvalid(str(path), None, f"cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise FileInvalid(str(path), None, f"is larger than {_MOST_BYTES // 2**20} MiB")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise FileInvalid(str(path), None, "is UTF-16 text; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileInvalid(str(path), line, "is not UTF-8 text") from error


def _yaml_problem(error: yaml.MarkedYAMLError, text: str) -> str:
    problem = error.problem or str(error)
    for said, told in _IN_OTHER_WORDS.items():
        if said in problem:
            return told.format(line=error.context_mark.line + 1 if error.context_mark else "?")
    if error.problem_mark is None or "cannot start any token" not in problem:
        return problem
    character = text[error.problem_mark.index : error.problem_mark.index + 1]
    return (
        "there is a tab where it wants spaces"
        if character == "\t"
        else f"a text that begins with {character} needs quotes"
    )


def _is_plain(event: Event) -> bool:
    return isinstance(event, ScalarEvent) and bool(event.implicit[0])
