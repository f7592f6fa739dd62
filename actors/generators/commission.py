"""What a generation is asked for: so many objects of a blueprint, shared out as a population says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self, overload

from ...engine.errors import JournalInvalid
from ...engine.seeds import derive
from .blueprint import Blueprint
from .making import Making
from .population import Population, refuse_too_many

__all__ = ["Commission", "Repeats"]

Repeats = Literal["avoid", "refuse", "allow"]
_NO_CELL: Mapping[str, Any] = {}


@dataclass(frozen=True, kw_only=True)
class Commission:
    """Plain data, but for what the blueprint names.

    seed: decides all choices; None leaves them to the run's seed. attempts: how often one object may be made.
    repeats: what becomes of an object that is near-equal to another, see `Likeness`: "avoid" has it made again, and
        takes it as it is after the last attempt; "refuse" counts it as not made then; "allow" does not look.
    id, parent_id, notes: for the metadata.
    """

    blueprint: Blueprint
    n: int
    population: Population | None = None
    seed: int | None = None
    attempts: int = 3
    repeats: Repeats = "avoid"
    id: int | str | None = None
    parent_id: int | str | None = None
    notes: str | None = None

    def check(self) -> None:
        """Raises ValueError for what no generation can come to."""
        for name, count in (("n", self.n), ("max_attempts", self.attempts)):
            if not isinstance(count, int) or isinstance(count, bool):
                raise ValueError(f"{name} is a whole number, as in {name}=3, not {count!r}")  # noqa: TRY004
        if self.n < 1 or self.attempts < 1:
            raise ValueError(f"n and max_attempts are 1 at least, not {self.n} and {self.attempts}")
        refuse_too_many(self.n)
        if self.id is not None and self.n > 1:
            raise ValueError("an id is for one object; leave it out for several, which have ids of their own")
        if self.repeats not in ("avoid", "refuse", "allow"):
            raise ValueError(f'repeats is "avoid", "refuse" or "allow", not {self.repeats!r}')
        self.blueprint.check()
        for quota in self.population or ():
            self.blueprint.draft(quota.attributes)

    def cell(self, index: int) -> Mapping[str, Any]:
        """What the population says of an object."""
        return _NO_CELL if self.population is None else self.population.quotas[self._rows[index]].attributes

    def cell_name(self, index: int) -> str:
        return "" if self.population is None else str(self.population.quotas[self._rows[index]])

    def makings(self) -> Sequence[Making]:
        """Each object for the first time."""
        return _Makings(self)

    def making(self, index: int) -> Making:
        seed = self.seed if self.seed is None or self.n == 1 else derive(self.seed, "generated", index)
        return Making(blueprint=self.blueprint, seed=seed, cell=self.cell(index))

    def again(self, index: int, seed: int, variant: int, unlike: tuple[Mapping[str, Any], ...]) -> Making:
        """An object once more; `seed` is that of the first time."""
        return Making(
            blueprint=self.blueprint,
            seed=derive(seed, "variant", variant),
            cell=self.cell(index),
            variant=variant,
            unlike=unlike,
        )

    @cached_property
    def asks(self) -> bool:
        """Whether a model is asked, and not rules alone."""
        cells = [_NO_CELL] if self.population is None else [quota.attributes for quota in self.population]
        return any(self.blueprint.draft(cell).steps.by_model for cell in cells)

    @cached_property
    def fixed(self) -> frozenset[str]:
        """The attributes that are the same in all objects."""
        return frozenset(self.blueprint.given)

    def memo(self) -> dict[str, Any]:
        """As JSON, for the journal."""
        from ..recipes import plain

        return {
            "blueprint": self.blueprint.recipe,
            "n": self.n,
            "population": None if self.population is None else plain(self.population.to_dict()),
            "seed": self.seed,
            "attempts": self.attempts,
            "repeats": self.repeats,
            "id": self.id,
            "parent_id": self.parent_id,
            "notes": self.notes,
        }

    @classmethod
    def from_memo(cls, memo: Any, code: Sequence[object] = ()) -> Self:
        """Raises `CodeMissing`, and `JournalInvalid` for what is no memo."""
        from ..recipes import value_from

        try:
            rows = value_from(memo["population"], code)
            blueprint = value_from(memo["blueprint"], code)
            population = None if rows is None else Population(rows)
            return cls(**{**memo, "blueprint": blueprint, "population": population})
        except (KeyError, TypeError, ValueError) as error:
            raise JournalInvalid("the journal", f"holds no generation: {error}") from error

    @cached_property
    def _rows(self) -> list[int]:
        return [] if self.population is None else self.population.places(self.n)


class _Makings(Sequence[Making]):
    """Made when they are wanted, for there may be many."""

    def __init__(self, commission: Commission) -> None:
        self._commission = commission

    def __len__(self) -> int:
        return self._commission.n

    @overload
    def __getitem__(self, place: int) -> Making: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Making]: ...
    def __getitem__(self, place: int | slice) -> Making | Sequence[Making]:
        numbers = range(self._commission.n)[place]
        if isinstance(numbers, range):
            return [self._commission.making(number) for number in numbers]
        return self._commission.making(numbers)
