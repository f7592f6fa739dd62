"""Counts calls and their tokens by model. Counting is cheap, since every call does; costs are reckoned when asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..completion import Usage

__all__ = ["Meter"]


@dataclass(slots=True)
class _Count:
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


class Meter:
    """Of calls that were answered."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}

    def add(self, model: str, usage: Usage) -> None:
        count = self._counts.get(model)
        if count is None:
            count = self._counts[model] = _Count()
        count.calls += 1
        count.prompt_tokens += usage.prompt_tokens
        count.completion_tokens += usage.completion_tokens
        count.cached_tokens += usage.cached_tokens

    @property
    def calls(self) -> int:
        return sum(count.calls for count in self._counts.values())

    @property
    def by_model(self) -> Mapping[str, Usage]:
        return {
            model: Usage(count.prompt_tokens, count.completion_tokens, count.cached_tokens)
            for model, count in self._counts.items()
        }

    def __repr__(self) -> str:
        return f"<Meter {self.calls} calls of {', '.join(self._counts) or 'no model'}>"
