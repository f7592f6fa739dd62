"""What an engine has done, in numbers that go with each other."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ...engine.completion import Usage

__all__ = ["Tally"]


class Tally:
    """Counts requests and tokens; time runs while there is at least one request."""

    def __init__(self) -> None:
        self._requests = 0
        self._in_flight = 0
        self._most_in_flight = 0
        self._usage = Usage()
        self._busy_s = 0.0
        self._busy_since = 0.0

    def begin(self) -> None:
        if not self._in_flight:
            self._busy_since = time.monotonic()
        self._requests += 1
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)

    def end(self, usage: Usage) -> None:
        self._in_flight -= 1
        self._usage = self._usage + usage
        if not self._in_flight:
            self._busy_s += time.monotonic() - self._busy_since

    def figures(self) -> Mapping[str, float]:
        """Counts, and shares and rates that are 0 as long as there is nothing to divide by.

        Tokens are those of requests that have ended, cancelled ones too. `cached_share` is the part of all tokens of
        prompts that was found in the prefix cache; `tokens_per_s` counts generated ones in the time of being busy.
        """
        now_s = time.monotonic() - self._busy_since if self._in_flight else 0.0
        busy_s = self._busy_s + now_s
        usage = self._usage
        return {
            "requests": self._requests,
            "in_flight": self._in_flight,
            "most_in_flight": self._most_in_flight,
            "prompt_tokens": usage.prompt_tokens,
            "cached_tokens": usage.cached_tokens,
            "completion_tokens": usage.completion_tokens,
            "cached_share": usage.cached_tokens / usage.prompt_tokens if usage.prompt_tokens else 0.0,
            "busy_s": busy_s,
            "tokens_per_s": usage.completion_tokens / busy_s if busy_s else 0.0,
        }
