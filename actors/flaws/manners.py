"""What is to become of replies that have a flaw."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from .flaw import FLAWS

__all__ = ["Manners", "Reaction"]

Reaction = Literal["ignore", "record", "retry", "end"]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Manners:
    """What becomes of a reply that has a flaw, for each kind of flaw. All are seen in the words, no model is asked.

    meta_talk: speaks of itself as a program, of its prompt, or of the dialog as a text ("As an AI language model, …").
        A persona that is a machine may say that it is one.
    role_swap: speaks as another of the cast, writes another's lines, or addresses itself.
    echo: says again what another has just said.
    repetition: says again what the agent itself said not long ago, or one thing several times in a reply.
    goodbye_loop: takes leave once more, when nothing but leave-taking has come between.

    "ignore" does not look for it. "record" says the reply and adds a row to the dialog's events. "retry" asks for
    another reply, at most `retries` times a turn; what then still has a flaw is said and recorded. "end" says the reply
    and ends the dialog, as `ending.detail` says.
    """

    meta_talk: Reaction = "record"
    role_swap: Reaction = "record"
    echo: Reaction = "record"
    repetition: Reaction = "record"
    goodbye_loop: Reaction = "record"
    retries: Annotated[int, Field(ge=0)] = 2

    @classmethod
    def of(cls, value: Any) -> Any:
        """One reaction stands for that to all kinds, as in "retry"."""
        return cls.all(value) if isinstance(value, str) else value  # type: ignore[arg-type]  # checked by the class

    @classmethod
    def all(cls, reaction: Reaction) -> Self:
        return cls(**dict.fromkeys(FLAWS, reaction))  # type: ignore[arg-type]  # retries is none of them

    def to(self, kind: str) -> Reaction:
        reaction: Reaction = getattr(self, kind)
        return reaction
