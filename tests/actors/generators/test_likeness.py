"""Which objects are near-equal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.actors.generators.likeness import LIKE, Likeness, features_of, likeness

ANN = {"name": "Ann Baker", "role": "barista", "background": "grew up in a small town by the sea and likes coffee"}


def near(one: dict[str, Any], other: dict[str, Any]) -> bool:
    known = Likeness()
    known.add(4, known.features(one))
    return known.near_equal(known.features(other)) == 4


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"background": "Grew up in a small town, by the SEA - and likes coffee!"}, True),
        ({"name": "Amy Baker"}, True),
        ({"name": "Ann Baker", "background": "a lawyer from Lisbon who never sleeps and collects stamps"}, False),
        ({"background": "grew up in a big city on the river and hates tea"}, False),
    ],
)
def test_near_equal_is_what_shares_most_words_in_the_same_attributes(change: dict[str, Any], expected: bool) -> None:
    assert near(ANN, ANN | change) is expected


def test_words_count_in_their_own_attribute_only() -> None:
    assert not near({"name": "rose", "role": "gardener"}, {"name": "gardener", "role": "rose"})


def test_attributes_that_are_the_same_in_all_do_not_count() -> None:
    known = Likeness(frozenset(("background",)))
    known.add(0, known.features(ANN))

    assert known.near_equal(known.features(ANN | {"name": "Bob Miller"})) is None


def test_two_that_say_nothing_are_near_equal() -> None:
    assert near({"name": ""}, {"role": None})


WORDS = st.lists(st.sampled_from("abcdefghij"), max_size=12).map(" ".join)
OBJECTS = st.lists(st.fixed_dictionaries({"name": WORDS, "role": WORDS}), min_size=1, max_size=25)


@given(OBJECTS)
def test_what_is_found_is_what_comparing_with_each_would_find(objects: list[dict[str, str]]) -> None:
    known = Likeness()
    features = [known.features(each) for each in objects]

    for number, own in enumerate(features):
        expected = [n for n in range(number) if likeness(features[n], own) >= LIKE]
        assert known.near_equal(own) == min(expected, default=None)
        known.add(number, own)


@given(st.dictionaries(st.sampled_from("ab"), WORDS), st.dictionaries(st.sampled_from("ab"), WORDS))
def test_likeness_goes_both_ways_and_is_one_only_of_the_same_words(one: dict[str, str], other: dict[str, str]) -> None:
    a, b = features_of(one), features_of(other)

    assert likeness(a, b) == likeness(b, a)
    assert (likeness(a, b) == 1) == (a == b)
