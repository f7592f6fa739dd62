"""The fields of a service's JSON, each checked as it is read; what is not there is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["count_of", "text_of"]


def text_of(source: Mapping[str, Any], key: str) -> str:
    """Raises TypeError for what is no text."""
    value = source.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{key} is not a text")
    return value


def count_of(source: Mapping[str, Any], key: str) -> int:
    """Raises TypeError for what is no whole number."""
    value = source.get(key)
    if value is None:
        return 0
    if not isinstance(value, int):
        raise TypeError(f"{key} is not a number")
    return value
