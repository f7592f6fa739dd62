"""The regular expressions of schemas, tried in a time that grows with the text and no faster, where that can be.

What a model wrote is held against them in the event loop: one that backtracks would stop all dialogs for minutes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

__all__ = ["finder", "patterns_in"]


@lru_cache(maxsize=256)
def finder(pattern: str) -> Callable[[str], bool]:
    """Whether a text has it anywhere. Raises ValueError for what is no regular expression.

    It runs on Rust's engine, which never backtracks. That knows no look-around and no back-references: a pattern with
    those runs on Python's, and its author answers for the time that it takes.
    """
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    try:
        found = SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError:
        try:
            compiled = re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return lambda text: compiled.search(text) is not None
    return found.isinstance_python


def patterns_in(schema: Any) -> Iterator[str]:
    """Those that texts are held against."""
    if isinstance(schema, Mapping):
        for name, value in schema.items():
            if name == "pattern" and isinstance(value, str):
                yield value
            elif name not in ("const", "enum", "default", "examples"):  # in these it is data
                yield from patterns_in(value)
    elif isinstance(schema, list | tuple):
        for value in schema:
            yield from patterns_in(value)
