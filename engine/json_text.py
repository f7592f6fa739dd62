"""The JSON that a model's text means: as it stands, in a code fence, among other words, or with slips put right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

__all__ = ["values_in"]

_FENCED = re.compile(r"```[\w+-]*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_OPENING = re.compile(r"[{\[]")
# A string is one piece, whatever is in it; one without an end goes to the end, so that no text is gone over twice.
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)
_CANDIDATES = 16  # values that a text is searched for
_REPAIRABLE = _SEARCHABLE = 100_000  # characters; what is longer was a model in a loop
_NO_JSON = (ValueError, RecursionError)


def values_in(text: str, is_cut_off: bool) -> Iterator[tuple[Any, bool]]:
    """The values that a text may mean, most faithful first, and whether that is the whole text as it stands.

    Of several the last goes first: models talk before they answer. With `is_cut_off` nothing is put right: what is
    missing may be most of a value.
    """
    text = text.strip()
    with suppress(*_NO_JSON):
        yield _parsed(text), True
    fenced = [match[1].strip() for match in _FENCED.finditer(text)][-1 : -_CANDIDATES - 1 : -1]
    for inner in fenced:
        with suppress(*_NO_JSON):
            yield _parsed(inner), False
    if len(text) <= _SEARCHABLE:
        for value in reversed(list(_within(text))):
            yield value, False
    if not is_cut_off:
        for broken in (*fenced, text):
            for value in _repaired(broken):
                yield value, False


def _within(text: str) -> Iterator[Any]:
    """The objects and arrays that stand whole among other words; none that is in a broken one."""
    place: int | None = 0
    for _ in range(_CANDIDATES):
        opening = None if place is None else _OPENING.search(text, place)
        if opening is None:
            return
        try:
            value, place = _decoder.raw_decode(text, opening.start())
        except _NO_JSON:
            place = _closing(text, opening.start())
        else:
            yield value


def _closing(text: str, opening: int) -> int | None:
    """Where what is opened there ends, None when it does not."""
    depth = 0
    for bracket in _BRACKETS.finditer(text, opening):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(bracket[0], 0)
        if depth == 0:
            return bracket.end()
    return None


def _repaired(text: str) -> Iterator[Any]:
    from json_repair import repair_json

    opening = _OPENING.search(text)
    if opening is None or len(text) > _REPAIRABLE:
        return
    try:
        value = repair_json(text[opening.start() :], return_objects=True)
    except _NO_JSON:
        return
    if isinstance(value, dict | list) and value:  # it makes an empty list of a bracket among words
        yield value


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refused)
_parsed = _decoder.decode
