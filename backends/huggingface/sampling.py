"""How one request wants its tokens drawn: its parameters, checked, and the model's own for what it leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from secrets import randbits
from typing import Any

from ...engine.completion import CompletionRequest, Parameters
from ...engine.errors import BackendRefused
from ..parameters import refuse_unknown

__all__ = ["Sampling"]

_EXTRAS = ("ignore_eos", "logprobs", "min_p", "repetition_penalty", "top_k")
_SEEDS = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Temperature 0 takes the likeliest token always. `top_k` 0, `top_p` 1, `min_p` 0 and penalties of 0, or of 1 for
    the repetition, do nothing. The repetition penalty divides the logits of all tokens of prompt and reply; the other
    two are subtracted, for tokens of the reply. The filters follow each other: temperature, top_k, top_p, min_p."""

    max_tokens: int = 512
    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    ignore_eos: bool = False
    seed: int = 0

    @property
    def is_greedy(self) -> bool:
        return self.temperature == 0

    @property
    def is_filtered(self) -> bool:
        return self.top_p < 1 or self.top_k > 0 or self.min_p > 0

    @property
    def is_penalised(self) -> bool:
        return (self.repetition_penalty, self.frequency_penalty, self.presence_penalty) != (1, 0, 0)

    def with_parameters(self, backend: str, parameters: Parameters) -> Sampling:
        """With what `parameters` say. Raises `ParameterUnknown` for a name that is not known here, and
        `BackendRefused` for a value that makes no sense."""
        refuse_unknown(backend, parameters.extra, _EXTRAS)
        said = {
            "temperature": parameters.temperature,
            "top_p": parameters.top_p,
            "max_tokens": parameters.max_tokens,
            "frequency_penalty": parameters.frequency_penalty,
            "presence_penalty": parameters.presence_penalty,
            "stop": tuple(text for text in parameters.stop if text) or None,
            **parameters.extra,
        }
        given: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        _check(backend, given)
        return replace(self, **given)

    def of(self, backend: str, request: CompletionRequest) -> Sampling:
        """What `request` wants. One without a seed gets a random one. Raises as `with_parameters` does."""
        seed = randbits(64) if request.seed is None else request.seed % _SEEDS
        return replace(self.with_parameters(backend, request.parameters), seed=seed)


_BOUNDS: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 100),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "top_k": (0, float("inf")),
    "max_tokens": (1, float("inf")),
    "repetition_penalty": (1e-3, 1e3),
    "frequency_penalty": (-100, 100),
    "presence_penalty": (-100, 100),
}
_WHOLE = ("top_k", "max_tokens")


def _check(backend: str, given: Mapping[str, object]) -> None:
    for name, value in given.items():
        if name in ("logprobs", "ignore_eos"):
            if not isinstance(value, bool):
                raise BackendRefused(backend, f"{name} is true or false, not {value!r}")
        elif name != "stop":
            low, high = _BOUNDS[name]
            kinds = int if name in _WHOLE else int | float
            if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
                raise BackendRefused(backend, f"{name} lies between {low:g} and {high:g}, not {value!r}")
