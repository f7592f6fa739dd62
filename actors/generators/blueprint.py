"""What is to be generated: a class, what is given of it, and the rules for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from ...engine.completion import Backend, Parameters
from ...engine.wording import meant
from ..prompts import PACKAGED, Prompts
from .file_rules import FromFile
from .form import Form, form_of
from .plan import Steps, steps_of
from .rules import ByModel, Rule, rule_of

__all__ = ["Blueprint", "Draft", "attributes_of", "refuse_unknown"]


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """Never changes; thousands of objects are made from one at once.

    kind: the class. given: what each object has, by attribute. rules: for the attributes that are generated, as users
    write them, see `rules`. template: what the model is asked by, and, with "_system", told by before.
    extra_instructions: said besides. prompts: templates of its own. system_prompt, prompt: the user's in place of
    those, where they are not None; the latter a template.
    max_attempts: how often one attribute may be asked for.
    """

    kind: type[BaseModel]
    given: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)
    system_prompt: str | None = ""
    prompt: str | None = None
    template: str = "attribute_generator"
    extra_instructions: str = ""
    prompts: Prompts = PACKAGED
    model: str | Backend | None = None
    model_parameters: Parameters = Parameters()
    max_attempts: int = 3

    @property
    def name(self) -> str:
        return self.kind.__name__

    def check(self) -> None:
        """Raises ValueError when a rule is none, or the file that it draws from is not there or has nothing for it."""
        for rule in self.draft({}).rules.values():
            if isinstance(rule, FromFile):
                _ = rule.values

    def draft(self, cell: Mapping[str, Any]) -> Draft:
        """How an object is made that is to have what a cell of a population says, by rules that go before the others.

        Raises ValueError.
        """
        known = self._drafts.get(id(cell)) if cell else self._own
        if known is None:
            refuse_unknown(self.kind, cell)
            own = {name: rule_of(value, name, attributes_of(self.kind)) for name, value in cell.items()}
            known = Draft(self, {**self._own.rules, **own})
            self._drafts[id(cell)] = known
            self._cells.append(cell)  # so that its id stays its own
        return known

    def told(self, prompts: Prompts) -> str:
        """What the model is told before it is asked. Raises `PromptInvalid`."""
        if self.system_prompt is not None:
            return self.system_prompt
        if (told := self._told.get(prompts)) is None:
            told = prompts.render(f"{self.template}_system", extra_instructions=self.extra_instructions)
            self._told[prompts] = told
        return told

    @cached_property
    def recipe(self) -> Mapping[str, Any]:
        """As `recipes` has it; made once for all its objects."""
        from ..recipes import plain

        recipe: Mapping[str, Any] = plain(self)
        return recipe

    @cached_property
    def _own(self) -> Draft:
        known = attributes_of(self.kind)
        return Draft(self, {name: rule_of(value, name, known) for name, value in self.rules.items()})

    @cached_property
    def _told(self) -> dict[Prompts, str]:
        return {}

    @cached_property
    def _drafts(self) -> dict[int, Draft]:
        return {}

    @cached_property
    def _cells(self) -> list[Mapping[str, Any]]:
        return []


class Draft:
    """The rules of one kind of object of a blueprint, read, and the forms in which its model is asked."""

    def __init__(self, blueprint: Blueprint, rules: Mapping[str, Rule]) -> None:
        self.rules = rules
        self.steps: Steps = steps_of(rules)
        self.hints = {name: _hint(rule) or _description(blueprint.kind, name) for name, rule in rules.items()}
        self._kind = blueprint.kind
        self._forms: dict[tuple[tuple[str, ...], bool, bool], Form] = {}

    def form(self, names: tuple[str, ...], *, is_small: bool, takes_parts: bool = False) -> Form:
        """The form of some attributes."""
        key = (names, is_small, takes_parts)
        if key not in self._forms:
            self._forms[key] = form_of(self._kind, names, self.hints, is_small=is_small, takes_parts=takes_parts)
        return self._forms[key]


def attributes_of(kind: type[BaseModel]) -> list[str]:
    """The attributes of a class that say something of what it describes."""
    return list(kind.model_fields)


def refuse_unknown(kind: type[BaseModel], names: Mapping[str, Any] | list[str]) -> None:
    """Raises ValueError for the first name that is no attribute."""
    known = attributes_of(kind)
    for name in names:
        if name not in known:
            raise ValueError(f"{kind.__name__} has no attribute {name!r}; {meant(name, known)}")


def _hint(rule: Rule) -> str:
    return rule.hint if isinstance(rule, ByModel) else ""


def _description(kind: type[BaseModel], name: str) -> str:
    return (kind.model_fields[name].description or "").strip().rstrip(".")
