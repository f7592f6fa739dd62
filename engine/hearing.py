"""What is kept of a turn that not all hear, or that is more than speech, and what somebody else hears of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .dialog import Event, Turn
from .messages import Uttered
from .said import SPEECH, Said, has_secrets, heard, hearers_in, parts_in

__all__ = ["CHANNEL", "as_heard", "rows_of", "turn_of", "uttered"]

CHANNEL = "channel"  # the label of a row that tells of a part of a turn, which the row of the turn has too


def turn_of(fact: Uttered) -> Turn:
    """What was said as a turn; a file keeps who hears it, and all its parts, as keys of their own."""
    return Turn.model_validate({"speaker": fact.agent, "text": fact.text, **_beside_text(fact)})


def uttered(agent: str, text: str, more: Mapping[str, Any] | None) -> Uttered:
    """What a turn, or its row, tells of; who heard it then does not hear more now, nor anybody else."""
    if more is None or not has_secrets(more):
        return Uttered(agent, text)
    parts, heard_by = parts_in(text, more), hearers_in(more)
    return Uttered(agent, text, heard_by=heard_by, parts=() if parts == (Said(SPEECH, text, heard_by),) else parts)


def as_heard(turn: Turn, listener: str | None) -> Turn:
    """The turn as one of the speakers hears it; with None, as all do. One that is not heard is there without words."""
    if not has_secrets(turn.model_extra) or (turn.speaker == listener and listener is not None):
        return turn
    return Turn(speaker=turn.speaker, text=heard(parts_in(turn.text, turn.model_extra), listener))


def rows_of(fact: Uttered, row: Event) -> tuple[Event, ...]:
    """The turn's own row, with who heard it, after those of what was no speech."""
    own = Event.model_validate({**row.model_dump(), **_beside_text(fact)})
    others = [_row(fact.agent, part, row.timestamp) for part in fact.parts if part.channel != SPEECH]
    return (*others, own)


def _row(agent: str, part: Said, timestamp: int) -> Event:
    row = {"agent": agent, "action": part.channel, "actionLabel": CHANNEL, "content": part.text, "timestamp": timestamp}
    return Event.model_validate(row if part.heard_by is None else {**row, "heard_by": list(part.heard_by)})


def _beside_text(fact: Uttered) -> dict[str, Any]:
    beside: dict[str, Any] = {}
    if fact.heard_by is not None:
        beside["heard_by"] = list(fact.heard_by)
    if fact.parts:
        beside["parts"] = [_as_dict(part) for part in fact.parts]
    return beside


def _as_dict(part: Said) -> dict[str, Any]:
    content: dict[str, Any] = {"channel": part.channel, "text": part.text}
    return content if part.heard_by is None else {**content, "heard_by": list(part.heard_by)}
