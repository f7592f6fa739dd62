"""Where a run stands, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Statistics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Where a simulation stands. `ended` counts dialogs by the reason of their ending; tokens are what was paid for.

    `live` counts dialogs from admission until they are taken. `usd` is what the run has cost, its earlier
    sessions too: at the most under a cap on money, else without calls that failed; None when it asked a model whose
    price is not known, see `unpriced`. `failing` counts dialogs that wait for a second chance.
    """

    live: int
    ended: Mapping[str, int]
    turns: int
    live_turns: int = 0
    calls: int
    calls_in_flight: int
    calls_waiting: int
    failed_calls: int
    retries: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    usd: float | None
    unpriced: tuple[str, ...] = ()
    failing: int
    actor_failures: int
    actor_restarts: int
    dead_letters: int
    seconds: float

    @property
    def dialogs(self) -> int:
        return sum(self.ended.values())
