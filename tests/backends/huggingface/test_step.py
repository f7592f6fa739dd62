"""A step brings everyone forward, within bounds, and its map says of each token whose it is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from playact.backends.huggingface.step import Standing, StepMap


@st.composite
def standings(draw: st.DrawFn) -> list[Standing]:
    rows = []
    for slot in draw(st.permutations(range(draw(st.integers(1, 6))))):
        prompt = draw(st.integers(1, 40))
        ids = list(range(1000 * slot, 1000 * slot + prompt + draw(st.integers(0, 5))))
        rows.append(Standing(slot, ids, prompt, draw(st.integers(0, len(ids) - 1))))
    return rows


@settings(deadline=None)
@given(standings(), st.integers(1, 50))
def test_each_row_that_speaks_is_in_every_step_and_prompts_keep_to_their_share(
    rows: list[Standing], share: int
) -> None:
    step = StepMap.of(rows, share)

    slots = [span.slot for span in step.spans]
    assert {row.slot for row in rows if len(row.ids) - row.done == 1} <= set(slots)
    assert len(slots) == len(set(slots))
    remaining = {row.slot: len(row.ids) - row.done for row in rows}
    assert sum(len(span.tokens) for span in step.spans if remaining[span.slot] > 1) <= share


@settings(deadline=None)
@given(standings(), st.integers(1, 50))
def test_the_flat_order_says_of_each_token_whose_it_is_and_where_it_stands(rows: list[Standing], share: int) -> None:
    step = StepMap.of(rows, share)

    by_slot = {row.slot: row for row in rows}
    assert len(step.tokens) == len(step.positions) == len(step.slots)
    for token, position, slot in zip(step.tokens, step.positions, step.slots, strict=True):
        assert by_slot[slot].ids[position] == token
    for span, offset in zip(step.spans, step.offsets, strict=True):
        assert step.tokens[offset : offset + len(span.tokens)] == span.tokens


@settings(deadline=None)
@given(standings(), st.integers(1, 50))
def test_step_by_step_each_token_is_computed_once_in_order_and_the_last_of_each_row_is_sampled(
    rows: list[Standing], share: int
) -> None:
    done = {row.slot: row.done for row in rows}
    sampled = []

    for _ in range(1000):
        now = [Standing(row.slot, row.ids, row.prompt_length, done[row.slot]) for row in rows]
        step = StepMap.of(now, share)
        if not step.spans:
            break
        for span in step.spans:
            assert span.start == done[span.slot]
            done[span.slot] = span.stop
        sampled += [step.slots[place] for place in step.sampled]

    assert done == {row.slot: len(row.ids) for row in rows}
    assert sorted(sampled) == sorted(done)
