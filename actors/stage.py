"""The actor that conducts one dialog: who speaks next, and when it is over."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..engine.actor import Actor, ActorRef, handles
from ..engine.dialog import Dialog, Ending
from ..engine.messages import EndMarked, Fact, Request
from .endings import are_goodbyes, is_loop
from .player import TakeTurn

__all__ = ["Conduct", "RoundRobin", "Stage", "TurnPolicy"]


class TurnPolicy(Protocol):
    """Decides who speaks. One object serves many dialogs: all it may go by is what it is given."""

    def next_speaker(self, cast: Sequence[str], dialog: Dialog) -> int | Awaitable[int]:
        """The place in `cast` of who speaks next; `dialog` is what was said so far, to be read only."""
        ...


@dataclass(frozen=True)
class RoundRobin:
    """Everyone in turn, in the order of the cast."""

    def next_speaker(self, cast: Sequence[str], dialog: Dialog) -> int:
        return len(dialog) % len(cast)


@dataclass(frozen=True, slots=True)
class Conduct(Request[Ending]):
    """Asks the stage to have the dialog played, from where it stands to its end."""


class Stage(Actor):
    """Asks one agent after another to speak, and publishes each turn before the next begins."""

    __slots__ = ("_cast", "_dialog", "_end_is_marked", "_max_turns", "_players", "_turn_policy")

    def __init__(
        self, cast: Sequence[str], players: Sequence[ActorRef], dialog: Dialog, turn_policy: TurnPolicy, max_turns: int
    ) -> None:
        self._cast = cast
        self._players = players
        self._dialog = dialog
        self._turn_policy = turn_policy
        self._max_turns = max_turns
        self._end_is_marked = False

    def fold(self, fact: Fact) -> None:
        if type(fact) is EndMarked:
            self._end_is_marked = True

    @handles(Conduct)
    async def conduct(self, request: Conduct) -> Ending:
        """How the dialog ended. Raises what keeps an agent from speaking."""
        while (ending := self._ending()) is None:
            choice = self._turn_policy.next_speaker(self._cast, self._dialog)
            speaker = choice if isinstance(choice, int) else await choice
            turn = await self.ask(self._players[speaker], TakeTurn())
            await self.publish(*turn)
        return ending

    def _ending(self) -> Ending | None:
        turns = self._dialog.turns
        if self._end_is_marked:
            return Ending(reason="finished", detail="end marker")
        if not turns:
            return None
        if are_goodbyes(turns):
            return Ending(reason="finished", detail="goodbyes")
        if is_loop(turns, len(self._cast)):
            return Ending(reason="finished", detail="loop")
        if len(turns) >= self._max_turns:
            return Ending(reason="turn_limit")
        return None
