"""A turn as its speaker writes it, taken apart: *does it*, [to Bob: tells him], [thought: keeps it].

Only what was declared is taken for markup; all else stays speech.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ...engine.said import ACTION, SPEECH, Said
from .addressees import Addressees
from .folded import NOISE, Folded

__all__ = ["Markup"]

_ACTION = re.compile(r"(?<![\w*])\*([^\s*](?:[^*\n]*[^\s*])?)\*(?![\w*])")
_AROUND = rf"[\s{re.escape(NOISE)}]*+"
_BRACKET = re.compile(r"[\[\]]")

Hearers = tuple[str, ...] | None


class _Scope(NamedTuple):
    """What a stretch of text is, up to `end`; the text goes on at `after`. Who hears what is inside it: `reach`."""

    start: int
    words: int
    end: int
    after: int
    channel: str
    heard_by: Hearers
    reach: Hearers


class Markup:
    """Reads the turns of one speaker, in time linear in their length.

    channels: those that were declared; private: those of them that nobody hears. confidants: to whom asides may go,
    None where there are none at all. cast: among whom names are looked for.

    What was meant for few never becomes public by a slip. Whatever begins as an aside is none of the others' business,
    however it goes on: one to somebody else than those is heard by nobody; one that is not closed, or closed behind the
    names, goes to the end; and where a closing bracket is left over, an aside before it ends there. Within an aside,
    an action or a thought, an aside or a thought is what it is anywhere, and never heard by more than what it is in.
    """

    def __init__(
        self,
        channels: Collection[str],
        confidants: Sequence[str] | None,
        cast: Sequence[str] = (),
        private: Collection[str] = (),
    ) -> None:
        self._has_actions = ACTION in channels
        self._private = frozenset(private)
        self._addressees = None if confidants is None else Addressees(confidants, cast)
        names = "|".join(re.escape(name) for name in channels if name != SPEECH)
        forms = [rf"(?P<channel>{names}){_AROUND}:"] if names else []
        if confidants is not None:
            forms.append(r"to(?![\w'\u2019\u0300-\u036f-])")
        self._opening = re.compile(rf"\[{_AROUND}(?:{'|'.join(forms)})") if forms else None

    def parts(self, text: str) -> list[Said]:
        """In order, without empty ones. Who hears the parts of a channel other than speech is not said yet."""
        return self._parts(text, None)

    def within(self, part: Said) -> list[Said]:
        """The parts of one that is known to be in a channel, and for whom: itself, where it has no markup in it."""
        reach = () if part.channel in self._private else part.heard_by
        end = len(part.text)
        return self._parts(part.text, _Scope(0, 0, end, end, part.channel, part.heard_by, reach))

    def _parts(self, text: str, whole: _Scope | None) -> list[Said]:
        parts: list[Said] = []
        scopes = [] if whole is None else [whole]
        asides = self._bracketed(text)
        action = None if scopes else self._action(text, 0)
        aside, place = next(asides, None), 0
        while True:
            if not scopes and action is not None and action.start < place:
                action = self._action(text, place)
            inner = aside
            if not scopes and action is not None and (aside is None or action.start < aside.start):
                inner = action
            channel, heard_by = (scopes[-1].channel, scopes[-1].heard_by) if scopes else (SPEECH, None)
            end = scopes[-1].end if scopes else len(text)
            if inner is None or inner.start >= end:
                parts.append(Said(channel, text[place:end], heard_by))
                if not scopes:
                    break
                place = scopes.pop().after
                while scopes and scopes[-1].end < place:
                    scopes.pop()
                continue
            parts.append(Said(channel, text[place : inner.start], heard_by))
            reach = scopes[-1].reach if scopes else None
            heard_by, into = _both(inner.heard_by, reach), _both(inner.reach, reach)
            scopes.append(inner._replace(heard_by=heard_by, reach=into))
            place = inner.words
            if inner is aside:
                aside = next(asides, None)
        return [part._replace(text=part.text.strip()) for part in parts if part.text.strip()]

    def _action(self, text: str, place: int) -> _Scope | None:
        found = _ACTION.search(text, place) if self._has_actions else None
        if found is None:
            return None
        reach = () if ACTION in self._private else None
        return _Scope(found.start(), found.start(1), found.end(1), found.end(), ACTION, None, reach)

    def _bracketed(self, text: str) -> Iterator[_Scope]:
        """What is in brackets that mean something, in the order of the text, from the outside in."""
        if self._opening is None or (text.isascii() and "[" not in text):
            return
        folded, at = Folded.of(text), 0
        closings = _closings(folded.text)
        while found := self._opening.search(folded.text, at):
            start, words, at = found.start(), found.end(), found.end()
            closing, channel = closings[start], found.groupdict().get("channel") or SPEECH
            heard_by: Hearers = None
            reach: Hearers = () if channel in self._private else None
            if channel == SPEECH and self._addressees is not None:
                head = self._addressees.head(text, folded, at)
                if head is None:
                    continue
                heard_by, reach, at = head.hearers, head.hearers, head.end
                words = head.end if head.is_clear else start  # what is not understood is kept as it was written
                closing = closing if head.has_words_inside else None
            ended = len(folded.text) if closing is None or closing < words else closing
            after = min(ended + 1, len(folded.text))
            start, words, ended, after = (folded.places[each] for each in (start, words, ended, after))
            yield _Scope(start, words, ended, after, channel, heard_by, reach)


def _closings(text: str) -> dict[int, int | None]:
    """Where each bracket is closed that is opened; the last that closes none closes all that were before it."""
    opened, closings, left = list[int](), dict[int, int | None](), -1
    for found in _BRACKET.finditer(text):
        at = found.start()
        if text[at] == "[":
            opened.append(at)
            closings[at] = None
        elif opened:
            closings[opened.pop()] = at
        else:
            left = at
    return {at: left if closing is not None and at < left else closing for at, closing in closings.items()}


def _both(one: Hearers, other: Hearers) -> Hearers:
    """Who hears what both do."""
    if one is None or other is None:
        return other if one is None else one
    return tuple(name for name in one if name in other)
