"""Draws the next token of each row from its logits, as each row wants it, all rows at once.

What a row gets depends on its own logits, seed and length, never on its neighbours: the same seed gives the same tokens
alone and in any batch, where the logits are the same (in float32 they are, but for the last digits). Each draw takes
one number, hashed from the row's seed and the place of the token in its reply.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy
import torch

from .guidance import Allowed
from .sampling import Sampling

__all__ = ["Drawn", "Sampler", "noise"]

# A full sort of 50,000 logits takes milliseconds a row; nearly always what the filters leave is among so many.
_CANDIDATES = 256


class Drawn(Protocol):
    """What a row says of how its next token is to be drawn.

    generated: how many tokens its reply has. said: each token of prompt and reply, and how often the reply has it.
    allowed: a bit for each token that may come next, None for all.
    """

    @property
    def sampling(self) -> Sampling: ...

    @property
    def generated(self) -> int: ...

    @property
    def said(self) -> Mapping[int, int]: ...

    def allowed(self) -> Allowed | None: ...


class Sampler:
    """Keeps nothing from one draw to the next."""

    def draw(self, logits: torch.Tensor, rows: Sequence[Drawn]) -> tuple[list[int], list[float | None]]:
        """For each row its token, and the logarithm of the model's own probability of it if the row asked for that.

        `logits` (rows, vocabulary) are overwritten.
        """
        asked = [place for place, row in enumerate(rows) if row.sampling.logprobs]
        own = logits[asked].float() if asked else None
        logits = logits.float()
        _penalise(logits, rows)
        _guide(logits, rows)
        tokens = logits.argmax(-1)
        drawn = [place for place, row in enumerate(rows) if not row.sampling.is_greedy]
        if drawn:
            some = logits if len(drawn) == len(rows) else logits[drawn]
            tokens[drawn] = _sample(some, [rows[place] for place in drawn], tokens[drawn])
        logprobs: list[float | None] = [None] * len(rows)
        if own is not None:
            chosen = own.gather(-1, tokens[asked, None])[:, 0] - own.logsumexp(-1)
            for place, logprob in zip(asked, chosen.tolist(), strict=True):
                logprobs[place] = logprob
        return tokens.tolist(), logprobs


def noise(seeds: Sequence[int], places: Sequence[int]) -> numpy.ndarray[tuple[int], numpy.dtype[numpy.float64]]:
    """For each seed and place a number from 0 up to, not including, 1 (splitmix64)."""
    with numpy.errstate(over="ignore"):  # the arithmetic is modulo 2**64
        mixed = numpy.array(seeds, dtype=numpy.uint64)
        for step in (numpy.uint64(0), numpy.array(places, dtype=numpy.uint64) + numpy.uint64(1)):
            mixed = mixed + (step + numpy.uint64(1)) * numpy.uint64(0x9E3779B97F4A7C15)
            mixed = (mixed ^ (mixed >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
            mixed = mixed ^ (mixed >> numpy.uint64(31))
    return (mixed >> numpy.uint64(11)).astype(numpy.float64) / 2**53


def _penalise(logits: torch.Tensor, rows: Sequence[Drawn]) -> None:
    penalised = [place for place, row in enumerate(rows) if row.sampling.is_penalised]
    if not penalised:
        return
    counts = [rows[place].said for place in penalised]
    lengths = torch.tensor([len(said) for said in counts])
    ids = torch.tensor([token for said in counts for token in said], device=logits.device)
    times = torch.tensor([often for said in counts for often in said.values()], device=logits.device)
    wanted = [rows[place].sampling for place in penalised]
    where, repetition, frequency, presence = (
        torch.tensor(column).repeat_interleave(lengths).to(logits.device)
        for column in (
            penalised,
            [sampling.repetition_penalty for sampling in wanted],
            [sampling.frequency_penalty for sampling in wanted],
            [sampling.presence_penalty for sampling in wanted],
        )
    )
    before = logits[where, ids]
    after = torch.where(before > 0, before / repetition, before * repetition)
    logits[where, ids] = after - frequency * times - presence * (times > 0)


def _guide(logits: torch.Tensor, rows: Sequence[Drawn]) -> None:
    """Leaves to each guided row the tokens that its grammar allows next."""
    for place, row in enumerate(rows):
        bits = row.allowed()
        if bits is not None:
            allowed = torch.from_numpy(numpy.unpackbits(bits, bitorder="little")).to(logits.device)
            shared = min(len(allowed), logits.shape[-1])
            logits[place, :shared].masked_fill_(allowed[:shared] == 0, float("-inf"))
            logits[place, shared:] = float("-inf")


def _sample(logits: torch.Tensor, rows: Sequence[Drawn], likeliest: torch.Tensor) -> torch.Tensor:
    wanted = [row.sampling for row in rows]

    def column(values: Sequence[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=logits.dtype, device=logits.device)[:, None]

    # In place: the pages of another tensor of this size would take longer than what is done with them.
    scaled = logits.div_(column([sampling.temperature for sampling in wanted]))
    most = scaled.gather(-1, likeliest[:, None])
    weights = scaled.sub_(most).exp_()
    filtered = [place for place, sampling in enumerate(wanted) if sampling.is_filtered]
    if filtered:
        every = len(filtered) == len(rows)
        some = weights if every else weights[filtered]
        some.masked_fill_(some < _least([wanted[place] for place in filtered], some), 0)
        if not every:
            weights[filtered] = some
    reached = weights.cumsum_(-1)
    luck = noise([sampling.seed for sampling in wanted], [row.generated for row in rows])
    aim = reached[:, -1:] * torch.from_numpy(luck).to(dtype=logits.dtype, device=logits.device)[:, None]
    tokens = torch.searchsorted(reached, aim, right=True)[:, 0]
    # The number may be rounded up to 1: then it aims past the end.
    return torch.where(tokens < logits.shape[-1], tokens, likeliest)


def _least(wanted: Sequence[Sampling], weights: torch.Tensor) -> torch.Tensor:
    """For each row the smallest weight that its filters keep; the largest weight is 1."""

    def column(values: Sequence[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=weights.dtype, device=weights.device)[:, None]

    least = column([sampling.min_p for sampling in wanted])
    if all(sampling.top_p == 1 and sampling.top_k == 0 for sampling in wanted):
        return least
    vocabulary = weights.shape[-1]
    most = min(max(_CANDIDATES, *(sampling.top_k for sampling in wanted)), vocabulary)
    best = weights.topk(most, -1).values
    top_k = column([sampling.top_k or math.inf for sampling in wanted])
    top_p = column([sampling.top_p for sampling in wanted])
    best *= torch.arange(most, device=weights.device) < top_k
    held = best.sum(-1, keepdim=True)
    aim = top_p * torch.where(top_k < math.inf, held, weights.sum(-1, keepdim=True))
    kept = _kept(best, aim)
    least = torch.where((top_k < math.inf) | (top_p < 1), torch.maximum(least, best.gather(-1, kept - 1)), least)
    for place in ((held < aim) & (top_p < 1))[:, 0].nonzero()[:, 0].tolist() if most < vocabulary else ():
        # A flat distribution: the candidates are too few.
        every = weights[place : place + 1].sort(descending=True).values
        least[place] = every[0, _kept(every, aim[place : place + 1])[0, 0] - 1].clamp(min=wanted[place].min_p)
    return least


def _kept(best: torch.Tensor, aim: torch.Tensor) -> torch.Tensor:
    """How many of the weights, largest first, it takes to reach `aim`; at least one."""
    reached = best.cumsum(-1)
    return ((reached - best < aim) & (best > 0)).sum(-1, keepdim=True).clamp(min=1)
