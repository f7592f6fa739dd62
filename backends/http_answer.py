"""What an HTTP server answered, and which of our errors an answer other than success stands for."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple

from ..engine.errors import BackendError, BackendOverloaded, BackendRefused, BackendUnavailable

__all__ = ["LARGEST_BODY", "Answer", "TooLarge", "failure_of", "presentable"]

LARGEST_BODY = 32 * 2**20

_OVERLOADED = frozenset((429, 503, 529))
_WORTH_ANOTHER_TRY = frozenset((408, 409))
_LONGEST_REASON = 300
_SHORTEST_SECRET = 8  # a local server's key is often "x" or "none"; hiding that would only garble the message


class TooLarge(Exception):
    """The answer is larger than any reply could be."""

    def __str__(self) -> str:
        return f"larger than {LARGEST_BODY // 2**20} MiB"


class Answer(NamedTuple):
    """One answer, read to its end. Names in `headers` match in any case of letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def failure_of(backend: str, answer: Answer, secrets: Sequence[str] = ()) -> BackendError:
    """The error that an answer outside 200 to 299 stands for, with the server's own words in one line.

    None of `secrets` is repeated in it, also where the server did.
    """
    status = answer.status
    if 300 <= status < 400:
        place = presentable(answer.headers.get("location", "nowhere"), secrets)
        return BackendRefused(backend, f"HTTP {status}: redirects, to {place}, are not followed; change the base URL")
    words, codes = _what_it_said(answer)
    reason = presentable(f"HTTP {status}: {words}", secrets)
    if status == 429 and "insufficient_quota" in codes:
        return BackendRefused(backend, reason)
    if status in _OVERLOADED:
        return BackendOverloaded(backend, reason, _retry_after_s(answer.headers))
    if status in _WORTH_ANOTHER_TRY or status >= 500:
        return BackendUnavailable(backend, reason, may_have_cost=False)
    return BackendRefused(backend, reason)


def presentable(text: str, secrets: Sequence[str] = ()) -> str:
    """Foreign text as one short printable line without secrets."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")  # before cutting, which could leave half a key
    text = text[: 10 * _LONGEST_REASON]
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"


def _what_it_said(answer: Answer) -> tuple[str, tuple[object, ...]]:
    """The message in an error's body, in the shapes that servers use, and the error's codes."""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    match said:
        case {"error": {"message": str(words), **more}}:
            return words, (more.get("code"), more.get("type"))
        case {"error": str(words)} | {"message": str(words)} | {"detail": str(words)}:
            return words, ()
    return answer.body.decode(errors="replace").strip() or _phrase(answer.status), ()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        with suppress(KeyError, ValueError):
            seconds = float(headers[name]) / unit
            if math.isfinite(seconds):
                return max(seconds, 0.0)
    with suppress(KeyError, ValueError):
        date = parsedate_to_datetime(headers["retry-after"])
        if date.tzinfo is None:  # "-0000": in universal time, from a place not told
            date = date.replace(tzinfo=UTC)
        return max(date.timestamp() - time.time(), 0.0)
    return None
