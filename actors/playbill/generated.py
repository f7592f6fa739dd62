"""People and settings that a scenario file leaves to a generator."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from ...engine.completion import Parameters
from ...engine.errors import SetupError
from ..problem import problem

if TYPE_CHECKING:
    from ..generators import AttributeModelGenerator, Population

__all__ = ["GeneratedContexts", "GeneratedPersonas"]

_FILE = re.compile(r"(\{\{?(?:txt|(?:csv|tsv):[^:]+):)([^}]+)(\}\}?)")
_MOST = 1_000_000  # they are all there before the first dialog begins
_STAND_IN = "something that a model is to write"


class _Generated(BaseModel, ABC):
    """What is generated before the dialogs begin, which take it in turn.

    n: how many; else as many as the counts of the population come to, or as there are dialogs.
    given: attributes that all have, as they are.
    rules: how other attributes are found: "*" or "{llm:HINT}" by the model, a list to choose from, "{20-30}",
        "{txt:FILE}", "{csv:COLUMN:FILE}"; anything else is the value itself.
    generated_attributes: "all", so that the model writes whatever has no rule, or the names of what it is to write.
    population: how many are to have which attributes: rows with a `count` or `weight`, {csv: FILE}, {marginals: ...}.
    repeats: what becomes of one that is near-equal to another: made again ("avoid"), refused, or allowed.
    max_attempts: how often one may be made.
    extra_instructions: said to the model besides.
    model: what writes them, else the model of the run.
    model_parameters: how that samples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    n: Annotated[int, Field(ge=1, le=_MOST)] | None = None
    given: dict[str, Any] = Field(default_factory=dict)
    rules: dict[str, Any] = Field(default_factory=dict)
    generated_attributes: Literal["all"] | list[str] = "all"
    population: list[dict[str, Any]] | dict[str, Any] | None = None
    repeats: Literal["avoid", "refuse", "allow"] | None = None
    max_attempts: Annotated[int, Field(ge=1)] = 3
    extra_instructions: str | None = None
    model: str | None = None
    model_parameters: Parameters = Parameters()

    @model_validator(mode="before")
    @classmethod
    def _with_files(cls, content: Any, info: ValidationInfo) -> Any:
        """Files that it names are looked for beside the scenario file."""
        folder = (info.context or {}).get("folder")
        return content if folder is None or not isinstance(content, Mapping) else _beside(folder, content)

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        """Raises pydantic's `ValidationError`, with the place, for rules and quotas that come to nothing."""
        for name, rule in self.rules.items():
            if isinstance(rule, Mapping) and list(rule.values()) in ([None], []):
                written = "{" + "".join(rule) + "}"
                raise problem(f"the rule for {name} needs quotes, as in '{written}'", "rules", name)
        try:
            self._try_out()
        except (SetupError, ValueError) as error:
            raise problem(str(error), *self._culprit()) from error
        return self

    def _try_out(self) -> None:
        """Raises what making one of each would."""
        blueprint = self.generator().blueprint
        for quota in self.quotas() or ():
            blueprint.draft(quota.attributes)

    def _culprit(self) -> tuple[int | str, ...]:
        """Where the one thing is that cannot be made even alone; () when it is how several go together."""
        rows = self.population if isinstance(self.population, list) else []
        tried: list[tuple[tuple[int | str, ...], dict[str, Any]]] = [
            (("class",), {}),
            (("generated_attributes",), {"generated_attributes": self.generated_attributes}),
            *((("rules", name), {"rules": {name: rule}}) for name, rule in self.rules.items()),
            *((("given", name), {"given": {name: value}}) for name, value in self.given.items()),
            *((("population", place), {"population": [row]}) for place, row in enumerate(rows)),
            (("population",), {"population": self.population}),
        ]
        bare: dict[str, Any] = {"rules": {}, "given": {}, "population": None, "generated_attributes": "all"}
        for place, part in tried:
            try:
                self.model_copy(update=bare | part)._try_out()
            except (SetupError, ValueError):
                return place
        return ()

    @abstractmethod
    def generator(self) -> AttributeModelGenerator[Any]:
        """Raises ValueError and `SetupError` for what cannot be generated."""

    def quotas(self) -> Population | None:
        """Raises ValueError."""
        from ..generators import Population

        return None if self.population is None else Population.from_dict(self.population)

    @property
    def asks(self) -> bool:
        """Whether a model writes something of it, and not rules alone."""
        blueprint, quotas = self.generator().blueprint, self.quotas()
        cells = [quota.attributes for quota in quotas] if quotas else [{}]
        return any(blueprint.draft(cell).steps.by_model for cell in cells)

    def count(self, dialogs: int) -> int:
        """How many there are to be, for so many dialogs."""
        quotas = self.quotas()
        return self.n or (quotas and quotas.total) or dialogs

    def stand_ins(self, count: int) -> list[Any]:
        """As many that could be generated, drawn by rules alone; what a model would write is left in words to it."""
        from ..generators.rules import ByModel

        generator, quotas = self.generator(), self.quotas()
        blueprint = generator.blueprint
        cells = [quotas.quotas[place].attributes for place in quotas.places(count)] if quotas else [{}] * count
        made = []
        for number, cell in enumerate(cells):
            random, said = Random(number), dict(blueprint.given)
            for name, rule in blueprint.draft(cell).rules.items():
                said[name] = _STAND_IN if isinstance(rule, ByModel) else rule.draw(random)  # type: ignore[union-attr]
            made.append(_valid(blueprint.kind, said))
        return made

    def _content(self) -> dict[str, Any]:
        """As generators take it."""
        sampling = asdict(self.model_parameters)
        sampling |= sampling.pop("extra")
        return {
            "given": self.given,
            "rules": self.rules,
            "generated_attributes": self.generated_attributes,
            "extra_instructions": self.extra_instructions,
            "model": self.model,
            "model_parameters": {name: value for name, value in sampling.items() if value not in (None, (), {})},
        }


class GeneratedPersonas(_Generated):
    """People that are generated before the dialogs begin, which take them in turn.

    class: which kind of persona, such as Doctor.
    """

    kind: str = Field(default="Persona", alias="class")

    def generator(self) -> AttributeModelGenerator[Any]:
        from ..generators import PersonaGenerator

        return PersonaGenerator.from_dict({"class": self.kind, **self._content()})


class GeneratedContexts(_Generated):
    """Settings that are generated before the dialogs begin, which take them in turn."""

    def generator(self) -> AttributeModelGenerator[Any]:
        from ..generators import ContextGenerator

        return ContextGenerator.from_dict(self._content())


def _beside(folder: Path, value: Any) -> Any:
    """The same, with what rules name as files seen from a folder."""
    if isinstance(value, Mapping):
        return {
            name: str(folder / each) if name == "csv" and isinstance(each, str) else _beside(folder, each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_beside(folder, each) for each in value]
    if isinstance(value, str) and (rule := _FILE.fullmatch(value)):
        return f"{rule[1]}{folder / rule[2].strip()}{rule[3]}"
    return value


def _valid(kind: type[BaseModel], said: Mapping[str, Any]) -> BaseModel:
    """Without what is not of the right form, such as words for a number."""
    said = dict(said)
    while True:
        try:
            return kind.model_validate(said, by_name=True)
        except ValidationError as error:
            wrong = {str(each["loc"][0]) for each in error.errors() if each["loc"]} & said.keys()
            if not wrong:
                return kind.model_construct(**said)
            said = {name: value for name, value in said.items() if name not in wrong}
