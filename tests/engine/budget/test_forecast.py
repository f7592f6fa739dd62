"""Forecasts: sums of many from a few, and what can be told without any."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.engine.budget import Budget, Price
from playact.engine.budget.forecast import Forecast, forecast
from playact.engine.budget.outline import LIKELY_REPLY, LONGEST_REPLY, Figures, Outline, Voice, assumptions
from playact.engine.budget.prediction import Estimate, longest_of, student_t, sum_of

PRICE = Price(10, 40, 10)
ADA = Voice(prompt_bytes=400, longest_reply=100, price=PRICE)
TALK = Outline(voices=(ADA, ADA), max_turns=10, header_bytes=500, turn_bytes=150)


def figures(turns: float, seconds: float = 10.0, picodollars: float | None = 1000.0) -> Figures:
    return Figures(turns, turns, 100 * turns, 10 * turns, picodollars, seconds, 900.0, 1200.0)


def told(dialogs: int, pilot: list[Figures], *, concurrency: int = 10, outline: Outline = TALK) -> Forecast:
    return forecast(dialogs, pilot, [outline], concurrency=concurrency)


@pytest.mark.parametrize(
    ("degrees", "outside", "expected"),
    [
        (1, 0.05, 12.7062),
        (2, 0.05, 4.3027),
        (4, 0.05, 2.7764),
        (9, 0.05, 2.2622),
        (30, 0.05, 2.0423),
        (9, 0.001, 4.7809),
    ],
)
def test_students_quantiles_are_those_of_the_tables(degrees: int, outside: float, expected: float) -> None:
    assert student_t(degrees, outside) == pytest.approx(expected, abs=5e-5)


def test_the_interval_of_a_sum_is_the_formulas() -> None:
    estimate = sum_of([1.0, 2.0, 3.0, 4.0, 5.0], 20, least=-100, likely=0, most=100)

    half = 4.6040949 * 1.5811388 * (20 + 20**2 / 5) ** 0.5
    assert estimate.point == 60
    assert estimate.high == pytest.approx(60 + half)
    assert estimate.low == pytest.approx(60 - half)


@pytest.mark.parametrize(
    "draw",
    [
        lambda random: random.gauss(100, 30),
        lambda random: random.expovariate(0.01),
        lambda random: (10 + min(20, int(random.expovariate(1 / 6)))) ** 2,  # tokens, of turns that have a limit
    ],
)
def test_the_interval_holds_19_times_of_20_or_almost_also_for_what_is_skewed(draw: Callable[[Random], float]) -> None:
    random = Random(8)
    held = 0
    for _ in range(2000):
        values = [draw(random) for _ in range(112)]
        estimate = sum_of(values[:12], 100, least=0, likely=0, most=10_000)
        held += estimate.low <= sum(values[12:]) <= estimate.high

    assert held / 2000 >= 0.93


def test_nothing_is_below_its_bound() -> None:
    assert sum_of([1.0, 500.0], 100, least=1, likely=1, most=1000).low == 100


def test_of_one_value_the_interval_is_that_of_the_bounds() -> None:
    assert sum_of([30.0], 10, least=1, likely=7, most=90) == Estimate(300, 10, 900)


def test_without_a_value_it_is_that_of_the_bounds_too() -> None:
    assert sum_of([], 10, least=1, likely=7, most=90) == Estimate(70, 10, 900)


def test_values_that_are_all_the_same_leave_room_for_those_not_seen() -> None:
    estimate = sum_of([10.0] * 20, 100, least=1, likely=5, most=10)

    assert (estimate.point, estimate.high) == (1000, 1000)
    assert estimate.low == pytest.approx(1000 - (1 - 0.05 ** (1 / 20)) * 900)


@given(
    st.lists(st.floats(0, 1e6), max_size=30),
    st.integers(0, 10**6),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
)
def test_a_point_always_lies_within_its_interval(sample: list[float], more: int, one: float, other: float) -> None:
    least, most = sorted((one, other))

    estimate = sum_of(sample, more, least=least, likely=(least + most) / 2, most=most)

    assert 0 <= estimate.low <= estimate.point <= estimate.high


def test_the_longest_of_many_is_beyond_the_longest_of_a_few() -> None:
    sample = [9.0, 10.0, 11.0, 10.0]

    assert longest_of(sample, 0) == 11
    assert 11 < longest_of(sample, 10) < longest_of(sample, 10_000)


def test_the_pilot_counts_as_it_was() -> None:
    whole = told(3, [figures(4), figures(5), figures(6)])

    assert whole.turns == Estimate(15, 15, 15)
    assert whole.usd is not None
    assert whole.usd.point == 3000 / 10**12


def test_time_is_at_least_the_work_shared_and_the_longest_dialog() -> None:
    pilot = [figures(5, seconds) for seconds in (8.0, 10.0, 12.0)]

    slow, fast, crowded = (told(100, pilot, concurrency=c).seconds for c in (1, 10, 100))

    assert slow is not None
    assert fast is not None
    assert crowded is not None
    assert slow.point == pytest.approx(1000)
    assert fast.low <= 100 <= fast.point <= fast.high
    assert crowded.low >= 12


def test_a_model_that_takes_few_calls_at_once_sets_the_pace() -> None:
    pilot = [figures(5, seconds) for seconds in (8.0, 10.0, 12.0)]

    limited = forecast(100, pilot, [TALK], concurrency=50, in_flight=2)

    assert limited.seconds is not None
    assert limited.seconds.point == pytest.approx(500 + 2.5)  # and half of a dialog, by a half of them


def test_an_unknown_price_makes_money_unknown_and_nothing_else() -> None:
    unpriced = Outline(voices=(Voice(prompt_bytes=400),), max_turns=10, header_bytes=500, turn_bytes=150)

    assert told(10, [], outline=unpriced).usd is None
    assert told(10, [figures(5, picodollars=None)] * 3, outline=unpriced).usd is None
    assert told(10, [figures(5, picodollars=None)] * 3, outline=unpriced).turns.point == 50


def test_without_a_pilot_time_is_unknown_and_the_rest_lies_between_the_outlines_bounds() -> None:
    supposed = told(100, [])

    assert supposed.seconds is None
    assert supposed.turns == Estimate(500, 100, 1000)
    assert supposed.completion_tokens == Estimate(500 * LIKELY_REPLY, 100, 1000 * 100)
    assert supposed.usd is not None
    assert 0 < supposed.usd.low < supposed.usd.point < supposed.usd.high


def test_each_call_of_an_outline_sends_all_that_was_said() -> None:
    one, two = (Outline(voices=(ADA, ADA), max_turns=turns, header_bytes=0, turn_bytes=0).most() for turns in (1, 2))

    assert two.prompt_tokens - one.prompt_tokens > one.prompt_tokens
    assert two.prompt_tokens - 2 * one.prompt_tokens >= 100, "the first reply is sent with the second call"
    assert two.picodollars == 10 * two.prompt_tokens + 40 * 200


def test_an_opening_costs_no_call() -> None:
    opened = Outline(
        voices=(Voice(prompt_bytes=400, has_opening=True), ADA), max_turns=10, header_bytes=0, turn_bytes=0
    )

    assert opened.most().calls == 9
    assert opened.least().calls == 0


def test_what_is_supposed_is_said() -> None:
    endless = Outline(voices=(Voice(prompt_bytes=1),), max_turns=30, header_bytes=0, turn_bytes=0)

    assert "from 1 to 30 turns" in assumptions([TALK, endless])[0]
    assert any(f"{LONGEST_REPLY} tokens" in said for said in assumptions([endless]))
    assert not any(f"{LONGEST_REPLY} tokens" in said for said in assumptions([TALK]))


def test_the_cap_that_is_reached_first_is_named_with_the_dialogs_that_it_does_for() -> None:
    whole = told(100, [figures(4), figures(6)])

    assert whole.reaches(Budget(calls=1000, usd=1)) is None
    assert whole.reaches(Budget(calls=250)) == ("250 calls", 50)
    assert whole.reaches(Budget(calls=250, tokens=11_000)) == ("11000 tokens", 20)
    assert whole.within(Budget(calls=250)).calls.high == 250


def test_a_forecast_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="one dialog or more"):
        told(0, [])
