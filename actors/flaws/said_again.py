"""What was said before and is said again: by another (an echo) or by the agent itself (a repetition)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from ...engine.dialog import Turn
from .speech import plain_numbers, words

__all__ = ["alike", "echo", "is_stuttered", "repetition", "stutter"]

_LOOKS_BACK = 6  # turns
_LONGEST = 400  # words of a turn that are compared
_SHORT_ECHO, _SHORT_REPEAT, _SHORT_PART = 6, 5, 8  # words: what is shorter is said again by anybody
_OWN_WORDS = 3  # an utterance has at least so many that are no formula
_PROBE = 12  # signs
_AT_THE_END = slice(-_PROBE - 2, -2)

_FORMULA = frozenset(
    "hello hi hey good morning evening afternoon night day how are you doing today nice to meet too thank thanks so "
    "very much have a great lovely wonderful pleasant weekend welcome bye goodbye see soon later take care merry "
    "christmas happy new year birthday easter congratulations sorry please same likewise my friend it is was "
    "pleasure talking with the and all best i'm i am you're fine well yes no okay ok sure of course really oh ah "
    "it's that's zero one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty "
    "seventy eighty ninety hundred double dash slash at dot point safe travels enjoy your meal trip family here "
    "cheers us god bless luck wish what not do don't know can help there be".split()
)
_AS_ANOTHER = {
    "i": "you", "i'm": "you're", "i'd": "you'd", "i'll": "you'll", "i've": "you've", "me": "you", "my": "your",
    "mine": "yours", "myself": "yourself", "am": "are",
}  # fmt: skip
_TURNED = {there: here for here, there in _AS_ANOTHER.items() if here != "me"} | _AS_ANOTHER
_AGREEING = frozenset("too also either likewise".split())
_AGREEMENT = re.compile(
    r"\b(?:as well|same here|so do i|me neither|you said|you say|you mean|did you say|you mentioned|you told|you're "
    r"saying|you are saying|as you put it|to quote you|you asked|you want(?:ed)? to know|your words|repeating|read "
    r"(?:it|that|this) back|i repeat|copy that|roger|to confirm|confirming)\b"
)
_ASKED_FOR_AGAIN = re.compile(
    r"\b(?:pardon|come again|say (?:that|it|this) again|repeat|what did you (?:just )?say|what was that|what's that|"
    r"(?:didn't|did not|couldn't|could not|can't|cannot|can not|don't) (?:quite |really )?(?:catch|hear|get|make|"
    r"understand|follow)|once more|one more time|again (?:please|slowly|slower|louder)|slower|louder|speak up|"
    r"breaking up|bad line|excuse me|sorry what|after me|say it with me|read (?:it|that|this) back|remind me|from "
    r"the top|word for word|loud in here|noisy|i missed (?:that|it)|say again|rehearse|practi[sc]e|all together|"
    r"everybody|everyone together)\b|^(?:sorry|what|huh|hm+|eh|who|where)\?"
)
_SENTENCE = re.compile(r"[^.!?\n;,]+")


def alike(text: str, turns: Sequence[Turn]) -> Sequence[Turn]:
    """Those of the last few turns that the text may say again: they have a piece of it, and all its numbers."""
    length = len(text)
    if length < 2 * _PROBE:
        return ()
    recent = turns[-_LOOKS_BACK:]
    if text.isupper() or text.islower():
        return recent
    middle = 2 * length // 5  # in whatever makes up three fifths of the text
    found = _having(text[middle : middle + _PROBE], recent)
    if not found:  # what was changed may just be there; then the last two turns are worth another look
        found = _having(text[_AT_THE_END], recent[-2:])
    if found:
        for number in plain_numbers(text):
            found = _having(number, found)
    return found


def is_stuttered(text: str) -> bool:
    """Whether the text may say one thing several times: then a piece of its end stands there twice."""
    return len(text) > 2 * _PROBE and text.count(text[_AT_THE_END]) > 1


def echo(text: str, speaker: str, turns: Sequence[Turn], alike: Sequence[Turn]) -> str | None:
    """What another has just said and this says again, or None; `alike` are the turns that come into question."""
    own = words(text)[:_LONGEST]
    for turn in reversed(turns[-_LOOKS_BACK:]):
        if turn.speaker == speaker:
            return None
        if turn in alike and _is_echo(own, words(turn.text)[:_LONGEST], text, turn.text):
            return turn.text
    return None


def repetition(text: str, speaker: str, turns: Sequence[Turn], alike: Sequence[Turn]) -> str | None:
    """What the agent itself has said a short time ago and says again, or None."""
    own = words(text)[:_LONGEST]
    if len(own) < _SHORT_REPEAT or not _is_own(own) or _is_asked_for(turns, speaker):
        return None
    for turn in reversed(alike):
        if turn.speaker == speaker and _is_repeat(own, words(turn.text)[:_LONGEST]):
            return turn.text
    return None


def stutter(text: str) -> str | None:
    """A sentence of three words or more that stands in the text three times, or a long one that does twice; or None."""
    counts: dict[tuple[str, ...], int] = {}
    for sentence in _SENTENCE.findall(text):
        key = tuple(words(sentence))
        counts[key] = counts.get(key, 0) + 1
        if (counts[key] >= 3 and len(key) >= 3) or (counts[key] == 2 and len(key) >= 6):
            return str(sentence.strip())
    return None


def _having(piece: str, turns: Sequence[Turn]) -> list[Turn]:
    found = []
    for turn in turns:  # a comprehension takes a third longer
        if piece in turn.text:
            found.append(turn)
    return found


def _is_asked_for(turns: Sequence[Turn], speaker: str) -> bool:
    """Whether the other has just asked to hear it again."""
    if not turns or turns[-1].speaker == speaker:
        return False
    return _ASKED_FOR_AGAIN.search(turns[-1].text.lower().replace("’", "'")) is not None


def _is_echo(own: list[str], heard: list[str], text: str, heard_text: str) -> bool:
    if min(len(own), len(heard)) < _SHORT_ECHO or not _is_own(heard):
        return False
    covers_heard, covers_own = _share(heard, own), _share(own, heard)
    is_all = covers_heard >= 0.8 and covers_own >= 0.6
    is_part = covers_own >= 0.9 and len(own) >= _SHORT_PART
    if not (is_all or is_part):
        return False
    return not (
        _is_turned_round(heard, own)
        or _numbers(own) - _numbers(heard)
        or (text.rstrip(" \"'”)*").endswith("?") and not heard_text.rstrip(" \"'”)*").endswith("?"))
        or (set(own) - set(heard)) & _AGREEING
        or _AGREEMENT.search(text.lower().replace("’", "'"))
        or _ASKED_FOR_AGAIN.search(heard_text.lower().replace("’", "'"))
    )


def _is_repeat(own: list[str], earlier: list[str]) -> bool:
    if len(earlier) < _SHORT_REPEAT or _numbers(own) != _numbers(earlier):
        return False
    covers_earlier, covers_own = _share(earlier, own), _share(own, earlier)
    is_same = covers_earlier >= 0.95 and covers_own >= 0.75
    return is_same or (len(earlier) >= _SHORT_PART and covers_earlier >= 0.95 and covers_own >= 0.6)


def _share(words: list[str], others: list[str]) -> float:
    """The share of words that stand in the others too, beside the same neighbour."""
    pairs = set(pairwise(others))
    is_next_same = [pair in pairs for pair in pairwise(words)]
    is_found = [left or right for left, right in zip([False, *is_next_same], [*is_next_same, False], strict=True)]
    return sum(is_found) / len(words)


def _is_own(words: list[str]) -> bool:
    """Whether there is more to it than greetings, numbers and other formulas."""
    return sum(word not in _FORMULA and not word.isdigit() for word in words) >= _OWN_WORDS


def _is_turned_round(heard: list[str], own: list[str]) -> bool:
    """Whether "I" has become "you" or the other way round, as when somebody makes sure of what was said."""
    turned = [_TURNED.get(word, word) for word in heard]
    pairs, own_pairs = set(pairwise(heard)), set(pairwise(own))
    return any(
        pair in own_pairs and pair not in pairs and was not in own_pairs
        for was, pair in zip(pairwise(heard), pairwise(turned), strict=True)
        if was != pair
    )


def _numbers(words: list[str]) -> set[str]:
    return {word for word in words if any(sign.isdigit() for sign in word)}
