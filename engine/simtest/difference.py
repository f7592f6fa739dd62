"""Where two dialogs that should be the same part ways, in words."""

from __future__ import annotations

from ..dialog import Dialog, Event

__all__ = ["difference"]

_LONGEST = 60


def difference(one: Dialog, other: Dialog | None, first: str, second: str) -> str:
    """The first thing that is not the same; `first` and `second` say when each of them was played."""
    if other is None:
        return f"{second} it is missing"
    turn = 1
    for mine, theirs in zip(one.events or (), other.events or (), strict=False):
        if _content(mine) != _content(theirs):
            return f"in turn {turn} {_said(mine)} {first}, and {_said(theirs)} {second}"
        turn += mine.action == "utter"
    lengths = len(one.events or ()), len(other.events or ())
    if lengths[0] != lengths[1]:
        longer, when = (one, first) if lengths[0] > lengths[1] else (other, second)
        return f"in turn {turn} {_said((longer.events or [])[min(lengths)])} {when} only"
    if one.ending != other.ending:
        return f"it ended by {_ending(one)} {first}, and by {_ending(other)} {second}"
    return "what it was set up with is not the same"


def _content(event: Event) -> tuple[object, ...]:
    return event.agent, event.action, event.actionLabel, event.content


def _said(event: Event) -> str:
    text = str(event.content)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    match event.action:
        case "utter":
            return f"{event.agent} said {text!r}"
        case "instruct" | "instruct-persist":
            return f"{event.actionLabel} told {event.agent} {text!r}"
    return f"{event.agent} had {event.action} {event.actionLabel or ''} {text!r}"


def _ending(dialog: Dialog) -> str:
    ending = dialog.ending
    return "nothing" if ending is None else " ".join(filter(None, (ending.reason, ending.detail, ending.error)))
