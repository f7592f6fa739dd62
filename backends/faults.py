"""A seeded model of slow and failing networks, for the scripted backend."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields
from hashlib import blake2b
from statistics import NormalDist
from typing import Literal

from ..engine.completion import CompletionRequest

__all__ = ["Fault", "Faults", "Latency", "Weather"]

Fault = Literal["slow", "overloaded", "unavailable", "cut", "malformed", "hang"]

_NORMAL = NormalDist()
_SLOWDOWN = 10.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds that a reply takes: lognormal with this median; `spread` is the sigma of its logarithm."""

    median_s: float
    spread: float = 0.0

    def __post_init__(self) -> None:
        if self.median_s < 0 or self.spread < 0:
            raise ValueError(f"a latency is not negative: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How probable each fault is, for each call; together at most 1.

    slow: ten times the latency. overloaded: told to come back after `retry_after_s`. unavailable: an error of the
    server. cut: the connection breaks half-way. malformed: the answer is no reply. hang: no answer at all.
    """

    slow: float = 0.0
    overloaded: float = 0.0
    unavailable: float = 0.0
    cut: float = 0.0
    malformed: float = 0.0
    hang: float = 0.0
    retry_after_s: float | None = 1.0

    def __post_init__(self) -> None:
        probabilities = astuple(self)[:6]
        if any(not 0 <= each <= 1 for each in probabilities) or sum(probabilities) > 1 + 1e-9:
            raise ValueError(f"probabilities lie between 0 and 1 and add up to 1 at most: {self}")


class Weather:
    """Decides what befalls a call from who makes it alone: seed, dialog, sequence, attempt; never from when it is made.

    A hash gives the two numbers a call needs; making a `random.Random` for each would take ten times as long.
    """

    def __init__(self, latency: Latency | None, faults: Faults | None, seed: int) -> None:
        self.retry_after_s = faults.retry_after_s if faults else None
        self._latency = latency or Latency(0.0)
        self._seed = seed
        self._bounds: list[tuple[float, Fault]] = []
        bound = 0.0
        for field in fields(Faults)[:6]:
            bound += getattr(faults, field.name) if faults else 0.0
            self._bounds.append((bound, field.name))  # type: ignore[arg-type]  # the field names are the faults

    def befalls(self, request: CompletionRequest) -> tuple[Fault | None, float]:
        """The fault, if any, and the seconds until the reply."""
        key = f"{self._seed} {request.dialog} {request.sequence} {request.attempt}"
        digest = blake2b(key.encode(), digest_size=16).digest()
        luck = int.from_bytes(digest[:8], "big") / 2**64
        fault = next((fault for bound, fault in self._bounds if luck < bound), None)
        seconds = self._latency.median_s
        if self._latency.spread:
            share = (int.from_bytes(digest[8:], "big") + 0.5) / 2**64
            seconds *= math.exp(self._latency.spread * _NORMAL.inv_cdf(share))
        return fault, seconds * _SLOWDOWN if fault == "slow" else seconds
