"""The regular expressions of schemas, tried in a time that grows with the text and no faster, where that can be.

What a model wrote is held against them in the event loop: one that backtracks would stop all dialogs for minutes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

__all__ = ["finder"]


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
