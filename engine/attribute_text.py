"""An object of attributes as the text of its file, and back, with errors that name the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError

from .errors import FileInvalid, SetupError

__all__ = ["as_text", "made_from"]

T = TypeVar("T")


def as_text(content: object, indent: int | None = 2) -> str:
    """JSON that has a UTF-8 form, whatever is in it."""
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, as a model may write it, has no UTF-8, but an escape
        return json.dumps(content, indent=indent)
    return text


def made_from(text: str, source: str, make: Callable[[dict[str, Any]], T]) -> T:
    """What `make` makes of the text's JSON. Raises `FileInvalid` for all that is wrong in it."""
    content = _object(text, source)
    try:
        return make(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise FileInvalid(source, None, f"{where}: {first['msg']}" if where else first["msg"]) from error
    except SetupError as error:
        raise FileInvalid(source, None, str(error)) from error


def _object(text: str, source: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise FileInvalid(source, error.lineno, f"is not JSON: {error.msg}") from error
    except RecursionError as error:
        raise FileInvalid(source, None, "is nested too deep") from error
    if not isinstance(content, dict):
        raise FileInvalid(source, None, "holds no object; it needs a field for each attribute")
    return content
