"""The templates that come with playact: their names, their texts, and what each can use, as its own comment says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

__all__ = ["SHORT", "SUFFIX", "packaged_names", "packaged_text", "stands_for", "variables_of"]

SUFFIX = ".j2"
SHORT = "_short"  # behind the name of the variant for tiny models
_FOLDER = Path(__file__).parent / "templates"
_SAME: Mapping[str, str] = {  # unless one's own are there, these are as another
    "persona_generator": "attribute_generator",
    "persona_generator_short": "attribute_generator_short",
    "context_generator": "attribute_generator",
    "context_generator_short": "attribute_generator_short",
    "persona_dialog_generator_system": "dialog_generator_system",
}
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_VARIABLE = re.compile(r"^ {3}([a-z_]+): ", re.MULTILINE)


@lru_cache(maxsize=1)
def packaged_names() -> frozenset[str]:
    """The templates that playact asks for."""
    return frozenset((*(file.stem for file in _FOLDER.glob(f"*{SUFFIX}")), *_SAME))


@lru_cache(maxsize=256)
def packaged_text(name: str) -> str:
    """Raises KeyError for a name that is none."""
    if name not in packaged_names():
        raise KeyError(name)
    return (_FOLDER / f"{stands_for(name)}{SUFFIX}").read_text(encoding="utf-8")


def stands_for(name: str) -> str:
    """The template that a name means which has none of its own."""
    return _SAME.get(name, name)


@lru_cache(maxsize=256)
def variables_of(name: str) -> tuple[str, ...]:
    """What a template can use, in the order in which its comment names it. Raises KeyError."""
    comment = _COMMENT.match(packaged_text(name))
    return tuple(_VARIABLE.findall(comment[0])) if comment else ()
