"""The rows of a journal's file, each with a checksum of its own when it is stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any
from zlib import crc32

from .entry import Entry

__all__ = ["Batch", "DialogRow", "PlanRow", "checksum", "sealed", "sealed_dialog", "sealed_entry"]


@dataclass(frozen=True, slots=True)
class DialogRow:
    """`first` and `last` are positions in the log; `last`, `reason` and `digest` are None until the dialog is over."""

    number: int
    id: str
    seed: int
    parent: str | None
    first: int
    last: int | None = None
    reason: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class PlanRow:
    place: int
    scenario: int
    seed: int | None


@dataclass(slots=True)
class Batch:
    """What is to become durable together."""

    scenarios: list[tuple[int, str]] = field(default_factory=list)
    plan: list[PlanRow] = field(default_factory=list)
    dialogs: dict[int, DialogRow] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)


def checksum(row: Iterable[Any]) -> int:
    """CRC-32, which no single flipped bit escapes; the form of each value tells 1, 1.0 and "1" apart."""
    return crc32("\x1f".join([f"'{value}" if type(value) is str else repr(value) for value in row]).encode("utf-8"))


def sealed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The row with its checksum at its end."""
    return (*row, checksum(row))


def sealed_entry(entry: Entry) -> tuple[Any, ...]:
    """As `sealed`, in half the time: there are several for each turn."""
    position, dialog, time, kind, body = entry
    time = float(time) + 0.0  # SQLite gives it back as a float that is not minus zero, and the checksum is of that
    text = f"{position}\x1f{dialog}\x1f{time!r}\x1f'{kind}\x1f'{body}"
    return (position, dialog, time, kind, body, crc32(text.encode("utf-8")))


def sealed_dialog(row: DialogRow) -> tuple[Any, ...]:
    return sealed(_values(row))


_values = attrgetter("number", "id", "seed", "parent", "first", "last", "reason", "digest")
