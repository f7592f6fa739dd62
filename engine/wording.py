"""Numbers, lists and facts as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches

__all__ = ["counted", "dollars", "is_or_are", "listed", "meant", "sentences"]


def counted(number: object, noun: str) -> str:
    """So many of what has a plural in s: "1 dialog", "2 dialogs", "no dialogs"."""
    text = str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)
    return f"{text} {noun}" if text == "1" else f"{text} {noun}s"


def is_or_are(number: object) -> str:
    return "is" if number == 1 else "are"


def listed(names: Sequence[str]) -> str:
    """ "Bob, Eve and Zoë" """
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"


def sentences(opening: str, facts: Mapping[str, object]) -> str:
    """ "You are Alice. Role: barista. Personality: friendly." """
    said = (f"{key.replace('_', ' ').capitalize()}: {value}" for key, value in facts.items())
    return " ".join(part if part[-1] in ".!?" else f"{part}." for part in (opening, *said) if part)


def meant(name: str, known: Sequence[str]) -> str:
    """What a name that there is not may have been meant to be: "did you mean 'age'?", "there are age, name"."""
    close = get_close_matches(name, known, 1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known) or 'none'}"


def dollars(usd: float) -> str:
    """With cents and the hundredth of a cent, or two digits of what is less: "12.30", "0.0512", "0.000034"."""
    if not usd or usd >= 10:
        return f"{usd:.2f}"
    return f"{usd:.4f}" if usd >= 0.01 else f"{Decimal(f'{usd:.2g}'):f}"
