"""Which scenario each dialog of a run is played from, as the journal keeps it: recipes, and rows that name them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import entry_points
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from ..errors import SetupError
from ..journal.file import JournalFile, PlanRow

if TYPE_CHECKING:
    from ..performance import Playable

__all__ = ["Cycle", "Plan", "fingerprint", "scenario_maker"]

S = TypeVar("S")
Maker = Callable[[Mapping[str, Any], Sequence[object]], "Playable"]
_SCENARIOS_KEPT = 1024


class Cycle(Sequence[S]):
    """So many scenarios, taken in turn from a few."""

    def __init__(self, scenarios: Sequence[S], count: int) -> None:
        self.scenarios = scenarios
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> S: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[S]: ...
    def __getitem__(self, place: int | slice) -> S | Sequence[S]:
        numbers = range(self._count)[place]
        if isinstance(numbers, range):
            return [self.scenarios[number % len(self.scenarios)] for number in numbers]
        return self.scenarios[numbers % len(self.scenarios)]

    def __iter__(self) -> Iterator[S]:
        return islice(cycle(self.scenarios), self._count)


class Plan:
    """The rows of a plan, taken in turn; the scenarios are made of their recipes when they are wanted.

    code: functions and classes that recipes name and no journal holds.
    """

    def __init__(self, recipes: list[str], rows: list[PlanRow], code: Sequence[object] = ()) -> None:
        self.recipes = recipes
        self.rows = rows
        self._code = code
        self._made: dict[tuple[int, int | None], Playable] = {}

    @classmethod
    def of(cls, file: JournalFile, code: Sequence[object] = ()) -> Plan:
        return cls(file.scenarios(), file.plan(), code)

    def row(self, number: int) -> PlanRow:
        return self.rows[number % len(self.rows)]

    def scenario(self, number: int) -> Playable:
        """The scenario of a dialog. Raises `CodeMissing` when it needs code that was not given."""
        row = self.row(number)
        key = (row.scenario, row.seed)
        if key not in self._made:
            if len(self._made) >= _SCENARIOS_KEPT:
                self._made.clear()
            recipe = json.loads(self.recipes[row.scenario])
            self._made[key] = scenario_maker()({**recipe, "seed": row.seed}, self._code)
        return self._made[key]


def scenario_maker() -> Maker:
    """The engine knows the name of the plug that turns recipes into scenarios, never what is plugged in."""
    plugs = entry_points(group="playact.engine", name="make_scenario")
    if not plugs:
        raise SetupError("playact is not installed as a package; run `pip install -e .` in its folder")
    return cast("Maker", next(iter(plugs)).load())


def fingerprint(file: JournalFile) -> str:
    """64 hexadecimal digits over what decides the content of a run: seed, model, scenarios."""
    config = file.config()
    content = [config["seed"], config["model"], file.scenarios(), [[r.scenario, r.seed] for r in file.plan()]]
    return sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()
