"""A population: which combinations of attributes there are to be, and how many of each."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any, Self

from ...engine.dialog.table import why_none
from ...engine.errors import FileInvalid

__all__ = ["Population", "Quota", "refuse_too_many"]

_COUNT, _WEIGHT = "count", "weight"
_MOST = 1_000_000  # objects of one generation, which are all settled at its beginning, at once


@dataclass(frozen=True, kw_only=True)
class Quota:
    """One combination: its attributes, as values or rules, and its count, or its weight among the others."""

    attributes: Mapping[str, Any]
    count: int | None = None
    weight: float | None = None

    def __post_init__(self) -> None:
        if (self.count is None) == (self.weight is None):
            raise ValueError(f"a quota has a count or a weight, one of them: {dict(self.attributes)}")
        size = self.count if self.weight is None else self.weight
        if not isinstance(size, int | float) or isinstance(size, bool) or not 0 <= size < math.inf:
            raise ValueError(f"a count or a weight is a number from 0 on: {dict(self.attributes)} has {size!r}")
        if self.count is not None and not isinstance(self.count, int):
            raise ValueError(f"a count is a whole number: {dict(self.attributes)} has {self.count!r}; or say weight")

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.attributes.items())


class Population:
    """A table of quotas, all with counts or all with weights: a joint distribution.

    Rows are `Quota`s, or mappings with a key `count` or `weight` among the attributes:
    `Population([{"gender": "female", "age": "{20-39}", "weight": 0.3}, ...])`. Raises ValueError for what is none.
    """

    def __init__(self, rows: Iterable[Quota | Mapping[str, Any]]) -> None:
        self.quotas = tuple(row if isinstance(row, Quota) else _quota(row) for row in rows)
        if not self.quotas:
            raise ValueError("a population needs at least one row")
        if len({quota.count is None for quota in self.quotas}) > 1:
            raise ValueError("the rows of a population have counts, all of them, or weights")
        if not any(quota.count or quota.weight for quota in self.quotas):
            raise ValueError("all rows of the population are empty; one at least needs a count or a weight above 0")

    @classmethod
    def from_marginals(cls, *marginals: Mapping[str, Mapping[Any, float]], **more: Mapping[Any, float]) -> Self:
        """Attributes that do not depend on each other, each with the weights of its values.

        `Population.from_marginals(gender={"female": 0.5, "male": 0.5}, age={"{18-39}": 2, "{40-90}": 3})`
        """
        by_name: dict[str, Mapping[Any, float]] = {}
        for each in (*marginals, more):
            by_name |= each
        rows = []
        for combination in product(*(weights.items() for weights in by_name.values())):
            attributes = {name: value for name, (value, _) in zip(by_name, combination, strict=True)}
            weight = reduce(lambda one, other: one * other, (weight for _, weight in combination), 1.0)
            rows.append(Quota(attributes=attributes, weight=weight))
        return cls(rows)

    @classmethod
    def from_csv(cls, path: str | Path, *, separator: str = ",") -> Self:
        """A table with a column `count` or `weight`, and one for each attribute; its first row has the names.

        An empty cell says nothing of its attribute. Raises `FileInvalid` with the line of what is wrong.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except OSError as error:
            raise FileInvalid(str(path), None, f"cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise FileInvalid(str(path), None, "is not UTF-8 text") from error
        reader = csv.DictReader(StringIO(text, ""), delimiter=separator, restkey="")
        rows = []
        try:
            for row in reader:
                rows.append(_quota(_typed(row)))
        except csv.Error as error:
            raise FileInvalid(str(path), reader.reader.line_num, f"is no table: {why_none(error)}") from error
        except ValueError as error:
            raise FileInvalid(str(path), reader.line_num, str(error)) from error
        try:
            return cls(rows)
        except ValueError as error:
            raise FileInvalid(str(path), None, str(error)) from error

    @classmethod
    def from_dict(cls, content: Any) -> Self:
        """Out of plain data, such as a scenario file has: a list of rows, `{"csv": PATH}`, or `{"marginals": {...}}`.

        Raises ValueError, and `FileInvalid`.
        """
        if isinstance(content, list | tuple):
            return cls(content)
        if isinstance(content, Mapping) and len(content) == 1:
            ((name, value),) = content.items()
            if name == "csv" and isinstance(value, str):
                return cls.from_csv(value)
            if name == "marginals" and isinstance(value, Mapping):
                return cls.from_marginals(value)
        raise ValueError("a population is a list of rows, or {csv: PATH}, or {marginals: {attribute: {value: weight}}}")

    @property
    def total(self) -> int | None:
        """How many there are to be by the counts; None for weights, which leave that open."""
        counts = [quota.count for quota in self.quotas if quota.count is not None]
        return sum(counts) if counts else None

    def counts(self, n: int | None = None) -> list[int]:
        """How many of each row, so that there are just `n`.

        By weights each row gets what is due to it, rounded down; those left over go to the rows with the largest
        remainders, of equal ones to the earlier. Raises ValueError when the counts say another number.
        """
        total = self.total
        if total is not None:
            if n not in (None, total):
                raise ValueError(f"the counts of the population come to {total}, not {n}; say weights for any number")
            return [quota.count or 0 for quota in self.quotas]
        if n is None:
            raise ValueError("a population by weights does not say how many there are to be; say n")
        weights = [Fraction(quota.weight or 0) for quota in self.quotas]
        due = [weight * n / sum(weights) for weight in weights]
        counts = [math.floor(share) for share in due]
        order = sorted(range(len(due)), key=lambda place: (counts[place] - due[place], place))
        for place in order[: n - sum(counts)]:
            counts[place] += 1
        return counts

    def places(self, n: int | None = None) -> list[int]:
        """The row of each object, mixed so that any first part of them has about the shares of the whole.

        Raises ValueError as `counts` does, and for more than a million.
        """
        counts = self.counts(n)
        refuse_too_many(sum(counts))
        spread = [
            (Fraction(2 * number + 1, 2 * count), row) for row, count in enumerate(counts) for number in range(count)
        ]
        return [row for _, row in sorted(spread)]

    def to_dict(self) -> list[dict[str, Any]]:
        """The rows as plain data; `Population.from_dict` has them back."""
        return [
            {**quota.attributes, **({_WEIGHT: quota.weight} if quota.count is None else {_COUNT: quota.count})}
            for quota in self.quotas
        ]

    def __iter__(self) -> Iterator[Quota]:
        return iter(self.quotas)

    def __repr__(self) -> str:
        return f"<Population of {len(self.quotas)} rows>"


def refuse_too_many(n: int) -> None:
    """Raises ValueError for more objects than one generation makes."""
    if n > _MOST:
        raise ValueError(
            f"one generation makes {_MOST:,} objects at most, not {n:,}; make several, each with a seed of its own"
        )


def _quota(row: Mapping[str, Any]) -> Quota:
    if not isinstance(row, Mapping):
        raise ValueError(f"a row of a population is a mapping of attributes, with a count or a weight: {row!r}")  # noqa: TRY004
    attributes = {name: value for name, value in row.items() if name not in (_COUNT, _WEIGHT)}
    return Quota(attributes=attributes, count=row.get(_COUNT), weight=row.get(_WEIGHT))


def _typed(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a table's row says; whole numbers are numbers."""
    if "" in row or None in row.values():
        raise ValueError("the row has more or fewer cells than the first row")
    said: dict[str, Any] = {name: value.strip() for name, value in row.items() if value.strip()}
    for name, kind in ((_COUNT, int), (_WEIGHT, float)):
        if name in said:
            try:
                said[name] = kind(said[name])
            except ValueError:
                raise ValueError(f"{name} is {said[name]!r}, which is no {'whole ' * (kind is int)}number") from None
    return {name: int(value) if _is_whole(value) else value for name, value in said.items()}


def _is_whole(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip("-").isdecimal() and str(int(value)) == value
