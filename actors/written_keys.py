"""Keys to services that are written down where a journal would keep them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus, urlsplit

__all__ = ["USER", "is_written_key", "written_in_body", "written_in_url"]

USER = "user:password@"
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+(?![a-z])")  # of api_key, x-functions-key, sessionToken
_SECRET = re.compile(
    r"key|\w*(?:apikey|accesskey|secretkey)|\w*token|secret|\w*(?:password|passwd|passphrase)|pass|pw|pwd|pin|otp|"
    r"sig|signature|auth|authorization|cookie|credentials?|jwt|bearer|sid"
)
_ALONE = frozenset(("code", "session"))  # a country_code is no secret
_NO_SECRET = frozenset(("max", "stop", "eos", "bos", "pad"))  # before a token of a model's
_NAMED = re.compile(r"\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})")
_NAMED_IN_HEADER = re.compile(rf"(?:[A-Za-z][\w-]* )?{_NAMED.pattern}")
_SCHEME = re.compile(r"\s*(?:bearer|basic|token)\s+\S", re.IGNORECASE)
_ISSUED = re.compile(r"\b(?:sk|pk|rk|ghp|gho|ghs|github_pat|glpat|hf|xox[a-z])[-_][\w-]{8,}|\bAIza[\w-]{16,}")
_RANDOM = re.compile(r"(?=[A-Za-z+]*\d)(?=[\d+]*[A-Za-z])[A-Za-z\d+]{20,}")
_HOLE = re.compile(r"\{(?:text|session|messages)\}")
_PAIR = re.compile(r"[?&;#]([^=&;#?]*)(?:=([^&;#]*))?")


def is_written_key(name: str, value: str, *, by_name_only: bool = False) -> bool:
    """Of a header or a variable: whether the value is a key, and not `$NAME`, which may have a scheme before it."""
    if _NAMED_IN_HEADER.fullmatch(value) or not value:
        return False
    return _means_secret(name) or (not by_name_only and (_SCHEME.match(value) is not None or _looks_like_key(value)))


def written_in_url(url: str) -> Iterator[str]:
    """What of an address is a key: the names of its parts. Nothing of what is no address."""
    try:
        address = urlsplit(url)
    except ValueError:
        return
    if "@" in address.netloc:
        yield USER
    if _ISSUED.search(unquote_plus(address.path.partition(";")[0])):
        yield "path"
    for pair in _PAIR.finditer(url):
        name, value = unquote_plus(pair[1]), pair[2] or ""
        if _looks_like_key(name):
            yield "query"
        elif not _NAMED.fullmatch(value) and is_written_key(name, unquote_plus(value)):
            yield name


def written_in_body(content: Any, name: str = "") -> Iterator[str]:
    """The names of what is a key in a body, however deep."""
    if isinstance(content, Mapping):
        for own, each in content.items():
            yield from written_in_body(each, str(own))
    elif isinstance(content, list | tuple):
        for each in content:
            yield from written_in_body(each, name)
    elif content is not None and not isinstance(content, bool):
        text = str(content)
        is_all_right = not text or _NAMED.fullmatch(text) or _HOLE.fullmatch(text)
        if not is_all_right and (_means_secret(name) or _looks_like_key(text)):
            yield name


def _means_secret(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or name.lower() in _ALONE:
        return bool(words)
    return _SECRET.fullmatch(words[-1]) is not None and not _NO_SECRET & set(words[:-1])


def _looks_like_key(value: str) -> bool:
    return _ISSUED.search(value) is not None or _RANDOM.search(value) is not None
