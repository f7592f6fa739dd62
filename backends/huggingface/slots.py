"""The keys and values of the running rows: one slot for each row, written in place, never copied from step to step."""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["Segment", "SlotCache"]

_SMALLEST = 256


@dataclass(frozen=True, slots=True)
class Segment:
    """Keys and values of a run of tokens, apart from any slot: for each layer two tensors (tokens, heads, width)."""

    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]

    @property
    def bytes(self) -> int:
        return sum(keys.nbytes + values.nbytes for keys, values in self.layers)

    def split(self, tokens: int) -> tuple[Segment, Segment]:
        """The first `tokens` and the rest, each with memory of its own, so that either can be let go."""
        first = tuple((keys[:tokens].clone(), values[:tokens].clone()) for keys, values in self.layers)
        rest = tuple((keys[tokens:].clone(), values[tokens:].clone()) for keys, values in self.layers)
        return Segment(first), Segment(rest)


class SlotCache:
    """For each layer keys and values as (slots, capacity, heads, width); a row's tokens lie from place 0 on.

    The shapes are those that the layers bring at their first step. `capacity` grows as rows need it, by doubling.
    """

    def __init__(self, slots: int, longest: int) -> None:
        self.slots = slots
        self.capacity = min(_SMALLEST, longest)
        self._longest = longest
        self._layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def reserve(self, tokens: int) -> None:
        """Makes room for rows of so many tokens."""
        if tokens <= self.capacity:
            return
        before = self.capacity
        while self.capacity < tokens:
            self.capacity = min(2 * self.capacity, max(self._longest, tokens))
        for layer, held in self._layers.items():
            wider = self._new(held[0]), self._new(held[1])
            for old, new in zip(held, wider, strict=True):
                new[:, :before] = old
            self._layers[layer] = wider

    def layer(self, number: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The two tensors of a layer, made like `keys` and `values` (tokens, heads, width) if they are not there."""
        held = self._layers.get(number)
        if held is None:
            held = self._layers[number] = self._new(keys), self._new(values)
        return held

    def copy(self, slot: int, start: int, stop: int) -> Segment:
        held = (self._layers[number] for number in sorted(self._layers))
        return Segment(
            tuple((keys[slot, start:stop].clone(), values[slot, start:stop].clone()) for keys, values in held)
        )

    def paste(self, slot: int, start: int, segment: Segment, tokens: int) -> None:
        """Puts the first `tokens` of a segment into a slot."""
        for number, (keys, values) in zip(sorted(self._layers), segment.layers, strict=True):
            held = self._layers[number]
            held[0][slot, start : start + tokens] = keys[:tokens]
            held[1][slot, start : start + tokens] = values[:tokens]

    def move(self, source: int, target: int, tokens: int) -> None:
        for held in self._layers.values():
            for each in held:
                each[target, :tokens] = each[source, :tokens]

    def _new(self, like: torch.Tensor) -> torch.Tensor:
        # Zeros, since what a step does not look at is multiplied by zero, and garbage may hold what is no number.
        return like.new_zeros((self.slots, self.capacity, *like.shape[-2:]))
