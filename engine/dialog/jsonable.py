"""A model as plain JSON values, whatever is in it."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

__all__ = ["jsonable"]


def jsonable(model: BaseModel, **which: Any) -> dict[str, Any]:
    """What the model's JSON holds; `which` goes to `model_dump`, such as `exclude`.

    A number that is not finite is null, a value that no JSON can say becomes its text, and nothing around it.
    """
    try:
        return model.model_dump(mode="json", fallback=str, **which)
    except UnicodeEncodeError:  # a key with half a character, as in a tool call that some model made up
        content: dict[str, Any] = _plain(model.model_dump(**which))
        return content


def _plain(value: Any) -> Any:
    """As pydantic does it, but for the keys, which it takes only when they are Unicode."""
    if isinstance(value, dict):
        return {key if type(key) is str else _leaf_key(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | Set):
        return [_plain(each) for each in value]
    if isinstance(value, BaseModel):
        return jsonable(value)
    return to_jsonable_python(value, inf_nan_mode="null", fallback=str)


def _leaf_key(key: object) -> str:
    (name,) = to_jsonable_python({key: None}, inf_nan_mode="null", fallback=str)
    return str(name)
