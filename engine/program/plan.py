"""Which scenario each dialog of a run is played from, as the journal keeps it: recipes, and rows that name them."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b, sha256
from importlib.metadata import entry_points
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from ..errors import JournalInvalid, SetupError
from ..journal.file import JournalFile
from .fork import Fork

if TYPE_CHECKING:
    from ..performance import Playable

__all__ = ["Cycle", "Plan", "encoded_recipe", "fingerprint", "scenario_of"]

S = TypeVar("S")
_RECIPES_KEPT = 1024


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
    """The plan that a journal holds: dialog n is played from row n modulo the number of rows.

    Holds 8 bytes and a seed for each row, and 8 bytes for each recipe; the recipes themselves are read when their
    dialogs are wanted.
    """

    def __init__(self, file: JournalFile) -> None:
        self._file = file
        self._recipes = array("q")
        self._seeds: list[int | None] = []
        for row in file.plan():
            self._recipes.append(row.scenario)
            self._seeds.append(row.seed)
        self._digests = array("Q", map(_digest, file.scenarios()))
        self._known: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._recipes)

    def row(self, number: int) -> tuple[int, int | None]:
        """Recipe and seed of a dialog."""
        place = number % len(self._recipes)
        return self._recipes[place], self._seeds[place]

    def is_planned(self, number: int, scenario: Playable) -> bool:
        """Whether a dialog was planned with just this scenario."""
        recipe, seed = self.row(number)
        return scenario.seed == seed and self._digests[recipe] == _digest(encoded_recipe(scenario))

    def recipes(self, numbers: Iterable[int]) -> dict[int, dict[str, Any]]:
        """What some dialogs are to be played from, by number; needs the file."""
        wanted = {number: self.row(number) for number in numbers}
        missing = {recipe for recipe, _ in wanted.values()} - self._known.keys()
        if missing:
            if len(self._known) >= _RECIPES_KEPT:
                self._known.clear()
                missing = {recipe for recipe, _ in wanted.values()}
            self._known |= self._file.recipes(missing)
        try:
            known = {recipe: json.loads(self._known[recipe]) for recipe, _ in wanted.values()}
            return {number: {**known[recipe], "seed": seed} for number, (recipe, seed) in wanted.items()}
        except (ValueError, TypeError, RecursionError) as error:
            raise _no_recipe(error) from error


def scenario_of(recipe: Mapping[str, Any], code: Sequence[object], *, plays: bool = True) -> Playable:
    """The scenario that a recipe is of; without `plays` it need only know its cast and where and why it meets.

    Raises `CodeMissing` when it needs code that was not given, `JournalInvalid` for what is no recipe.
    """
    try:
        if Fork.is_recipe(recipe):
            return Fork.from_recipe(recipe, lambda inner: scenario_of(inner, code, plays=plays))
        return _scenario_maker()(recipe, code, plays)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, AssertionError) as error:
        raise _no_recipe(error) from error


def _no_recipe(error: Exception) -> JournalInvalid:
    return JournalInvalid("the journal", f"has a scenario that cannot be understood: {error}")


def encoded_recipe(scenario: Playable) -> str:
    """In the order in which it has its parts: that of a mapping may show in a prompt."""
    return json.dumps(scenario.recipe(), separators=(",", ":"))


def fingerprint(file: JournalFile) -> str:
    """64 hexadecimal digits over what decides the content of a run: seed, model, scenarios, prompts of one's own."""
    config = file.config()
    content = [config["seed"], config["model"], file.scenarios(), [[r.scenario, r.seed] for r in file.plan()]]
    if config.get("prompts"):
        content.append(config["prompts"])
    return sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


@lru_cache(maxsize=1)
def _scenario_maker() -> Callable[[Mapping[str, Any], Sequence[object], bool], Playable]:
    """The engine knows the name of the plug that turns recipes into scenarios, never what is plugged in."""
    plugs = entry_points(group="playact.engine", name="make_scenario")
    if not plugs:
        raise SetupError("playact is not installed as a package; run `pip install -e .` in its folder")
    return cast("Callable[[Mapping[str, Any], Sequence[object], bool], Playable]", next(iter(plugs)).load())


def _digest(recipe: str) -> int:
    return int.from_bytes(blake2b(recipe.encode(), digest_size=8).digest(), "big")
