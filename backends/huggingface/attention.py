"""Attention of a step whose tokens belong to many rows: each token sees its own row up to itself, and nothing else.

Rows that compute one token, those that speak, are attended to together, over a view of their slots; a span of a
prompt by itself. Nothing is padded, and keys and values are written where they stay.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from .slots import SlotCache
from .step import Span, StepMap

__all__ = ["ATTENTION", "StepAttention", "register"]

ATTENTION = "playact_rows"
_KEYWORD = "playact_step"
_STRIDE = 16  # masks and views of whole multiples: what the faster kernels of GPUs ask for
# What a layer may say of its attention beyond this would change its result, so a model that says more is refused.
_HARMLESS = {
    "dropout",
    "position_ids",
    "use_cache",
    "output_attentions",
    "cache_position",
    "position_bias",
    "is_causal",
}


class StepAttention:
    """What all layers of one step share: where tokens go, who attends to what. Made once a step."""

    def __init__(self, step: StepMap, cache: SlotCache, device: torch.device, dtype: torch.dtype) -> None:
        self._cache = cache
        self._device = device
        self._dtype = dtype
        flat = [slot * cache.capacity + at for slot, at in zip(step.slots, step.positions, strict=True)]
        self._places = torch.tensor(flat, device=device)
        offsets = step.offsets
        single = [(span, at) for span, at in zip(step.spans, offsets, strict=True) if len(span.tokens) == 1]
        self._spans = [(span, at) for span, at in zip(step.spans, offsets, strict=True) if len(span.tokens) > 1]
        self._single = torch.tensor([at for _, at in single], dtype=torch.long, device=device)
        self._is_all_single = not self._spans
        if single:
            slots = [span.slot for span, _ in single]
            self._low, self._high = min(slots), max(slots) + 1
            self._is_dense = slots == list(range(self._low, self._high))
            self._rows = torch.tensor([slot - self._low for slot in slots], device=device)
            ends = [0] * (self._high - self._low)
            for span, _ in single:
                ends[span.slot - self._low] = span.start
            self._ends = torch.tensor(ends, device=device)
            self._longest = self._rounded(max(ends) + 1)
        self._masks: dict[tuple[int, int | None], torch.Tensor] = {}
        self.layers_attended = 0

    def attend(
        self,
        layer: int,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        scaling: float | None,
        window: int | None,
    ) -> torch.Tensor:
        """The output (1, tokens, heads, width) for a layer's (1, heads, tokens, width)."""
        self.layers_attended += 1
        new_keys, new_values = key[0].transpose(0, 1), value[0].transpose(0, 1)
        keys, values = self._cache.layer(layer, new_keys, new_values)
        keys.flatten(0, 1).index_copy_(0, self._places, new_keys)
        values.flatten(0, 1).index_copy_(0, self._places, new_values)
        queries = query[0].transpose(0, 1)
        if self._is_all_single:
            return self._singles(queries, keys, values, scaling, window)[None]
        output = queries.new_empty((*queries.shape[:2], values.shape[-1]))
        if len(self._single):
            output[self._single] = self._singles(queries[self._single], keys, values, scaling, window)
        for number, (span, at) in enumerate(self._spans):
            stop = self._rounded(span.stop)
            attended = scaled_dot_product_attention(
                queries[at : at + len(span.tokens)].transpose(0, 1)[None],
                keys[span.slot, :stop].transpose(0, 1)[None],
                values[span.slot, :stop].transpose(0, 1)[None],
                attn_mask=self._span_mask(number, span, window),
                scale=scaling,
                enable_gqa=True,
            )
            output[at : at + len(span.tokens)] = attended[0].transpose(0, 1)
        return output[None]

    def _singles(
        self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scaling: float | None, window: int | None
    ) -> torch.Tensor:
        """Heads that share keys stand in the place of query tokens, so that nothing is repeated for them."""
        heads, width = queries.shape[1:]
        shared = keys.shape[2]
        if not self._is_dense:
            spread = queries.new_zeros((self._high - self._low, heads, width))
            spread[self._rows] = queries
            queries = spread
        attended = scaled_dot_product_attention(
            queries.view(-1, shared, heads // shared, width),
            keys[self._low : self._high, : self._longest].transpose(1, 2),
            values[self._low : self._high, : self._longest].transpose(1, 2),
            attn_mask=self._singles_mask(window),
            scale=scaling,
        ).reshape(-1, heads, values.shape[-1])
        return attended if self._is_dense else attended[self._rows]

    def _singles_mask(self, window: int | None) -> torch.Tensor:
        mask = self._masks.get((-1, window))
        if mask is None:
            seen = torch.arange(self._longest, device=self._device) <= self._ends[:, None]
            if window is not None:
                seen &= torch.arange(self._longest, device=self._device) > self._ends[:, None] - window
            mask = self._masks[-1, window] = self._additive(seen)[:, None, None]
        return mask

    def _span_mask(self, number: int, span: Span, window: int | None) -> torch.Tensor:
        mask = self._masks.get((number, window))
        if mask is None:
            at = torch.arange(span.start, span.stop, device=self._device)[:, None]
            places = torch.arange(self._rounded(span.stop), device=self._device)
            seen = places <= at
            if window is not None:
                seen &= places > at - window
            mask = self._masks[number, window] = self._additive(seen)
        return mask

    def _additive(self, seen: torch.Tensor) -> torch.Tensor:
        return torch.zeros(seen.shape, dtype=self._dtype, device=self._device).masked_fill_(~seen, float("-inf"))

    def _rounded(self, tokens: int) -> int:
        return min(-(-tokens // _STRIDE) * _STRIDE, self._cache.capacity)


def register() -> None:
    """Tells transformers of this attention, by its name; a second time changes nothing."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, _attend)


def _attend(
    module: Any,  # any model's attention layer
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    step: StepAttention = more.pop(_KEYWORD)
    unknown = [name for name, said in more.items() if name not in _HARMLESS and said is not None and said is not False]
    if unknown or attention_mask is not None:
        raise NotImplementedError(f"its attention has {', '.join(unknown) or 'a mask of its own'}")
    return step.attend(module.layer_idx, query, key, value, scaling, sliding_window), None
