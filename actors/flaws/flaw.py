"""A flaw of a reply: its kind, and the words that show it."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

__all__ = ["FLAWS", "Flaw", "Kind"]

Kind = Literal["meta_talk", "role_swap", "echo", "repetition", "goodbye_loop"]
FLAWS: tuple[Kind, ...] = get_args(Kind)


class Flaw(NamedTuple):
    kind: Kind
    evidence: str
