"""A dialog that a model words anew, with as many turns and with its events: what a simulation plays to have it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ...engine.actor import Actor, handles
from ...engine.answer import Answer, answered
from ...engine.completion import Backend, CompletionRequest, Message, Parameters, Usage
from ...engine.dialog import Dialog, Ending, Event
from ...engine.errors import ReplyInvalid
from ...engine.hearing import CHANNEL, as_heard, uttered
from ...engine.messages import Carried, Fact, Request, Uttered
from ...engine.performance import Performance
from ...engine.said import has_secrets
from ...engine.seeds import derive
from ...engine.structured import ReplySchema
from ..prompts import PACKAGED, Prompts, with_versions
from .sampling import model_entry

__all__ = ["Rewording"]

_AGENT = "paraphraser"


@dataclass(frozen=True, kw_only=True)
class Rewording:
    """Never changes. target_speaker: whose turns are worded anew, everybody's when None; case does not count.

    What not all hear is not shown to the model: turns with something of that kind in them, or of several parts, stay as
    they are.

    turn_by_turn: one call for each turn, which small models are better at, instead of one for all.
    prompts: templates of its own.
    """

    source: Dialog
    extra_instructions: str = ""
    target_speaker: str | None = None
    turn_by_turn: bool = False
    model: str | Backend | None = None
    model_parameters: Parameters = Parameters()
    corrections: int = 2
    seed: int | None = None
    prompts: Prompts = PACKAGED

    def dialog(self, **header: Any) -> Dialog:
        """The dialog before its first word; its `parentId` is the id of the one that it is made from."""
        source = self.source
        return Dialog(
            personas=source.personas,
            context=source.context,
            scenario=source.scenario,
            notes=source.notes,
            annotations=source.annotations,
            parentId=source.id,
            model=model_entry(header.pop("model"), self.model, self.model_parameters),
            **with_versions(header, self.prompts),
        )

    def play(self, performance: Performance) -> Awaitable[Ending]:
        """Raises what keeps it from being worded."""
        scope = performance.scope
        return scope.ask(scope.spawn(partial(Reworder, self, performance), name=_AGENT), Reword())

    def recipe(self) -> Mapping[str, Any]:
        """As JSON, but for the seed; see `recipes`."""
        from ..recipes import playable_recipe

        return playable_recipe(self)

    def is_meant(self, place: int) -> bool:
        """Whether the turn at this place is to be worded anew."""
        turn = self.source.turns[place]
        if has_secrets(turn.model_extra):
            return False
        return self.target_speaker is None or (turn.speaker or "").casefold() == self.target_speaker.casefold()

    def rows(self) -> list[list[Event]]:
        """The events that are no utterances: those before each turn, and those after the last."""
        rows: list[list[Event]] = [[] for _ in range(len(self.source) + 1)]
        place = 0
        for event in self.source.events or ():
            if event.action == "utter":
                place = min(place + 1, len(self.source))
            elif event.actionLabel != CHANNEL:  # which the turn tells of itself
                rows[place].append(event)
        return rows


@dataclass(frozen=True, slots=True)
class Reword(Request[Ending]):
    """Asks for the dialog in other words, from where it stands to its end."""


class Reworder(Actor):
    """Publishes turn by turn, or all turns at once; never half of one."""

    __slots__ = ("_performance", "_prompts", "_rewording", "_texts")

    def __init__(self, rewording: Rewording, performance: Performance) -> None:
        self._rewording = rewording
        self._performance = performance
        self._prompts = rewording.prompts.over(performance.prompts)
        self._texts: list[str] = []

    def fold(self, fact: Fact) -> None:
        if type(fact) is Uttered:
            self._texts.append(fact.text)

    @handles(Reword)
    async def reword(self, request: Reword) -> Ending:
        """Raises `BackendError` when the model cannot be had, `ReplyUnfit` when it never gives what fits."""
        rewording, attempt = self._rewording, 0
        while len(self._texts) < len(rewording.source):
            try:
                await self.publish(*await (self._one(attempt) if rewording.turn_by_turn else self._all(attempt)))
                attempt = 0
            except ReplyInvalid as error:
                attempt += 1
                if not self._performance.may_take_turn_again(error, attempt):
                    raise
        return Ending(reason="finished", detail="paraphrased")

    async def _all(self, attempt: int) -> list[Fact]:
        rewording = self._rewording
        turns = rewording.source.turns
        meant = [place for place in range(len(turns)) if rewording.is_meant(place)]
        texts: dict[int, str] = {}
        facts: tuple[Fact, ...] = ()
        usage = Usage()
        if meant:
            shown = [(n, as_heard(turn, None)) for n, turn in enumerate(turns)]
            lines = [
                f"[{meant.index(n) + 1}] {turn}" if n in meant else str(turn)
                for n, turn in shown
                if turn.text or not has_secrets(turns[n].model_extra)
            ]
            task = self._prompts.render(
                "paraphraser",
                dialog="\n".join(lines),
                count=len(meant),
                extra_instructions=rewording.extra_instructions,
            )
            form: dict[str, Any] = {"type": "array", "items": _TEXT, "minItems": len(meant), "maxItems": len(meant)}
            answer = await self._answer(task, {"turns": form}, attempt)
            texts, facts, usage = dict(zip(meant, answer.value["turns"], strict=True)), answer.facts, answer.usage
        said: list[Fact] = list(facts)
        for place, turn in enumerate(turns):
            said += self._turn(place, texts.get(place, turn.text), usage if place == 0 else Usage())
        return said

    async def _one(self, attempt: int) -> list[Fact]:
        place = len(self._texts)
        turn = self._rewording.source.turns[place]
        if not self._rewording.is_meant(place):
            return self._turn(place, turn.text, Usage())
        lines = []
        for before, text in zip(self._rewording.source.turns, self._texts, strict=False):
            is_public = not has_secrets(before.model_extra)
            if heard := text if is_public else as_heard(before, None).text:
                lines.append(f"{before.speaker}: {heard}")
        task = self._prompts.render(
            "paraphraser_turn",
            said="\n".join(lines),
            turn=str(turn),
            extra_instructions=self._rewording.extra_instructions,
        )
        answer = await self._answer(task, {"text": _TEXT}, attempt)
        return [*answer.facts, *self._turn(place, answer.value["text"], answer.usage)]

    def _turn(self, place: int, text: str, usage: Usage) -> list[Fact]:
        """A turn, with the events of the source that belong before it, and, for the last, behind it."""
        rows, turns = self._rewording.rows(), self._rewording.source.turns
        behind = rows[-1] if place == len(turns) - 1 else ()
        said = turns[place]
        own = replace(uttered(said.speaker or "", text.strip() or text, said.model_extra), usage=usage)
        return [*map(_carried, rows[place]), own, *map(_carried, behind)]

    async def _answer(self, task: str, properties: dict[str, Any], attempt: int) -> Answer:
        performance, rewording = self._performance, self._rewording
        backend = await performance.backend(rewording.model)
        form = ReplySchema.of({"type": "object", "properties": properties, "required": list(properties)})
        sequence = performance.calls
        request = CompletionRequest(
            messages=(Message("system", self._prompts.render("paraphraser_system")), Message("user", task)),
            parameters=performance.parameters(rewording.model_parameters),
            seed=derive(performance.seed, _AGENT, sequence),
            dialog=performance.id,
            sequence=sequence,
            attempt=attempt,
            age=performance.number,
        )
        return await answered(performance, backend, request, form, agent=_AGENT, corrections=rewording.corrections)


_TEXT = {"type": "string", "minLength": 1}


def _carried(event: Event) -> Carried:
    return Carried(event.agent, event.action, event.actionLabel, event.content, event.timestamp)
