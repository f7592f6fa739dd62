"""What is left of a text that was cut off, when only its whole sentences are to be shown; also while it comes."""

from __future__ import annotations

import re

__all__ = ["WholeSentences", "whole_sentences"]

_END = re.compile(r"[.!?…][\"')]*(?=\s|$)")
_SURE_END = re.compile(r"[.!?…][\"')]*(?=\s)")  # whatever may follow yet


def whole_sentences(text: str) -> str:
    """Up to its last whole sentence; all of it where there is none."""
    end = _last(_END, text)
    return text[:end] if end else text


class WholeSentences:
    """Withholds of a text what may have to go if it proves to be cut off."""

    def __init__(self) -> None:
        self._withheld = ""
        self._has_given = False

    def add(self, text: str) -> str:
        """What can be given of it for sure."""
        self._withheld += text
        return self._give(_last(_SURE_END, self._withheld))

    def end(self, *, is_cut: bool) -> str:
        """What is given of the rest."""
        if not is_cut:
            return self._give(len(self._withheld))
        end = _last(_END, self._withheld)
        return self._give(end if end or self._has_given else len(self._withheld))

    def _give(self, end: int) -> str:
        given, self._withheld = self._withheld[:end], self._withheld[end:]
        self._has_given = self._has_given or bool(given)
        return given


def _last(ends: re.Pattern[str], text: str) -> int:
    return max((match.end() for match in ends.finditer(text)), default=0)
