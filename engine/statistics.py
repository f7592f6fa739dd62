"""Where a run stands, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["LaneStatistics", "Obstacle", "Statistics"]

# What a waiting call waits for: a call under way to end; the pace that was set; the time that the backend said to stay
# away; a backend that is down.
Obstacle = Literal["room", "pace", "retry_after", "circuit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStatistics:
    """Where the calls to one backend stand.

    `limit` is how many may be in flight now, None for any number. `waits_for` is what those wait for that wait, and
    `looks_again_s` in how many seconds time alone may let one go, None when that depends on other calls.
    """

    in_flight: int
    waiting: int
    limit: int | None
    waits_for: Obstacle | None
    looks_again_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Where a simulation stands. `ended` counts dialogs by the reason of their ending; tokens are what was paid for.

    `flaws` counts by kind what was wrong with replies, see `FlawFound`; those that were retried too.

    `recalled` counts replies that a cache knew, which are no calls.

    `live` counts dialogs from admission until they are taken. `usd` is what the run has cost, its earlier
    sessions too: at the most under a cap on money, else without calls that failed; None when it asked a model whose
    price is not known, see `unpriced`. `failing` counts dialogs that wait for a second chance. `lanes` has the backends
    that were asked, by name.
    """

    live: int
    ended: Mapping[str, int]
    turns: int
    flaws: Mapping[str, int] = field(default_factory=dict)
    live_turns: int = 0
    calls: int
    calls_in_flight: int
    calls_waiting: int
    failed_calls: int
    retries: int
    recalled: int = 0
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
    lanes: Mapping[str, LaneStatistics] = field(default_factory=dict)

    @property
    def dialogs(self) -> int:
        return sum(self.ended.values())
