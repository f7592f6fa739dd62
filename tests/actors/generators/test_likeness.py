"""Which objects are near-equal."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.actors.generators.band import Band
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


@st.composite
def relatives(draw: st.DrawFn) -> list[dict[str, str]]:
    """Objects that differ from one of a few in some words: near-equal ones, and nearly so."""
    sizes = st.integers(1, draw(st.sampled_from([3, 40, 150])))
    ancestors = [[f"w{begin + number}" for number in range(draw(sizes))] for begin in (0, 20, 1000)]
    objects = []
    for number in range(draw(st.integers(1, 12))):
        words = list(draw(st.sampled_from(ancestors)))
        del words[: draw(st.integers(0, len(words) // 4))]
        words += [f"new{number}and{extra}" for extra in range(draw(st.integers(0, len(words) // 4)))]
        objects.append({"background": " ".join(words)})
    return objects


@given(OBJECTS | relatives())
def test_what_is_found_is_what_comparing_with_each_would_find(objects: list[dict[str, str]]) -> None:
    known = Likeness()
    words = [features_of(each) for each in objects]

    for number, each in enumerate(objects):
        expected = [n for n in range(number) if likeness(words[n], words[number]) >= LIKE]
        features = known.features(each)
        assert known.near_equal(features) == min(expected, default=None)
        known.add(number, features)


@pytest.mark.parametrize("size", [*range(1, 70), 127, 128, 500])
@pytest.mark.parametrize("is_near", [True, False])
def test_the_border_is_where_four_fifths_are_common(size: int, is_near: bool) -> None:
    """One word more in the other object is the whole difference between near-equal and not."""
    words = [f"w{number}" for number in range(size)]
    most = size // 4  # new words beside all of these
    other = [*words, *(f"new{number}" for number in range(most + (not is_near)))]

    assert near({"name": " ".join(words)}, {"name": " ".join(other)}) is is_near
    assert near({"name": " ".join(other)}, {"name": " ".join(words)}) is is_near


@given(
    st.integers(1, 30),
    st.lists(st.frozensets(st.integers(1, 60), min_size=1, max_size=20), min_size=1, max_size=20),
    st.data(),
)
def test_a_band_misses_none_that_differs_in_few_features(
    groups: int, objects: list[frozenset[int]], data: st.DataObject
) -> None:
    band = Band(groups)
    for number, features in enumerate(objects):
        band.add(number, sorted(features))
    own = data.draw(st.sampled_from(objects) | st.frozensets(st.integers(1, 60), min_size=1, max_size=20))
    most = data.draw(st.integers(0, groups - 1))

    near = band.near(sorted(own), most)

    assert {number for number, features in enumerate(objects) if len(features ^ own) <= most} <= near


def test_a_band_looks_at_few_of_many_that_have_little_in_common() -> None:
    random = Random(1)
    band = Band(22)
    looked_at = 0

    for number in range(5000):
        features = sorted({*random.sample(range(10_000), 40), *random.sample(range(20), 10)})  # the latter are common
        looked_at += len(band.near(features, 11))
        band.add(number, features)

    assert looked_at < 5000  # and not 5000 * 5000 / 2


@given(st.dictionaries(st.sampled_from("ab"), WORDS), st.dictionaries(st.sampled_from("ab"), WORDS))
def test_likeness_goes_both_ways_and_is_one_only_of_the_same_words(one: dict[str, str], other: dict[str, str]) -> None:
    a, b = features_of(one), features_of(other)

    assert likeness(a, b) == likeness(b, a)
    assert (likeness(a, b) == 1) == (a == b)
