"""What one step of the model computes: which tokens, of which rows, at which positions. Plain values, no tensors.

Whatever looks into a step, or changes it, row by row goes by this map. Every token has its row and position in it, and
the flat order here is the order of the tensors: activations of the step have the shape (1, tokens, width), and token i
of them is entry i of `tokens`, `positions` and `slots`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

__all__ = ["Standing", "Span", "StepMap"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a row stands: `ids` are its prompt and what it has generated, the first `done` of them computed."""

    slot: int
    ids: Sequence[int]
    prompt_length: int
    done: int


@dataclass(frozen=True, slots=True)
class Span:
    """The tokens of one row in a step: `tokens`, from position `start` of its text on; those before
    `prompt_length` are its prompt. `is_sampled`: the row's next token is drawn from the last of them."""

    slot: int
    start: int
    tokens: Sequence[int]
    prompt_length: int
    is_sampled: bool

    @property
    def stop(self) -> int:
        return self.start + len(self.tokens)


@dataclass(frozen=True, slots=True)
class StepMap:
    """The spans of a step, in the flat order of its tokens."""

    spans: tuple[Span, ...]

    @classmethod
    def of(cls, rows: Iterable[Standing], prompt_tokens: int) -> StepMap:
        """A step that brings every row forward that has one token to compute, and of the others, in the order given,
        as many tokens as `prompt_tokens` allow; so prompts never hold up those that speak for long."""
        spans = []
        left = prompt_tokens
        for row in rows:
            todo = len(row.ids) - row.done
            if todo > 1:
                todo = min(todo, left)
                left -= todo
            if todo > 0:
                stop = row.done + todo
                tokens = row.ids[row.done : stop]
                spans.append(Span(row.slot, row.done, tokens, row.prompt_length, stop == len(row.ids)))
        return cls(tuple(spans))

    @property
    def tokens(self) -> list[int]:
        return list(chain.from_iterable(span.tokens for span in self.spans))

    @property
    def positions(self) -> list[int]:
        return list(chain.from_iterable(range(span.start, span.stop) for span in self.spans))

    @property
    def slots(self) -> list[int]:
        return list(chain.from_iterable([span.slot] * len(span.tokens) for span in self.spans))

    @property
    def offsets(self) -> list[int]:
        """Where each span begins in the flat order."""
        offsets, at = [], 0
        for span in self.spans:
            offsets.append(at)
            at += len(span.tokens)
        return offsets

    @property
    def sampled(self) -> list[int]:
        """The flat places from which a next token is drawn, in the order of the spans."""
        places = []
        at = 0
        for span in self.spans:
            at += len(span.tokens)
            if span.is_sampled:
                places.append(at - 1)
        return places
