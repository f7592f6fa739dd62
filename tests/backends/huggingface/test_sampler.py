"""Each row's next token comes as its own parameters say, from its own logits and seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LogitsProcessorList, RepetitionPenaltyLogitsProcessor
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from playact.backends.huggingface.guidance import Allowed
from playact.backends.huggingface.sampler import Sampler, noise
from playact.backends.huggingface.sampling import Sampling

VOCABULARY = 600


@dataclass
class Place:
    """A row, as the sampler sees one."""

    sampling: Sampling
    generated: int = 0
    said: Mapping[int, int] = field(default_factory=dict)
    only: tuple[int, ...] | None = None

    def allowed(self) -> Allowed | None:
        if self.only is None:
            return None
        bits = numpy.zeros(VOCABULARY, dtype=numpy.uint8)
        bits[list(self.only)] = 1
        return numpy.packbits(bits, bitorder="little")


def logits(seed: int, rows: int = 1, spread: float = 3.0) -> torch.Tensor:
    return torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(seed)) * spread


SAMPLINGS = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 3.0]),
    top_p=st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.999, 1.0]),
    top_k=st.sampled_from([0, 1, 5, 300, 10_000]),
    min_p=st.sampled_from([0.0, 0.05, 0.5]),
    seed=st.integers(0, 2**64 - 1),
)


@settings(deadline=None)
@given(st.lists(SAMPLINGS, min_size=1, max_size=6), st.integers(0, 2**32), st.sampled_from([0.01, 1.0, 5.0]))
def test_a_row_gets_the_same_token_alone_and_among_others(samplings: list[Sampling], seed: int, spread: float) -> None:
    rows = [Place(sampling, generated=place) for place, sampling in enumerate(samplings)]
    all_logits = logits(seed, len(rows), spread)

    among, _ = Sampler().draw(all_logits.clone(), rows)
    alone = [Sampler().draw(all_logits[place : place + 1].clone(), [row])[0][0] for place, row in enumerate(rows)]

    assert among == alone


@settings(deadline=None)
@given(SAMPLINGS, st.integers(0, 2**32), st.sampled_from([0.01, 1.0, 5.0]))
def test_the_filters_leave_what_those_of_transformers_leave(sampling: Sampling, seed: int, spread: float) -> None:
    scores = logits(seed, spread=spread)
    theirs = LogitsProcessorList([TemperatureLogitsWarper(sampling.temperature or 1e-4)])
    if sampling.top_k:
        theirs.append(TopKLogitsWarper(sampling.top_k))
    theirs.append(TopPLogitsWarper(sampling.top_p))
    if sampling.min_p:
        theirs.append(MinPLogitsWarper(sampling.min_p))
    nothing: Any = torch.tensor([[0]])  # what was said before: these do not look at it
    left = theirs(nothing, scores.clone())[0].isfinite().nonzero()[:, 0].tolist()

    rows = [Place(sampling, generated=place) for place in range(60)]
    drawn, _ = Sampler().draw(scores.expand(len(rows), -1).clone(), rows)

    # What lies on the border to the last digit may be on either side of it.
    smallest = scores[0, left].min()
    assert all(token in left or scores[0, token] > smallest - 1e-3 for token in drawn)


def test_tokens_come_as_often_as_they_are_probable() -> None:
    scores = logits(5, spread=1.0)
    scores[:, 4:] = -torch.inf
    sampling = Sampling(temperature=1.0, top_p=1.0)

    rows = [Place(sampling, generated=place) for place in range(20_000)]
    tokens, _ = Sampler().draw(scores.expand(len(rows), -1).clone(), rows)

    shares = torch.tensor([Counter(tokens)[token] / len(rows) for token in range(4)])
    assert torch.allclose(shares, scores[0, :4].softmax(-1), atol=0.015)


def test_penalties_are_taken_off_as_documented() -> None:
    scores = logits(1)
    said = {3: 0, 5: 2, 8: 1}
    expected = RepetitionPenaltyLogitsProcessor(1.5)(torch.tensor([list(said)]), scores.clone())
    expected[0, 5] -= 0.25 * 2 + 0.5
    expected[0, 8] -= 0.25 * 1 + 0.5
    penalised = scores.clone()

    row = Place(
        Sampling(temperature=0, repetition_penalty=1.5, frequency_penalty=0.25, presence_penalty=0.5), said=said
    )
    (token,), _ = Sampler().draw(penalised, [row])

    assert torch.allclose(penalised, expected)
    assert token == int(expected.argmax())


def test_a_guided_row_gets_what_its_grammar_allows_and_the_others_what_they_like() -> None:
    rows = [Place(Sampling(temperature=2.0), only=(7, 9)), Place(Sampling(temperature=0))]
    scores = logits(2, 2)

    tokens, _ = Sampler().draw(scores.clone(), rows)

    assert tokens[0] in (7, 9)
    assert tokens[1] == int(scores[1].argmax())


def test_probabilities_are_the_models_own_and_only_for_those_who_ask() -> None:
    rows = [
        Place(Sampling(temperature=0, repetition_penalty=9.0, logprobs=True), said={1: 1}, only=(1,)),
        Place(Sampling(temperature=0)),
    ]
    scores = logits(3, 2)

    _, logprobs = Sampler().draw(scores.clone(), rows)

    assert logprobs[0] == pytest.approx(float(scores[0].log_softmax(-1)[1]), abs=1e-4)
    assert logprobs[1] is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 10_000)), min_size=1, unique=True))
def test_noise_is_a_number_from_0_to_1_that_seed_and_place_alone_decide(pairs: list[tuple[int, int]]) -> None:
    together = noise([seed for seed, _ in pairs], [place for _, place in pairs])

    assert all(0 <= number < 1 for number in together)
    assert list(together) == [noise([seed], [place])[0] for seed, place in pairs]
    assert len(set(together)) == len(pairs)
