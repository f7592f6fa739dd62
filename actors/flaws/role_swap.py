"""One of the cast speaks as another: by the name it gives itself, whose lines it writes, or whom it speaks to."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .speech import unquoted

__all__ = ["Names"]

_LABEL = re.compile(
    r"(?:^|\n|[.!?)\]\"”*…] ?)[ \t]*(?:[-•] )?[*_>\"“\[(#-]{0,4}((?:(?:Mr|Mrs|Ms|Dr|Prof)\. )?[^\W\d_][\w "
    r"'’-]{0,39}?)[*_\])]{0,3}[ \t]?:(?=\s|[*_\"“]|\w)"
)
_ANYBODY = re.compile(r"user|human|assistant|ai|speaker [ab12]|person [ab12]|participant [ab12]")
_TITLE = r"(?:(?:Mr|Mrs|Ms|Miss|Dr|Prof|Professor|Doctor|Nurse|Officer|Captain|Father|Sister|Sir|Chef)\.? )?"
_NAME = r"([^\W\d_a-z][\w'’-]{0,30}(?: [^\W\d_a-z][\w'’-]{0,30}){0,2})"
_SELF = re.compile(
    rf"\b(?:[Ii] am|[Ii]['’]m|[Mm]y name is|[Mm]y name['’]s|[Mm]y full name is|[Nn]ame['’]s|[Cc]all me|[Ii] go by) "
    rf"(?:actually |really |still )?(?:the name |called )?{_TITLE}{_NAME}"
    r"(?!['’]s\b|-\w)"
)
_ON_LINE = re.compile(
    rf"\b(?:[Tt]his is|[Ii]t['’]s|[Ii]t is) {_TITLE}{_NAME} (?:speaking|calling|here|on the (?:line|phone))\b"
)
_HERE = re.compile(
    rf"(?:^|[.!?\n] ?|[,] )(?:(?:[Hh]i|[Hh]ello|[Hh]ey),? )?{_TITLE}{_NAME} (?:here|speaking)(?:[.!]|, (?:how|what|I|"
    rf"speaking|thank)|$)"
)
_AS = re.compile(
    rf"\b(?:[Aa]s|[Ss]peaking as|[Ss]peaking for|[Pp]laying|[Rr]ole of|[Vv]oice of|[Ii]n character as|"
    rf"[Rr]espond(?:ing)? as) {_TITLE}{_NAME}(?:,|:| here\b| again\b| now\b|$)(?=.{{0,80}}\b[Ii]\b|$)"
)
_GREETING = (
    r"(?:[Hh]i|[Hh]ello|[Hh]ey|[Hh]iya|[Tt]hanks|[Tt]hank you|[Gg]ood (?:morning|afternoon|evening|day|night|to see "
    r"you)|[Ww]elcome|(?:[Nn]ice|[Gg]reat|[Gg]ood|[Pp]leased|[Ll]ovely) to (?:meet|see) you|[Dd]ear|[Ss]ure|[Ss]orry|"
    r"[Gg]oodbye|[Bb]ye|[Gg]reetings|[Oo]f course|[Yy]es|[Nn]o|[Oo]kay|[Ww]ell|[Aa]bsolutely|[Cc]ertainly|[Oo]h|"
    r"[Gg]reat|[Ss]ee you(?: soon| later)?|[Cc]ongratulations|[Yy]ou(?:['’]re| are) (?:right|welcome)|[Tt]ake care|"
    r"[Ii] (?:agree|understand|see|know|hear you)|[Ll]isten|[Ll]ook|[Pp]lease|[Tt]ell me|[Ee]xcuse me|[Ww]hat do you "
    r"think|[Ss]ounds (?:good|great|perfect)|[Pp]erfect|[Nn]o problem|[Hh]ow are you(?: doing)?(?: today)?)"
)
_CALLED = re.compile(
    rf"(?:^|[.!?\n] ?)(?:(?:[Oo]h|[Ww]ell|[Aa]h|[Aa]nd),? )?{_GREETING}(?: again| so much| very much| there| back| "
    rf"then)?,? {_TITLE}{_NAME}"
    r"(?=\s*(?:[,.!?;…—–-](?!\w)|$))(?!,? (?:here|speaking|from|is|and I|is my)\b)"
)
_FIRST = re.compile(rf"(?:^|[.!?\n] ?){_TITLE}{_NAME}, (?=[^.!?\n]{{0,120}}\b(?:you|your|you['’]re)\b)")
_LAST = re.compile(
    rf"\b(?:you|your|yours|you['’]re|you['’]ll|you['’]d|us|please)\b[^.!?\n\"“”]{{0,120}}, {_TITLE}{_NAME}[.!?]"
)
_SUPPOSED = re.compile(
    r"\b(?:if|not|think|thinks|thought|believe|believes|say|says|said|suppose|imagine|pretend|wish|like|because|that|"
    r"sure|unless|whether|calls|call|told|until|when|since|as though|as if)(?: (?:that|me))? *$",
    re.IGNORECASE,
)
_SIGNED = re.compile(
    r"\b(?:regards|sincerely|yours|love|best|cheers|signed|truly|my name|name is|call me|called me|it['’]s me|says|"
    r"said|say|telling|asks|asked|yelled|shouted|told)\b[^.!?\n]{0,60}$|\b(?:i['’]m|i am)(?: (?:the|your|a|an) "
    r"\w{1,20}| \w{1,20})?,? $",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?\n]")
_NEAR = 200  # signs before or after a name that are looked at: all of a reply of many names would take its square


class Names:
    """What an agent is called, and what the others are."""

    __slots__ = ("_all_hints", "_hints", "_others", "_own", "_own_hint")

    def __init__(self, own: str, others: Sequence[str]) -> None:
        self._own = own
        self._others = others
        self._hints = tuple([other.split(" ", 1)[0] for other in others])
        first = own.split(" ", 1)[0]
        self._own_hint = "" if first in self._hints else first  # whoever else is called so may be meant
        self._all_hints = (":", *self._hints, *([self._own_hint] if self._own_hint else ()))

    def are_near(self, text: str) -> bool:
        """Whether a name or a label may be in the text."""
        for hint in self._all_hints:  # noqa: SIM110  # `any` takes three times as long
            if hint in text:
                return True
        return False

    def role_swap(self, text: str) -> str | None:
        """The words by which the agent takes another's part, or None."""
        if ":" in text and (label := self._label(text)) is not None:
            return label
        said = unquoted(text)
        if any(hint in said for hint in self._hints) and (claim := self._claim(said)) is not None:
            return claim
        return self._to_itself(said) if self._own_hint and self._own_hint in said else None

    def _label(self, text: str) -> str | None:
        """ "Bob: Yes, please." """
        for found in _LABEL.finditer(text):
            label = found[1].strip().casefold()
            if label == self._own.casefold():
                continue
            if any(label in (other.casefold(), other.split(" ", 1)[0].casefold()) for other in self._others):
                return found[0].strip()
            if _ANYBODY.fullmatch(label) and label != self._own.split(" ", 1)[0].casefold():
                return found[0].strip()
        return None

    def _claim(self, said: str) -> str | None:
        """ "My name is Bob." """
        for pattern in (_SELF, _ON_LINE, _HERE, _AS):
            for found in pattern.finditer(said):
                name = found[1].split()
                is_other = any(_may_be(name, other.split()) for other in self._others)
                if not is_other or _may_be(name, self._own.split()):
                    continue
                if pattern is not _SELF or not _is_supposed(said, found):
                    return found[0].strip()
        return None

    def _to_itself(self, said: str) -> str | None:
        """ "Hello Alice!", said by Alice."""
        own = self._own.split()
        for pattern in (_CALLED, _FIRST, _LAST):
            for found in pattern.finditer(said):
                if _may_be(found[1].split(), own) and not _ends_before(_SIGNED, said, found.start(1)):
                    return found[0].strip()
        return None


def _may_be(name: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether this may be short for the whole name, or have a surname more. "Bob Jones" is not "Bob Smith"."""
    first, *rest = name
    if first != whole[0]:
        return False
    return not rest or len(whole) == 1 or rest[0] in whole[1:]


def _is_supposed(said: str, found: re.Match[str]) -> bool:
    """Whether it is asked, denied or imagined: "You think I'm Bob?" """
    sentence_end = _SENTENCE_END.search(said, found.end(), found.end() + _NEAR)
    is_asked = sentence_end is not None and sentence_end[0] == "?"
    return is_asked or _ends_before(_SUPPOSED, said, found.start())


def _ends_before(pattern: re.Pattern[str], said: str, place: int) -> bool:
    """Whether the words just before the place fit a pattern that ends in `$`."""
    return pattern.search(said, max(0, place - _NEAR), place) is not None
