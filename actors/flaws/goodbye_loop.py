"""Leave taken again and again: a farewell after one's own, with nothing but leave-taking between."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...engine.dialog import Turn
from .speech import clauses, plain_words, words

__all__ = ["HINTS", "goodbye_loop"]

# Words of which every farewell has one; nearly all of them are farewells in nothing but a word.
HINTS = frozenset(
    b"bye goodbye farewell long ciao adieu cheerio toodle see seeing care until till day evening night goodnight "
    b"weekend afternoon morning trip safe dreams soon one later again tomorrow cheers".split()
)

_KIND = r"(?:good|great|nice|lovely|wonderful|pleasant|fantastic|safe|beautiful|blessed|fine|splendid|super|amazing)"
_TIME = (
    r"(?:day|one|evening|night|weekend|afternoon|morning|trip|time|journey|week|flight|rest of (?:your|the) day|"
    r"sleep)"
)
# No phrase that may be repeated is others of them in a row: else each could be read in two ways, and a text of many of
# them in so many that looking at it never ends. A test counts them.
_LEAD = (
    r"(?:(?:well|ok|okay|alright|all right|right|so|and|then|again|yes|yep|yeah|anyway|oh|ah|aw|thanks|thank you|"
    r"thank you so much|thank you very much|please|do|sure|until then|till then|now|but|"
    r"just|once more|i say|we say|you|you too|to you|same to you|it's time to say|i'll say|i will say|let me say|i "
    r"wish you|wishing you|i hope you|hope you|may you|good) )*"
)
_CORE = (
    r"(?:good-?bye|good bye|bye(?:[ -]bye)*|bye now|farewell|so long|ciao|adieu|cheerio|ta ta|tata|toodle-?oo|see "
    r"(?:you|ya|u)|be seeing you|i'll see you|i will see you|we'll see you|take (?:good )?care(?: of (?:yourself|"
    r"you))?|(?:until|till) (?:next time|we meet again|then|tomorrow|later|our next \w+)|"
    rf"have (?:yourself )?an? (?:(?:very|really|absolutely|truly) )?{_KIND} {_TIME}|have an? (?:excellent|amazing) "
    rf"{_TIME}|(?:good ?night|good day|sleep well|sweet dreams|safe (?:travels|journey|trip)|stay (?:safe|well)|be "
    r"well)|(?:talk|speak|chat) (?:to you |with you )?(?:soon|later|again|tomorrow)|catch you later|later|later then|"
    r"cheers|(?:we'll|let's) (?:talk|speak|meet|be in touch) (?:again )?(?:soon|later|tomorrow)|all the best|a "
    r"(?:good|great|nice|lovely|wonderful) (?:day|evening|night|weekend|one))"
)
_TAIL = (
    r"(?: (?:for now|for today|then|again|soon|later|tomorrow|now|everyone|all|both|too|as well|next \w+|on \w+|at "
    r"\w+|around|there|in the \w+|and thanks|and thank you|my (?:dear )?friend|my dear|dear|"
    r"sir|madam|ma'am|folks|guys|sweetie|love|to you|and take care|and good luck|ahead|out there|with your "
    r"\w+))*(?: \w{1,20})?"
)
_FAREWELL = re.compile(f"{_LEAD}{_CORE}{_TAIL}(?: (?:and )?{_CORE}{_TAIL})?")
_POLITE = re.compile(
    r"(?:(?:well|oh|ah|and|aw|yes|so) )?(?:thanks|thank you|many thanks|you're (?:very |most )?welcome|you are "
    r"(?:very |most )?welcome|(?:you|same to you|to you|and you) ?(?:too|as well)?|likewise|the same to you|my "
    r"pleasure|pleasure|no problem|anytime|any time|don't mention it|not at all|glad (?:to|i could|we could|you)|"
    r"happy to|enjoy|it was (?:a pleasure|nice|lovely|great|good|wonderful)|great (?:talking|chatting|meeting|"
    r"speaking)|nice (?:talking|chatting|meeting|speaking)|lovely (?:talking|chatting|meeting|speaking)|looking "
    r"forward|i look forward|i will|i'll|will do|good luck|same here|i appreciate|take it easy|come (?:back|again)|"
    r"we hope|i hope|hope|okay|ok|alright|great|perfect|wonderful|sure|absolutely|of course|i'm glad|wishing you|"
    r"best wishes|best of luck|my friend)\b.{0,60}"
)
_NEW_BUSINESS = re.compile(
    r"\?|\b(?:wait|one (?:more|last) (?:thing|question)|before you go|forgot|forget|by the way|hold on|hang on|"
    r"another thing|let me|actually|just a (?:moment|second|minute)|your (?:change|receipt|bag|order|key|keys|coat|"
    r"umbrella|phone|wallet))\b",
    re.IGNORECASE,
)
_LONGEST = 40  # words of a turn that only takes leave


def goodbye_loop(text: str, speaker: str, turns: Sequence[Turn]) -> str | None:
    """The farewell that is one too many, or None."""
    own = next((place for place in range(len(turns) - 1, -1, -1) if turns[place].speaker == speaker), None)
    if own is None or HINTS.isdisjoint(plain_words(turns[own].text)):  # nearly always, and soon seen
        return None
    if not _takes_leave(text) or not all(_takes_leave(turn.text) for turn in turns[own:]):
        return None
    return _farewell_in(text) if _farewell_in(turns[own].text) else None


def _farewell_in(text: str) -> str | None:
    return next((clause for clause in clauses(text) if _FAREWELL.fullmatch(clause)), None)


def _takes_leave(text: str) -> bool:
    """Whether this is a farewell, or nothing but the politeness that goes with one."""
    if _NEW_BUSINESS.search(text) or len(words(text)) > _LONGEST:
        return False
    parts = clauses(text)
    if any(map(_FAREWELL.fullmatch, parts)):
        return True
    phrases = [part for part in parts if " " in part or _POLITE.fullmatch(part)]  # a single word may be a name
    return bool(phrases) and all(map(_POLITE.fullmatch, phrases))
