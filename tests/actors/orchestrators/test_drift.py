"""Attributes drift by chance and by what is heard, never leave their limits, and are told and recorded."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from playact.actors.orchestrators import Drift, DriftOrchestrator, DriftRule

from .rehearsal import contents, rehearsed

pytestmark = pytest.mark.anyio

STILL = Drift(start=2, step=0)


async def test_what_is_heard_moves_an_attribute() -> None:
    mood = DriftOrchestrator(
        {"anger": STILL, "trust": STILL},
        rules=[
            DriftRule(heard="late", attribute="anger", add=3),
            DriftRule(heard="SORRY", attribute="anger", add=-1.5),
        ],
    )
    dialog, _ = await rehearsed(mood, lines=["Hello.", "It is late.", "Oh.", "Sorry, it is late.", "Well.", "So."])

    assert contents(dialog, "drift") == [
        {"anger": 2, "trust": 2},
        {"anger": 5, "trust": 2},
        {"anger": 6.5, "trust": 2},
    ]
    assert mood.values(dialog) == contents(dialog, "drift")


async def test_the_agent_is_told_by_levels_or_numbers_and_only_how_it_is_now() -> None:
    levels = {0.0: "calm", 4.0: "irritated", 7.0: "furious"}
    mood = DriftOrchestrator(
        {"anger": Drift(start=1, step=0, levels=levels), "self_trust": 3},
        rules=[DriftRule(heard="line", attribute="anger", add=4)],
    )
    _, heard = await rehearsed(mood)

    told = [instruction for (instruction,) in heard.instructions]
    assert [text.split(":")[2].split(";")[0].strip() for text in told] == ["calm", "irritated", "furious"]
    assert "self trust: 3 on a scale from 0 to 10" in told[0]


async def test_chance_moves_it_by_no_more_than_a_step_from_turn_to_turn() -> None:
    dialog, _ = await rehearsed(DriftOrchestrator({"mood": Drift(step=0.5)}), turns=40)

    values = [content["mood"] for content in contents(dialog, "drift")]
    moves = [abs(after - before) for before, after in pairwise(values)]
    assert values[0] == 5
    assert all(0 < move <= 0.5 + 1e-3 for move in moves)


async def test_it_is_pulled_back_to_where_it_began() -> None:
    rule = DriftRule(heard="insult", attribute="anger", add=8)
    mood = DriftOrchestrator({"anger": Drift(start=0, step=0, pull=0.5)}, rules=[rule])
    dialog, _ = await rehearsed(mood, turns=9, lines=["Hello.", "An insult!"])

    assert [content["anger"] for content in contents(dialog, "drift")] == [0, 8, 4, 2, 1]


async def test_the_same_seed_drifts_the_same_way_and_another_does_not() -> None:
    mood = DriftOrchestrator({"mood": 5, "energy": 5})
    (first, _), (again, _), (other, _) = [await rehearsed(mood, seed=seed, turns=12) for seed in (1, 1, 2)]

    assert first.digest() == again.digest()
    assert contents(first, "drift") != contents(other, "drift")


async def test_two_of_them_keep_their_values_apart() -> None:
    dialog, _ = await rehearsed(DriftOrchestrator({"mood": 2}), DriftOrchestrator({"mood": 8}), turns=3)

    rows = [event for event in dialog.events or () if event.action == "drift"]
    assert [event.actionLabel for event in rows] == ["DriftOrchestrator", "DriftOrchestrator 2"] * 2
    assert [event.content["mood"] for event in rows][:2] == [2, 8]
    assert abs(rows[2].content["mood"] - 2) <= 1 < abs(rows[2].content["mood"] - 8)


@given(
    low=st.floats(-100, 100),
    width=st.floats(0, 100),
    value=st.floats(allow_nan=False, allow_infinity=False, width=32),
)
def test_no_value_leaves_its_limits(low: float, width: float, value: float) -> None:
    drift = Drift(low=low, high=low + width, start=low)

    assert low - 1e-3 <= drift.kept(value) <= low + width + 1e-3


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"attributes": {}}, "must name one at least"),
        ({"attributes": {"mood": {"start": 11}}}, "between low and high"),
        ({"attributes": {"mood": 5}, "rules": [{"heard": "x", "attribute": "anger", "add": 1}]}, "known here: mood"),
        (
            {"attributes": {"mood": 5}, "rules": [{"heard": "(", "attribute": "mood", "add": 1}]},
            "no regular expression",
        ),
        ({"attributes": {"mood": float("nan")}}, "finite number"),
    ],
)
def test_what_makes_no_sense_is_refused(parameters: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        DriftOrchestrator(**parameters)
