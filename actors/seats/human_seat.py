"""A seat for a person."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Literal

from pydantic import ConfigDict, SkipValidation
from pydantic.dataclasses import dataclass

from ...engine.completion import Backend
from ...engine.errors import SetupError
from ..agent import Agent

__all__ = ["HumanSeat", "for_one_person"]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", arbitrary_types_allowed=True))
class HumanSeat(Agent):
    """A person at the terminal speaks for this agent: is shown what the others say, and asked for each turn.

    "/quit", or the end of the input, ends the dialog as an agent's end marker does. What the person said is kept in the
    journal like any reply, so a resumed run does not ask for it again. There is one terminal: dialogs with a person in
    them are best played one at a time, and `playact run` plays them so.
    """

    prompt_template = "human_seat"

    _: KW_ONLY
    prompt_style: Literal["short", "full"] | None = "full"
    thinking_pattern: str | None = None
    model: str | SkipValidation[Backend] | None = "human"

    @property
    def own_name(self) -> str:
        return super().own_name or "Human"


def for_one_person(source: str, wanted: int | None) -> int:
    """How many dialogs with a person are played at once, who is in the cast of what `source` names.

    Raises `SetupError` when that is wanted in several at the same time.
    """
    if wanted is not None and wanted > 1:
        raise SetupError(
            f"{source} has a person in its cast, who can take part in one dialog at a time, "
            f"and {wanted} are to be played at once; leave concurrency out or say --concurrency 1"
        )
    return 1
