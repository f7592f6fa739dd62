"""A dialog's first turns as the beginning of another dialog: shared, not paid for again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..dialog import Dialog, Event
from ..messages import DialogStarted, Fact, Forked, Instructed, Record, Thought, ToolCalled, ToolReturned, Uttered
from .past import Past

__all__ = ["Fork"]


@dataclass(frozen=True, slots=True)
class Fork:
    """Which turns of which dialog; `seed` decides what is chosen after them."""

    parent: Dialog
    turn: int
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.turn <= len(self.parent):
            raise ValueError(f"the dialog {self.parent.id} has {len(self.parent)} turns; there is no turn {self.turn}")

    def past(self, dialog: Dialog, run: str, time: float) -> Past:
        """What a dialog that is to begin has behind it then. Who sits in the same place takes the other's part."""
        cast = tuple(dialog.personas or ())
        names = dict(zip(self.parent.personas or self.parent.get_speakers(), cast, strict=False))
        facts: list[Fact] = [DialogStarted(cast, dialog.seed or 0)]
        turns = 0
        for fact in _facts(self.parent) if self.turn else ():
            agent = fact.agent
            facts.append(replace(fact, agent=names.get(agent, agent)))
            turns += isinstance(fact, Uttered)
            if turns == self.turn:
                break
        facts.append(Forked(str(self.parent.id), self.turn))
        records = [Record(run, str(dialog.id), place, time, fact) for place, fact in enumerate(facts)]
        return Past(records, calls=self.turn)


def _facts(dialog: Dialog) -> Iterator[Uttered | Thought | Instructed | ToolCalled | ToolReturned]:
    """The facts that a dialog's rows tell of; the turns alone where it has no rows, as others' files may have none."""
    if not dialog.events:
        yield from (Uttered(turn.speaker or "", turn.text) for turn in dialog.turns)
        return
    for event in dialog.events:
        fact = _fact(event)
        if fact is not None:
            yield fact


def _fact(event: Event) -> Uttered | Thought | Instructed | ToolCalled | ToolReturned | None:
    agent, content = event.agent or "", event.content
    match event.action:
        case "utter":
            return Uttered(agent, str(content))
        case "think":
            return Thought(agent, str(content))
        case "instruct" | "instruct-persist":
            return Instructed(agent, event.actionLabel or "", str(content), event.action == "instruct-persist")
        case "tool" if isinstance(content, dict):
            return _tool(agent, event.actionLabel, content)
    return None


def _tool(agent: str, label: str | None, content: dict[str, Any]) -> ToolCalled | ToolReturned:
    name = str(content.get("name", ""))
    if label == "call":
        arguments = content.get("args")
        return ToolCalled(agent, name, arguments if isinstance(arguments, dict) else {}, str(content.get("id", "")))
    return ToolReturned(agent, name, str(content.get("output", "")), str(content.get("call_id", "")))
