"""How a dialog comes to its end: a marker that no ordinary words contain, mutual goodbyes, and going in circles.

All three are seen in the words alone, without asking a model.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from ..engine.dialog import Turn
from ..engine.said import END_MARKER

__all__ = ["END_MARKER", "are_goodbyes", "is_loop", "without_marker"]

_LOOP_LENGTH = 3
_AROUND = string.punctuation + string.whitespace
_GOODBYE = re.compile(
    r"\b(good ?bye|bye|farewell|so long|see (you|ya)|take care|until next time|have a (very )?"
    r"(good|great|nice|lovely|wonderful|pleasant|fantastic|safe) "
    r"(day|one|evening|night|weekend|afternoon|morning|trip|time)"
    r")\b",
    re.IGNORECASE,
)
_HINTS = ("bye", "farewell", "so long", "see y", "take care", "next time", "have a ")
_GREETING_BYE = re.compile(r"\b(by and bye|bye[- ]?law|say (good)?bye to)\b", re.IGNORECASE)


def without_marker(text: str) -> tuple[str, bool]:
    """The text without the end marker, and whether it was there."""
    if END_MARKER not in text:
        return text, False
    return text.replace(END_MARKER, "").strip(), True


def are_goodbyes(turns: Sequence[Turn]) -> bool:
    """Whether the last two turns are two different speakers' farewells."""
    if len(turns) < 2 or turns[-1].speaker == turns[-2].speaker:
        return False
    return _says_goodbye(turns[-1].text) and _says_goodbye(turns[-2].text)


def is_loop(turns: Sequence[Turn], speakers: int) -> bool:
    """Whether the talk goes in circles: a round was repeated word for word, or one said the same thrice running.

    Case does not count, nor what stands around the words.
    """
    speaker = turns[-1].speaker
    for turn in reversed(turns[-_LOOP_LENGTH * speakers : -1]):
        if turn.speaker == speaker:
            break
    else:
        return False
    if not _are_same(turn.text, turns[-1].text):  # nearly always
        return False
    own = [turn.text for turn in turns[-_LOOP_LENGTH * speakers :] if turn.speaker == speaker]
    if len(own) >= _LOOP_LENGTH and _are_same(own[-1], own[-_LOOP_LENGTH]):
        return True
    if len(turns) < 2 * speakers:
        return False
    last_round, round_before = turns[-speakers:], turns[-2 * speakers : -speakers]
    return all(_are_same(turn.text, past.text) for turn, past in zip(last_round, round_before, strict=True))


def _says_goodbye(text: str) -> bool:
    lowered = text.lower()
    for hint in _HINTS:  # much faster than the pattern, which few turns then need
        if hint in lowered:
            break
    else:
        return False
    return _GOODBYE.search(text) is not None and _GREETING_BYE.search(text) is None and not text.rstrip().endswith("?")


def _are_same(one: str, other: str) -> bool:
    return one.strip(_AROUND).casefold() == other.strip(_AROUND).casefold()
