"""A dialog's minutes: how the facts of a dialog become its turns, its rows of events and its ending."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .dialog import Dialog, Ending, Event, Turn
from .hearing import rows_of, turn_of
from .messages import (
    Carried,
    Consulted,
    Fact,
    FlawFound,
    Generated,
    Instructed,
    Noted,
    Record,
    ReplyRejected,
    ReplyRepaired,
    SpeakerChosen,
    Thought,
    ToolCalled,
    ToolReturned,
    Uttered,
)

__all__ = ["close", "row_of", "rows_so_far", "take_down"]


def take_down(dialog: Dialog, fact: Fact) -> None:
    """Adds what was said, and what it cost."""
    if type(fact) is Uttered:
        is_plain = fact.heard_by is None and not fact.parts  # as it says itself, at the cost of a call
        dialog.turns.append(Turn(speaker=fact.agent, text=fact.text) if is_plain else turn_of(fact))
        dialog.usage = fact.usage if dialog.usage is None else dialog.usage + fact.usage
    elif isinstance(fact, Consulted | Generated | SpeakerChosen):
        dialog.usage = fact.usage if dialog.usage is None else dialog.usage + fact.usage


def close(dialog: Dialog, ending: Ending, records: Iterable[Record[Fact]]) -> None:
    """Completes a dialog whose turns are all there; from now on it shares nothing with other dialogs."""
    dialog.ending = ending
    dialog.complete = ending.reason == "finished"
    dialog.events = rows_so_far(records)
    # While they are live, dialogs share what is the same in all of them; whoever gets this one may change it.
    dialog.personas = {name: dict(persona) for name, persona in (dialog.personas or {}).items()}
    dialog.model = dict(dialog.model) if isinstance(dialog.model, dict) else dialog.model


def rows_so_far(records: Iterable[Record[Fact]]) -> list[Event]:
    """The facts of a dialog as the rows of its `events`."""
    rows: list[Event] = []
    for record in records:
        fact = record.fact
        if (row := row_of(fact, int(record.time))) is not None:
            if type(fact) is Uttered and not fact.is_plain:
                rows += rows_of(fact, row)
            else:
                rows.append(row)
    return rows


def row_of(fact: Fact, timestamp: int) -> Event | None:
    """A fact as a row of the dialog's `events`, in sdialog's words; None for those that have no row there."""
    match fact:
        case Uttered():
            return Event(agent=fact.agent, action="utter", content=fact.text, timestamp=timestamp)
        case SpeakerChosen():
            return Event(agent=fact.by, action="choose", content=fact.agent, timestamp=timestamp)
        case Thought():
            return Event(agent=fact.agent, action="think", content=fact.text, timestamp=timestamp)
        case Instructed():
            action = "instruct-persist" if fact.persistent else "instruct"
            return Event(
                agent=fact.agent, action=action, actionLabel=fact.label, content=fact.text, timestamp=timestamp
            )
        case Noted():
            content = dict(fact.content) if isinstance(fact.content, Mapping) else fact.content
            return Event(
                agent=fact.agent, action=fact.action, actionLabel=fact.label, content=content, timestamp=timestamp
            )
        case ReplyRejected():
            reply = {"text": fact.text, "problem": fact.problem}
            return Event(agent=fact.agent, action="reply", actionLabel="rejected", content=reply, timestamp=timestamp)
        case ReplyRepaired():
            return Event(
                agent=fact.agent, action="reply", actionLabel="repaired", content=fact.text, timestamp=timestamp
            )
        case ToolCalled():
            call = {"name": fact.name, "args": dict(fact.arguments), "id": fact.call_id}
            return Event(agent=fact.agent, action="tool", actionLabel="call", content=call, timestamp=timestamp)
        case ToolReturned():
            output = {"name": fact.name, "output": fact.output, "call_id": fact.call_id}
            return Event(agent=fact.agent, action="tool", actionLabel="output", content=output, timestamp=timestamp)
        case FlawFound():
            flaw = {"evidence": fact.evidence, "outcome": fact.outcome}
            if fact.reply:
                flaw["reply"] = fact.reply
            return Event(agent=fact.agent, action="flaw", actionLabel=fact.flaw, content=flaw, timestamp=timestamp)
        case Generated():
            made = fact.content if isinstance(fact.content, str) else dict(fact.content)
            return Event(agent=fact.agent, action="generate", content=made, timestamp=timestamp)
        case Carried():
            return Event(
                agent=fact.agent,
                action=fact.action,
                actionLabel=fact.label,
                content=fact.content,
                timestamp=fact.timestamp,
            )
    return None
