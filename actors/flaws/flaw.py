"""A flaw of a reply: its kind, and the words that show it."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

__all__ = ["ADVICE", "FLAWS", "Flaw", "Kind"]

Kind = Literal["meta_talk", "role_swap", "echo", "repetition", "goodbye_loop"]
FLAWS: tuple[Kind, ...] = get_args(Kind)

# What a model is told that is asked again. It says what to do, not what went wrong: small models repeat what they read.
ADVICE: dict[str, str] = {
    "meta_talk": "Speak as a person in this conversation would, and of nothing outside it.",
    "role_swap": "Speak only for yourself, in your own role; leave to the others what is theirs to say.",
    "echo": "Answer in words of your own.",
    "repetition": "Say something new.",
    "goodbye_loop": "Everything is said. End with one short word of goodbye.",
}


class Flaw(NamedTuple):
    kind: Kind
    evidence: str
