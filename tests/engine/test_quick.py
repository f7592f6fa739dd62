"""Values that are made quickly are in everything else as `dataclass` makes them."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from playact.engine.quick import quick


@dataclass(frozen=True, slots=True)
class Slow:
    place: int
    name: str = "none"
    tags: list[str] = field(default_factory=list, kw_only=True)
    weight: float = field(default=1.0, kw_only=True)


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    place: int
    name: str = "none"
    tags: list[str] = field(default_factory=list, kw_only=True)
    weight: float = field(default=1.0, kw_only=True)


@quick
@dataclass(frozen=True, slots=True)
class Pair:
    left: int
    right: int = 2


def test_a_quick_value_takes_the_arguments_and_defaults_that_its_dataclass_takes() -> None:
    assert repr(Quick(1)) == "Quick(place=1, name='none', tags=[], weight=1.0)"
    assert repr(Quick(name="n", place=1, tags=["t"], weight=2)) == "Quick(place=1, name='n', tags=['t'], weight=2)"
    assert inspect.signature(Quick) == inspect.signature(Slow)


def test_what_a_factory_makes_is_not_shared() -> None:
    first, second = Quick(1), Quick(1)

    first.tags.append("first")

    assert second.tags == []


@pytest.mark.parametrize("arguments", [(), (1, "n", [])])
def test_wrong_arguments_are_refused_in_the_words_of_the_dataclass(arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError) as slow:
        Slow(*arguments)  # type: ignore[arg-type]

    with pytest.raises(TypeError) as quickly:
        Quick(*arguments)  # type: ignore[arg-type]

    assert str(quickly.value) == str(slow.value).replace("Slow", "Quick")


def test_a_quick_value_is_frozen() -> None:
    pair = Pair(1)

    with pytest.raises(FrozenInstanceError):
        pair.left = 3  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del pair.left


def test_a_quick_value_is_compared_hashed_matched_replaced_copied_and_pickled_as_others() -> None:
    pair = Pair(1)

    match pair:
        case Pair(left, right):
            assert (left, right) == (1, 2)
    assert pair == Pair(1, 2) != Pair(1, 3)
    assert hash(pair) == hash((1, 2))
    assert replace(pair, right=3) == Pair(1, 3)
    assert copy.deepcopy(pair) == pickle.loads(pickle.dumps(pair)) == pair  # noqa: S301  # our own bytes
