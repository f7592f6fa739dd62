"""Quotas and joint distributions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.actors.generators import Population, Quota
from playact.engine.errors import FileInvalid


def test_counts_are_as_the_table_says() -> None:
    population = Population([{"gender": "f", "count": 3}, {"gender": "m", "count": 0}, {"gender": "x", "count": 2}])

    assert population.total == 5
    assert population.counts() == population.counts(5) == [3, 0, 2]


def test_weights_give_each_row_its_share_and_the_rest_to_the_largest_remainders() -> None:
    population = Population(
        [{"age": "{20-39}", "weight": 0.5}, {"age": "{40-59}", "weight": 0.3}, {"age": 70, "weight": 0.2}]
    )

    assert population.counts(10) == [5, 3, 2]
    assert population.counts(4) == [2, 1, 1]
    assert population.counts(1) == [1, 0, 0]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=12).filter(any), st.integers(0, 500))
def test_counts_by_weight_come_to_n_and_each_is_within_one_of_its_share(weights: list[float], n: int) -> None:
    population = Population([{"role": f"r{place}", "weight": weight} for place, weight in enumerate(weights)])

    counts = population.counts(n)

    assert sum(counts) == n
    total = sum(weights)
    assert all(abs(count - weight * n / total) < 1 + 1e-6 for count, weight in zip(counts, weights, strict=True))


def test_any_first_part_of_the_objects_has_about_the_shares_of_the_whole() -> None:
    population = Population([{"gender": "f", "count": 750}, {"gender": "m", "count": 250}])

    first = Counter(population.places()[:100])

    assert first == {0: 75, 1: 25}


def test_marginals_make_the_joint_distribution_of_attributes_that_do_not_depend_on_each_other() -> None:
    population = Population.from_marginals(gender={"f": 1, "m": 1}, age={"{18-39}": 0.4, "{40-90}": 0.6})

    assert population.counts(10) == [2, 3, 2, 3]
    assert next(quota.attributes for quota in population) == {"gender": "f", "age": "{18-39}"}


def test_a_table_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "census.csv").write_text("gender,age,count\nf,{20-39},2\nm,,3\nx,44,1\n", encoding="utf-8")

    population = Population.from_csv(tmp_path / "census.csv")

    assert population.to_dict() == [
        {"gender": "f", "age": "{20-39}", "count": 2},
        {"gender": "m", "count": 3},
        {"gender": "x", "age": 44, "count": 1},
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("gender,count\nf,2\nm,many\n", 3),
        ("gender,count\nf\n", 2),
        ("gender,age\nf,4\n", 2),
        ("gender,count\nf,-1\n", 2),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "census.csv").write_text(text, encoding="utf-8")

    with pytest.raises(FileInvalid) as caught:
        Population.from_csv(tmp_path / "census.csv")

    assert caught.value.line == line


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([], "at least one row"),
        ([{"gender": "f"}], "a count or a weight"),
        ([{"gender": "f", "count": 1, "weight": 1}], "a count or a weight"),
        ([{"gender": "f", "count": 1}, {"gender": "m", "weight": 1}], "all of them"),
        ([{"gender": "f", "weight": 0}], "all rows of the population are empty"),
        ([{"gender": "f", "weight": float("nan")}], "from 0 on"),
        (["f"], "a row of a population is a mapping"),
        ([{"gender": "f", "count": 2.5}], "a count is a whole number: {'gender': 'f'} has 2.5"),
        ([{"gender": "f", "count": 2.0}], "a count is a whole number"),
    ],
)
def test_a_table_that_is_none_is_refused(rows: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Population(rows)


def test_a_population_of_more_than_anybody_can_make_is_refused_before_it_is_shared_out() -> None:
    with pytest.raises(ValueError, match="one generation makes 1,000,000 objects at most, not 10,000,000,000,000"):
        Population([{"gender": "f", "count": 10**13}]).places()


def test_counts_that_come_to_another_number_are_refused() -> None:
    with pytest.raises(ValueError, match="come to 3, not 4; say weights"):
        Population([{"gender": "f", "count": 3}]).counts(4)


def test_plain_data_makes_a_population_again() -> None:
    population = Population([Quota(attributes={"gender": "f"}, weight=0.25), {"gender": "m", "weight": 0.75}])

    assert Population.from_dict(population.to_dict()).counts(8) == [2, 6]
    assert Population.from_dict({"marginals": {"gender": {"f": 1, "m": 3}}}).counts(8) == [2, 6]
    with pytest.raises(ValueError, match="a population is a list of rows"):
        Population.from_dict({"rows": []})
