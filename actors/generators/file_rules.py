"""Rules that draw from what a file holds; it is read at the first draw, and again when it has changed."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from pathlib import Path
from random import Random

from ...engine.dialog.table import why_none
from ...engine.wording import meant

__all__ = ["Cell", "FromFile", "Line"]


class FromFile(ABC):
    """One of the texts that a UTF-8 file has for it, each as likely as the others."""

    path: str

    @abstractmethod
    def texts(self, content: str) -> list[str]:
        """Those of a file with this content, blank ones too. Raises ValueError for a file that is of another kind."""

    @property
    @abstractmethod
    def lack(self) -> str:
        """What is said of a file that has none of them."""

    @property
    def values(self) -> list[str]:
        """What there is to choose from. Raises ValueError when that is nothing, or the file cannot be read."""
        try:
            return _read(self, Path(self.path).stat().st_mtime_ns)
        except OSError as error:
            raise ValueError(f"{self.path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.path} is not UTF-8 text") from error

    def draw(self, random: Random) -> str:
        """Raises ValueError, as `values` does."""
        return random.choice(self.values)


@dataclass(frozen=True)
class Line(FromFile):
    """A line of a text file that is not blank."""

    path: str

    @property
    def lack(self) -> str:
        return f"{self.path} has no line"

    def texts(self, content: str) -> list[str]:
        return [line.strip() for line in content.splitlines()]


@dataclass(frozen=True)
class Cell(FromFile):
    """A cell of a table's column that is not blank.

    A column that is a number, from 0, is taken by its place, and the first row is a row like the others; one that is a
    name is that of the first row.
    """

    column: str
    path: str
    separator: str = ","

    @property
    def lack(self) -> str:
        return f"column {self.column} of {self.path} has no value"

    def texts(self, content: str) -> list[str]:
        try:
            rows = [row for row in csv.reader(StringIO(content, ""), delimiter=self.separator) if row]
        except csv.Error as error:
            raise ValueError(f"{self.path} is no table: {why_none(error)}") from error
        return list(self._by_place(rows) if self.column.isdigit() else self._by_name(rows))

    def _by_place(self, rows: list[list[str]]) -> Iterator[str]:
        place, widest = int(self.column), max(map(len, rows), default=0)
        if place >= widest:
            raise ValueError(f"{self.path} has {widest} columns; there is none at place {place}, counted from 0")
        return (row[place] for row in rows if place < len(row))

    def _by_name(self, rows: list[list[str]]) -> Iterator[str]:
        header, *rows = rows or [[]]
        if self.column not in header:
            raise ValueError(f"{self.path} has no column {self.column!r}; {meant(self.column, header)}")
        place = header.index(self.column)
        return (row[place] for row in rows if place < len(row))


@lru_cache(maxsize=64)
def _read(rule: FromFile, changed: int) -> list[str]:
    texts = [text for text in rule.texts(Path(rule.path).read_text(encoding="utf-8-sig")) if text.strip()]
    if not texts:
        raise ValueError(f"{rule.lack} to choose from")
    return texts
