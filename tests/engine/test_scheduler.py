"""Decisions about order and room, tested without an event loop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.engine.scheduler import Call, Lane, Scheduler

DONE = Call(-2, 0)  # it matters only to those who pace

calls = st.builds(Call, st.integers(0, 30), st.integers(0, 30), st.integers(-1, 1))


def waiting_lane(waiting: list[Call], *, fairness: int = 16) -> Lane:
    """A lane with room for one call, taken, and these waiting."""
    lane = Lane(1, fairness)
    assert lane.enter(Call(-1, 0), 0.0)
    assert not any(lane.enter(call, 0.0) for call in waiting)
    return lane


def order_of(lane: Lane) -> list[Call]:
    given_out = []
    while (call := lane.leave(DONE, 0.0)) is not None:
        given_out.append(call)
    return given_out


def test_the_oldest_dialog_goes_first_and_its_calls_in_order() -> None:
    lane = waiting_lane([Call(3, 0), Call(1, 5), Call(2, 0), Call(1, 4)])

    assert order_of(lane) == [Call(1, 4), Call(1, 5), Call(2, 0), Call(3, 0)]


def test_a_higher_priority_goes_before_an_older_dialog() -> None:
    lane = waiting_lane([Call(1, 0), Call(9, 0, priority=1)])

    assert order_of(lane) == [Call(9, 0, priority=1), Call(1, 0)]


@given(st.lists(calls, unique=True))
def test_every_call_is_given_out_exactly_once(waiting: list[Call]) -> None:
    assert sorted(order_of(waiting_lane(waiting))) == sorted(waiting)


@given(st.lists(calls, unique=True), st.data())
def test_withdrawn_calls_are_never_given_out_and_no_other_is_lost(waiting: list[Call], data: st.DataObject) -> None:
    lane = waiting_lane(waiting)
    withdrawn = data.draw(st.sets(st.sampled_from(waiting))) if waiting else set()

    for call in withdrawn:
        lane.withdraw(call)

    assert set(order_of(lane)) == set(waiting) - withdrawn
    assert lane.waiting == 0


@given(st.integers(1, 8), st.lists(st.booleans(), max_size=100))
def test_never_more_calls_are_in_flight_than_the_limit_and_none_waits_while_there_is_room(
    limit: int, steps: list[bool]
) -> None:
    lane = Lane(limit, 16)
    for number, enters in enumerate(steps):
        if enters:
            lane.enter(Call(number, 0), 0.0)
        elif lane.in_flight:
            lane.leave(DONE, 0.0)

        assert lane.in_flight <= limit
        assert lane.waiting == 0 or lane.in_flight == limit


def test_a_lane_without_a_limit_makes_nobody_wait() -> None:
    lane = Lane(None, 16)

    assert all(lane.enter(Call(number, 0), 0.0) for number in range(10_000))


@given(st.integers(2, 20), st.integers(1, 5))
def test_no_dialog_starves_behind_an_endless_stream_of_higher_priority(fairness: int, calls_needed: int) -> None:
    lane = waiting_lane([Call(1000, 0, priority=9)], fairness=fairness)
    patient = Call(0, 0)
    lane.enter(patient, 0.0)
    given_to_it = 0

    for number in range(1001, 1001 + fairness * calls_needed):
        lane.enter(Call(number, 0, priority=9), 0.0)
        if lane.leave(DONE, 0.0) == patient:
            given_to_it += 1
            patient = Call(0, patient.sequence + 1)
            lane.enter(patient, 0.0)

    assert given_to_it == calls_needed


def test_dialogs_are_admitted_up_to_the_concurrency() -> None:
    scheduler = Scheduler(concurrency=2)

    assert [scheduler.admit() for _ in range(3)] == [True, True, False]
    scheduler.retire()
    assert scheduler.admit()


@pytest.mark.parametrize("concurrency", [0, -1])
def test_a_concurrency_below_one_is_refused(concurrency: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Scheduler(concurrency=concurrency)


def test_the_first_to_use_a_backend_sets_its_limit() -> None:
    scheduler = Scheduler(concurrency=1)

    assert scheduler.lane("a", 4) is scheduler.lane("a", 9)
    assert scheduler.lane("a", None).limit == 4
