"""A dialog's first turns as the beginning of another dialog: shared, not paid for again."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..completion import Backend
from ..dialog import Dialog, Ending, Event
from ..hearing import CHANNEL, uttered
from ..journal.entry import encoded_fact, fact_of
from ..messages import (
    DialogStarted,
    Fact,
    Forked,
    Instructed,
    Noted,
    Record,
    Thought,
    ToolCalled,
    ToolReturned,
    Uttered,
)
from ..seeds import derive
from .past import Past

if TYPE_CHECKING:
    from ..performance import Performance, Playable

__all__ = ["Fork", "own_seed"]

Shared = Uttered | Thought | Noted | Instructed | ToolCalled | ToolReturned
_FORK = "$fork"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """A scenario that is played on from the first turns of a dialog; a simulation plays it as any other.

    parent: the dialog's id. cast: who sat in which place of it. facts: what led to its first `turn` turns.
    seed: decides what is chosen after them.
    """

    scenario: Playable
    parent: str
    turn: int
    cast: tuple[str, ...]
    facts: tuple[Shared, ...]
    seed: int | None

    @classmethod
    def of(cls, dialog: Dialog, turn: int, scenario: Playable, seed: int | None = None) -> Fork:
        """The seed is that of the scenario, or of the dialog, unless said otherwise.

        Raises ValueError when the dialog has fewer turns.
        """
        if not 0 <= turn <= len(dialog):
            raise ValueError(f"the dialog {dialog.id} has {len(dialog)} turns; there is no turn {turn}")
        if seed is None:
            seed = dialog.seed if scenario.seed is None else scenario.seed
        cast = tuple(dialog.personas or dialog.get_speakers())
        return cls(
            scenario=scenario,
            parent=str(dialog.id),
            turn=turn,
            cast=cast,
            facts=tuple(_until(turn, _facts(dialog))),
            seed=seed,
        )

    def dialog(self, **header: Any) -> Dialog:
        dialog = self.scenario.dialog(**header)
        dialog.parentId = self.parent
        return dialog

    def play(self, performance: Performance) -> Awaitable[Ending]:
        return self.scenario.play(performance)

    def past(self, dialog: Dialog, run: str, time: float) -> Past:
        """What the dialog has behind it when it begins. Who sits in the same place takes the other's part."""
        cast = tuple(dialog.personas or ())
        names = _seated(self.cast, cast)
        facts: list[Fact] = [DialogStarted(cast, dialog.seed or 0)]
        facts += (_renamed(fact, names) for fact in self.facts)
        facts.append(Forked(self.parent, self.turn))
        records = [Record(run, str(dialog.id), place, time, fact) for place, fact in enumerate(facts)]
        return Past(records, calls=self.turn)

    def recipe(self) -> Mapping[str, Any]:
        facts = [encoded_fact(fact) for fact in self.facts]
        fork = {"parent": self.parent, "turn": self.turn, "cast": self.cast, "facts": facts}
        return {_FORK: fork, "scenario": self.scenario.recipe()}

    @staticmethod
    def is_recipe(recipe: Mapping[str, Any]) -> bool:
        return _FORK in recipe

    @classmethod
    def from_recipe(cls, recipe: Mapping[str, Any], make: Callable[[Mapping[str, Any]], Playable]) -> Fork:
        fork, seed = recipe[_FORK], recipe["seed"]
        return cls(
            scenario=make({**recipe["scenario"], "seed": seed}),
            parent=fork["parent"],
            turn=fork["turn"],
            cast=tuple(fork["cast"]),
            facts=tuple(_shared(fact_of(kind, json.loads(body))) for kind, body in fork["facts"]),
            seed=seed,
        )


def own_seed(forked: Playable, model: str | Backend | None) -> int:
    """The seed of a simulation for one fork alone: no two that differ give their dialogs the same id."""
    name = model if isinstance(model, str) or model is None else model.name
    return derive(forked.seed or 0, "fork", json.dumps([forked.recipe(), name]))


def _until(turn: int, facts: Iterator[Shared]) -> Iterator[Shared]:
    turns = 0
    while turns < turn:
        fact = next(facts)
        turns += isinstance(fact, Uttered)
        yield fact


def _shared(fact: Fact) -> Shared:
    assert isinstance(fact, Shared)
    return fact


def _facts(dialog: Dialog) -> Iterator[Shared]:
    """The facts that a dialog's rows tell of; the turns alone where its rows do not tell of just these."""
    rows = [fact for event in dialog.events or () if (fact := _fact(event)) is not None]
    said = [uttered(turn.speaker or "", turn.text, turn.model_extra) for turn in dialog.turns]
    yield from rows if [fact for fact in rows if isinstance(fact, Uttered)] == said else said


def _renamed(fact: Shared, names: Mapping[str, str]) -> Shared:
    if isinstance(fact, Uttered) and not fact.is_plain:
        parts = tuple(part._replace(heard_by=_named(part.heard_by, names)) for part in fact.parts)
        fact = replace(fact, heard_by=_named(fact.heard_by, names), parts=parts)
    return replace(fact, agent=names.get(fact.agent, fact.agent))


def _seated(old: Sequence[str], new: Sequence[str]) -> dict[str, str]:
    """Who takes whose part. Who has no seat any more is nobody of the new cast, whatever somebody there is called."""
    names = dict(zip(old, new, strict=False))
    for name in old[len(new) :]:
        apart = name
        while apart in new:
            apart += " (before)"
        names[name] = apart
    return names


def _named(heard_by: tuple[str, ...] | None, names: Mapping[str, str]) -> tuple[str, ...] | None:
    return None if heard_by is None else tuple(names.get(name, name) for name in heard_by)


def _fact(event: Event) -> Shared | None:
    agent, content = event.agent or "", event.content
    match event.action:
        case "utter":
            return uttered(agent, str(content), event.model_extra)
        case "think":
            return Thought(agent, str(content))
        case "instruct" | "instruct-persist":
            return Instructed(agent, event.actionLabel or "", str(content), event.action == "instruct-persist")
        case "tool" if isinstance(content, dict):
            return _tool(agent, event.actionLabel, content)
        case "tool" | "reply":
            return None
        case _ if event.actionLabel == CHANNEL:
            return None
    return Noted(agent, event.actionLabel or "", event.action, event.actionLabel, content)


def _tool(agent: str, label: str | None, content: dict[str, Any]) -> ToolCalled | ToolReturned:
    name = str(content.get("name", ""))
    if label == "call":
        arguments = content.get("args")
        return ToolCalled(agent, name, arguments if isinstance(arguments, dict) else {}, str(content.get("id", "")))
    return ToolReturned(agent, name, str(content.get("output", "")), str(content.get("call_id", "")))
