"""Which rows of a dialog's `events` led to which of its turns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from .turn import Event, Turn

__all__ = ["events_by_turn"]


def events_by_turn(turns: Sequence[Turn], events: Sequence[Event]) -> list[list[Event]]:
    """For each turn what led to it, and its `utter`; what comes after the last turn is that turn's too.

    Turns and rows are matched by place, where there is an `utter` for each turn; where turns were collapsed, by who
    spoke in a row; else by who said what. Rows that belong to no turn are in no list.
    """
    ends = _ends(turns, [place for place, event in enumerate(events) if event.action == "utter"], events)
    groups: list[list[Event]] = [[] for _ in turns]
    begin, last = 0, None
    for turn, end in ends:
        groups[turn] = list(events[begin:end])
        begin, last = end, turn
    if last is not None and last == len(turns) - 1:
        groups[last] += events[begin:]
    return groups


def _ends(turns: Sequence[Turn], utters: Sequence[int], events: Sequence[Event]) -> list[tuple[int, int]]:
    """Pairs of a turn's place and where its rows end."""
    if len(utters) == len(turns):
        return [(turn, place + 1) for turn, place in enumerate(utters)]
    runs = [
        place
        for place, following in zip_longest(utters, utters[1:])
        if following is None or events[following].agent != events[place].agent
    ]
    if len(runs) == len(turns):
        return [(turn, place + 1) for turn, place in enumerate(runs)]
    ends, turn = [], 0
    for place in utters:
        said = (events[place].agent, events[place].content)
        found = next((at for at in range(turn, len(turns)) if (turns[at].speaker, turns[at].text) == said), None)
        if found is not None:
            ends.append((found, place + 1))
            turn = found + 1
    return ends
