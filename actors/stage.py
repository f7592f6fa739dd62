"""The actor that conducts one dialog: who speaks next, and when it is over."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from ..engine.actor import Actor, ActorRef, handles
from ..engine.dialog import Dialog, Ending
from ..engine.messages import EndMarked, Fact, FlawFound, Request
from .endings import are_goodbyes, is_loop
from .player import TakeTurn
from .turn_taking import RoundRobin, TurnPolicy

__all__ = ["Conduct", "RoundRobin", "Stage", "TurnPolicy"]


@dataclass(frozen=True, slots=True)
class Conduct(Request[Ending]):
    """Asks the stage to have the dialog played, from where it stands to its end."""


class Stage(Actor):
    """Asks one agent after another to speak, and publishes each turn before the next begins.

    `heard` is the dialog as everybody hears it, which is all that a turn policy is shown.
    """

    __slots__ = ("_cast", "_dialog", "_end_is_marked", "_flaw", "_heard", "_max_turns", "_players", "_turn_policy")

    def __init__(
        self,
        cast: Sequence[str],
        players: Sequence[ActorRef],
        dialog: Dialog,
        heard: Dialog,
        turn_policy: TurnPolicy,
        max_turns: int,
    ) -> None:
        self._cast = cast
        self._players = players
        self._dialog = dialog
        self._heard = heard
        self._turn_policy = turn_policy
        self._max_turns = max_turns
        self._end_is_marked = False
        self._flaw = ""

    def fold(self, fact: Fact) -> None:
        if type(fact) is EndMarked:
            self._end_is_marked = True
        elif type(fact) is FlawFound and fact.outcome == "ended":
            self._flaw = fact.flaw

    @handles(Conduct)
    async def conduct(self, request: Conduct) -> Ending:
        """How the dialog ended. Raises what keeps an agent from speaking."""
        while (ending := self._ending()) is None:
            choice = self._turn_policy.next_speaker(self._cast, self._heard)
            if not isinstance(choice, int):
                choice = await choice if isinstance(choice, Awaitable) else choice
                if choice is None:
                    return Ending(reason="finished", detail="turn policy")
            turn = await self.ask(self._player(choice), TakeTurn())
            await self.publish(*turn)
        return ending

    def _player(self, place: int) -> ActorRef:
        if not 0 <= place < len(self._players):
            policy, cast = type(self._turn_policy).__name__, ", ".join(self._cast)
            raise ValueError(f"{policy} gave the floor to place {place}; the places of {cast} count from 0")
        return self._players[place]

    def _ending(self) -> Ending | None:
        turns = self._dialog.turns
        if self._end_is_marked:
            return Ending(reason="finished", detail="end marker")
        if not turns:
            return None
        if self._flaw:
            return Ending(reason="finished", detail=f"flaw: {self._flaw}")
        if are_goodbyes(turns):
            return Ending(reason="finished", detail="goodbyes")
        if is_loop(turns, len(self._cast)):
            return Ending(reason="finished", detail="loop")
        if len(turns) >= self._max_turns:
            return Ending(reason="turn_limit")
        return None
