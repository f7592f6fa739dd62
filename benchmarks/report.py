"""What every benchmark says of itself: the machine, the versions, and a table."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

__all__ = ["Report", "machine", "print_table"]


def machine(*packages: str) -> dict[str, str]:
    """Where and with what this ran; packages that are not installed are left out."""
    facts = {
        "processors": f"{os.cpu_count()} x {_processor()}",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for package in ("playact", "anyio", *packages):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            continue
    return facts


def print_table(rows: Sequence[Mapping[str, object]], about: Mapping[str, str]) -> None:
    """Prints rows that have the same columns, the machine below them."""
    columns = list(rows[0])
    cells = [columns, *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    print(_sentence(about))


class Report:
    """Prints rows that have the same columns as they come, and the machine and versions at the end.

    As JSON each is a line of its own: the rows, then the machine.
    """

    def __init__(self, *packages: str, is_json: bool) -> None:
        self._packages = packages
        self._is_json = is_json
        self._widths: list[int] = []

    async def run(self, rows: AsyncIterator[Mapping[str, object]]) -> None:
        async for row in rows:
            self.add(row)
        self.end(machine(*self._packages))

    def add(self, row: Mapping[str, object]) -> None:
        if self._is_json:
            print(json.dumps(row), flush=True)
            return
        cells = [_cell(value) for value in row.values()]
        if not self._widths:
            self._widths = [max(map(len, pair)) for pair in zip(row, cells, strict=True)]
            self._print(list(row))
        self._print(cells)

    def end(self, about: Mapping[str, str]) -> None:
        print(json.dumps({"machine": about}) if self._is_json else _sentence(about), flush=True)

    def _print(self, cells: Sequence[str]) -> None:
        print("  ".join(cell.rjust(width) for cell, width in zip(cells, self._widths, strict=True)), flush=True)


def _sentence(about: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in about.items())


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown"
