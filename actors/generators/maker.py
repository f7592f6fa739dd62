"""The actor that makes one object: it draws what rules decide, and asks a model for the rest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from ...engine.actor import Actor, handles
from ...engine.answer import answered
from ...engine.completion import CompletionRequest, Message, Usage
from ...engine.dialog import Ending
from ...engine.errors import AttributeUnfit, ReplyInvalid, ReplyUnfit
from ...engine.messages import Fact, Generated, ReplyRejected, Request
from ...engine.performance import Performance
from ...engine.seeds import derive, generator
from .prompts import asking_for_all, asking_for_one, from_template
from .rules import Computed, Fixed, OneOf, Range

if TYPE_CHECKING:
    from .making import Making

__all__ = ["Make", "Maker"]


@dataclass(frozen=True, slots=True)
class Make(Request[Ending]):
    """Asks for the object; it is published when it is whole."""


@dataclass(slots=True)
class _Sheet:
    """What there is so far; it counts for nothing until it is published."""

    attempt: int
    values: dict[str, Any]
    facts: list[Fact] = field(default_factory=list)
    usage: Usage = Usage()

    def known(self) -> dict[str, Any]:
        """What a model is told."""
        said = {name: value for name, value in self.values.items() if value not in (None, "")}
        plain: dict[str, Any] = to_jsonable_python(said, fallback=str)
        return plain


class Maker(Actor):
    """Makes one object. What is published of it is whole and valid, or nothing is."""

    __slots__ = ("_blueprint", "_draft", "_is_made", "_making", "_performance", "_prompts")

    def __init__(self, making: Making, performance: Performance) -> None:
        self._making = making
        self._blueprint = making.blueprint
        self._performance = performance
        self._prompts = making.blueprint.prompts.over(performance.prompts)
        self._is_made = False

    def fold(self, fact: Fact) -> None:
        if type(fact) is Generated:
            self._is_made = True

    @handles(Make)
    async def make(self, request: Make) -> Ending:
        """Raises `BackendError` when the model cannot be had, `ReplyUnfit` when it never writes what fits, what a
        user's function raises, `ValueError` for a file that cannot be read, and `AttributeUnfit`.
        """
        attempt = 0
        while not self._is_made:
            try:
                await self.publish(*await self._made(attempt))
            except ReplyInvalid as error:
                attempt += 1
                if not self._performance.may_take_turn_again(error, attempt):
                    raise
        return Ending(reason="finished", detail="generated")

    async def _made(self, attempt: int) -> tuple[Fact, ...]:
        blueprint = self._blueprint
        self._draft = blueprint.draft(self._making.cell)
        steps = self._draft.steps
        sheet = _Sheet(attempt, dict(blueprint.given))
        await self._draw(steps.before, sheet)
        if steps.by_model:
            await self._ask(steps.by_model, sheet)
        await self._draw(steps.after, sheet)
        tries = 1
        while isinstance(made := self._fitted(sheet.values), dict):
            problems = made
            again = [name for name in steps.by_model if name in problems or not problems]
            if not again:
                attribute, reason = next(iter(problems.items()))
                raise AttributeUnfit(blueprint.name, attribute, reason)
            if tries == blueprint.max_attempts:
                told = "; ".join(f"`{name}`: {reason}" for name, reason in problems.items())
                raise ReplyUnfit("the model", told, blueprint.name, tries)
            tries += 1
            await self._ask_singly(again, sheet, problems)
            await self._draw(steps.after, sheet)
        names = [name for name in blueprint.kind.model_fields if name in sheet.values]
        plain = made.model_dump(mode="json", include=set(names), by_alias=False)
        content = {name: plain[name] for name in names if name in plain}
        return *sheet.facts, Generated(blueprint.name, content, sheet.usage)

    def _fitted(self, values: Mapping[str, Any]) -> BaseModel | dict[str, str]:
        """The object, or what is wrong, by attribute; without an attribute the object as a whole is."""
        try:
            return self._blueprint.kind.model_validate(dict(values), by_name=True)
        except ValidationError as error:
            return {str(each["loc"][0]): each["msg"] for each in error.errors(include_url=False) if each["loc"]}

    async def _draw(self, names: Iterable[str], sheet: _Sheet) -> None:
        for name in names:
            rule = self._draft.rules[name]
            if isinstance(rule, Fixed | OneOf | Range):
                sheet.values[name] = rule.draw(generator(self._performance.seed, "rule", name))
            else:
                sheet.values[name] = await self._from_outside(name, sheet)

    async def _from_outside(self, name: str, sheet: _Sheet) -> Any:
        """What files and functions give is kept like the answer of a tool, so that it comes back as it was."""

        async def give() -> str:
            rule: Any = self._draft.rules[name]
            if isinstance(rule, Computed):
                value = await rule.answer(sheet.values)
            else:
                value = rule.draw(generator(self._performance.seed, "rule", name))
            return json.dumps(to_jsonable_python(value))

        (text,) = await self._performance.each_once([(f"attribute {name}", give)])
        return json.loads(text)

    async def _ask(self, names: tuple[str, ...], sheet: _Sheet) -> None:
        """All at once, then what is missing one by one."""
        backend = await self._performance.backend(self._blueprint.model)
        is_small = backend.capabilities.is_small
        form = self._draft.form(names, is_small=is_small, takes_parts=True)
        hints = {name: self._draft.hints[name] for name in names}
        if self._blueprint.prompt is None:
            known, making = sheet.known(), self._making
            template, kind = self._blueprint.template, self._blueprint.name
            text = asking_for_all(
                self._prompts, template, kind, known, hints, making.unlike, making.variant, is_small=is_small
            )
        else:
            attributes = {**sheet.known(), **dict.fromkeys(names)}
            text = from_template(self._blueprint.prompt, self._blueprint.name, attributes, hints)
        answer = await answered(
            self._performance, backend, self._request(text, sheet), form, agent=self._blueprint.name, corrections=0
        )
        sheet.usage += answer.usage
        sheet.facts += answer.facts
        sheet.values |= answer.value
        missing = [name for name in names if name not in answer.value]
        if missing:
            problem = form.problem(answer.text) or f"`{'`, `'.join(missing)}` says nothing"
            sheet.facts.append(ReplyRejected(self._blueprint.name, answer.text, problem))
            await self._ask_singly(missing, sheet, {})

    async def _ask_singly(self, names: Iterable[str], sheet: _Sheet, problems: Mapping[str, str]) -> None:
        backend = await self._performance.backend(self._blueprint.model)
        is_small = backend.capabilities.is_small
        for name in names:
            sheet.values.pop(name, None)
        for name in names:
            hint, problem = self._draft.hints[name], problems.get(name, "")
            text = asking_for_one(
                self._prompts, self._blueprint.name, sheet.known(), name, hint, problem, is_small=is_small
            )
            answer = await answered(
                self._performance,
                backend,
                self._request(text, sheet),
                self._draft.form((name,), is_small=is_small),
                agent=self._blueprint.name,
                corrections=self._blueprint.max_attempts - 1,
            )
            sheet.usage += answer.usage
            sheet.facts += answer.facts
            sheet.values |= answer.value

    def _request(self, text: str, sheet: _Sheet) -> CompletionRequest:
        performance, blueprint = self._performance, self._blueprint
        told = blueprint.told(self._prompts)
        system = (Message("system", told),) if told else ()
        return CompletionRequest(
            messages=(*system, Message("user", text)),
            parameters=performance.parameters(blueprint.model_parameters),
            seed=derive(performance.seed, blueprint.name, performance.calls),
            dialog=performance.id,
            attempt=sheet.attempt,
            age=performance.number,
        )
