"""Text taken apart as speech: its words, its clauses, and what is only quoted in it. All in time linear in its "
"length."""

from __future__ import annotations

import re

__all__ = ["clauses", "plain_numbers", "plain_words", "unquoted", "words"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CLAUSE = re.compile(r"[^.!?,;:\n—–()\[\]*\"“”…]+")
_QUOTED = re.compile(r"\"[^\"\n]{1,400}\"|“[^”\n]{1,400}”|«[^»\n]{1,400}»|(?<![\w])['‘][^'’\n]{2,400}['’](?!\w)")
_FEW = 2
_PLAIN = bytes(sign if chr(sign).isalnum() and sign < 128 else 32 for sign in bytes(range(256)).lower())
_DIGITS = bytes(sign if sign in b"0123456789" else 32 for sign in range(256))


def words(text: str) -> list[str]:
    """In small letters, without what stands around them."""
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


def plain_words(text: str) -> list[bytes]:
    """As `words`, in a fifth of the time, for looking them up; what is no letter nor digit of ASCII is no word."""
    return text.encode("utf-8", "surrogatepass").translate(_PLAIN).split()


def plain_numbers(text: str) -> list[str]:
    """The numbers in it, of ASCII's digits alone, in a quarter of the time that a pattern takes."""
    return text.encode("utf-8", "surrogatepass").translate(_DIGITS).decode().split()


def clauses(text: str) -> list[str]:
    """What stands between commas, full stops and the like, in small letters."""
    found = (clause.strip() for clause in _CLAUSE.findall(text.lower().replace("’", "'")))
    return [" ".join(clause.split()) for clause in found if clause]


def unquoted(text: str) -> str:
    """The text without what is quoted in it, unless that is as good as all of it."""
    if _QUOTED.search(text) is None:
        return text
    rest = _QUOTED.sub(" ", text)
    return text if len(_WORD.findall(rest)) < _FEW else rest
