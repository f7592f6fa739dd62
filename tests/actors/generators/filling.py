"""A model that fills in any form, as a request's seed decides, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

from playact.backends.faults import Faults, Latency
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest

__all__ = ["Filling", "filled"]

_WORDS = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath", "iris", "jade", "kelp", "lark")


class Filling(ScriptedBackend):
    """`spoils` may say what becomes of a reply: it gets the request and what would have been said."""

    def __init__(
        self,
        spoils: Callable[[CompletionRequest, dict[str, Any]], Any] | None = None,
        *,
        latency: Latency | None = None,
        faults: Faults | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(self.reply, latency=latency, faults=faults, seed=seed, max_tokens=500)
        self.asked: list[CompletionRequest] = []
        self._spoils = spoils

    def reply(self, request: CompletionRequest) -> str:
        self.asked.append(request)
        said: Any = filled(request)
        if self._spoils is not None:
            said = self._spoils(request, said)
        return said if isinstance(said, str) else json.dumps(said)


def filled(request: CompletionRequest) -> dict[str, Any]:
    schema: Any = request.response_schema
    return {name: _value(field, name, request.seed or 0) for name, field in schema["properties"].items()}


def _value(field: Mapping[str, Any], name: str, seed: int) -> Any:
    kind = field.get("type") or field["anyOf"][0]["type"]
    if kind == "integer":
        return 20 + seed % 60
    luck = int.from_bytes(blake2b(f"{seed} {name}".encode(), digest_size=4).digest(), "big")
    words = [_WORDS[luck // 12**place % 12] for place in range(3)] + [str(luck)]
    return f"{name} {' '.join(words)}" if kind == "string" else words
