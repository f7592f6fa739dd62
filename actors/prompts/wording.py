"""What templates of prompts can call beside `engine/wording.py`: facts as phrases, names as words, values as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from ...engine import attributes

__all__ = ["as_json", "phrases", "without", "words_of"]

words_of = lru_cache(maxsize=1024)(attributes.words_of)
as_json = json.JSONEncoder(ensure_ascii=False).encode


def phrases(facts: Mapping[str, object]) -> str:
    """ "age 33, years of experience 4" """
    return ", ".join(f"{words_of(name)} {value}" for name, value in facts.items())


def without(facts: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in facts.items() if name not in names}
