"""A part of a turn, and who hears it: what each listener hears of a turn follows from its parts alone.

The one place that says so. Prompts, and whatever else is told to somebody who takes part, come from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = [
    "ACTION",
    "END_MARKER",
    "SPEECH",
    "Said",
    "has_secrets",
    "heard",
    "hearers_in",
    "parts_in",
    "whole",
    "written",
]

SPEECH, ACTION = "speech", "action"
END_MARKER = "[[END]]"  # in a reply whose speaker means the dialog to end


class Said(NamedTuple):
    """Words in a channel: "speech", "action", "thought" or one of the user's own.

    `heard_by` names those who hear it beside the speaker, None for all.
    """

    channel: str
    text: str
    heard_by: tuple[str, ...] | None = None

    def reaches(self, listener: str | None) -> bool:
        """Whether somebody else hears it; None is whoever hears only what all do."""
        return self.heard_by is None or listener in self.heard_by


def heard(parts: Sequence[Said], listener: str | None) -> str:
    """What somebody else hears of a turn, "" for nothing."""
    return written(part for part in parts if part.reaches(listener))


def written(parts: Iterable[Said]) -> str:
    """Parts as one text, as speakers are told to write them: *does it*, [to Bob: tells him], [thought: keeps it]."""
    return " ".join(_written(part) for part in parts)


def parts_in(text: str, more: Mapping[str, Any] | None) -> tuple[Said, ...]:
    """The parts of a turn of which `more` holds what its file has beside speaker and text.

    Nothing becomes public by being malformed: parts that are none are passed over, and so is the text of a turn whose
    hearers are none.
    """
    if not more:
        return (Said(SPEECH, text),)
    parts = more.get("parts")
    if isinstance(parts, list) and parts:
        made = (_part(each) for each in parts)
        return tuple(part for part in made if part is not None)
    return (Said(SPEECH, text, hearers_in(more)),)


def hearers_in(more: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Who hears a turn's text."""
    return _hearers(more.get("heard_by"))


def has_secrets(more: Mapping[str, Any] | None) -> bool:
    """Whether a turn may have something that not all hear; most turns have nothing beside speaker and text."""
    return more is not None and ("heard_by" in more or "parts" in more)


def whole(text: str, more: Mapping[str, Any] | None) -> str:
    """A turn with what not all hear, and what is no speech, in it; `more` is as in `parts_in`."""
    return written(parts_in(text, more)) if has_secrets(more) else text


def _written(part: Said) -> str:
    if part.channel == ACTION:
        return f"*{part.text}*"
    if part.channel != SPEECH:
        return f"[{part.channel}: {part.text}]"
    return part.text if part.heard_by is None else f"[to {' and '.join(part.heard_by) or 'nobody'}: {part.text}]"


def _part(content: Any) -> Said | None:
    match content:
        case {"channel": str(channel), "text": str(text)}:
            return Said(channel, text, _hearers(content.get("heard_by")))
    return None


def _hearers(content: Any) -> tuple[str, ...] | None:
    if content is None:
        return None
    return tuple(name for name in content if isinstance(name, str)) if isinstance(content, list | tuple) else ()
