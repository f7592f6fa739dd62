"""Takes apart what a model thought and what it says, where it wrote both into one text."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["THINKING_PATTERN", "Thinking"]

THINKING_PATTERN = r"<think>(.*?)</think>"

_HALVES = re.compile(r"(?P<begin>.+?)\(\.[*+]\??\)(?P<end>.+)", re.DOTALL)


class Thinking:
    """A regular expression for thoughts; its groups, or without any the whole match, are what was thought.

    Where it has the form `BEGIN(.*?)END`, no half of a thought is ever said: what follows a BEGIN without END was cut
    off while thinking, and what stands before an END without BEGIN was thought too, for some chat templates open the
    thought before the model writes its first word.
    """

    __slots__ = ("_begin", "_end", "_whole", "_words")

    def __init__(self, pattern: str) -> None:
        """Raises `ValueError` for what is no regular expression, and for one that matches where there is nothing."""
        self._whole = _compiled(pattern)
        halves = _HALVES.fullmatch(pattern)
        try:
            self._begin = _compiled(halves["begin"], self._whole.flags) if halves else None
            self._end = _compiled(halves["end"], self._whole.flags) if halves else None
        except ValueError:  # not a pattern in two halves after all, such as "((.*?))"
            self._begin = self._end = None
        are_words = halves is not None and all(re.escape(half) == half for half in halves.groups())
        self._words = halves.groups() if halves is not None and are_words else None

    @classmethod
    def of(cls, pattern: str) -> Thinking:
        """One object for each pattern."""
        return _made(pattern)

    def split(self, text: str) -> tuple[str, tuple[str, ...]]:
        """What is said, and the thoughts, in order; none of them is empty."""
        if self._is_plain(text):
            return text, ()
        whole_until = len(text)
        if self._end is not None:  # behind the last END each BEGIN would be followed to the end of the text, in vain
            whole_until = max((match.end() for match in self._end.finditer(text)), default=0)
        thoughts = [_thought(match) for match in self._whole.finditer(text, 0, whole_until)]
        said = self._whole.sub("", text[:whole_until]) + text[whole_until:]
        if self._end is not None and (ends := list(self._end.finditer(said))):
            thoughts.insert(0, self._end.sub("\n", said[: ends[-1].start()]).strip())
            said = said[ends[-1].end() :]
        if self._begin is not None and (begin := self._begin.search(said)):
            thoughts.append(self._begin.sub("\n", said[begin.end() :]).strip())
            said = said[: begin.start()]
        return said, tuple(thought for thought in thoughts if thought)

    def _is_plain(self, text: str) -> bool:
        """Most texts are, and are told so at once."""
        if self._words is not None:  # which are found faster than patterns
            begin, end = self._words
            return begin not in text and end not in text
        if self._begin is None or self._end is None:
            return self._whole.search(text) is None
        return self._begin.search(text) is None and self._end.search(text) is None


def _thought(match: re.Match[str]) -> str:
    return "\n".join(group for group in match.groups() or (match[0],) if group).strip()


def _compiled(pattern: str, flags: int = re.DOTALL) -> re.Pattern[str]:
    """`flags` are those of the whole for its halves: what its beginning says, as "(?i)", holds for its end too."""
    try:
        compiled = re.compile(pattern, flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    if compiled.search("") is not None:
        raise ValueError(f"{pattern!r} matches also where there is nothing")
    return compiled


@lru_cache(maxsize=64)
def _made(pattern: str) -> Thinking:
    return Thinking(pattern)
