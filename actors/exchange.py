"""The dialog of an agent with somebody outside the run, whose words come one call at a time."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from anyio import get_cancelled_exc_class

from ..engine.actor import ActorRef
from ..engine.completion import Completion
from ..engine.dialog import Context, Ending
from ..engine.messages import Consulted, EndMarked, Fact, FlawFound, Instructed, Uttered
from ..engine.performance import Performance
from .agent import Agent
from .chat_messages import facts_of, message_of
from .player import LookAhead, Part, TakeTurn
from .scenario import Scenario

__all__ = ["LEAVING", "LEFT", "Cue", "Exchange"]

_PARTNER = "partner"
LEFT = Ending(reason="finished", detail="partner left")


@dataclass(frozen=True, slots=True)
class Cue:
    """What the partner does: says something, which may be nothing, wants a lookahead, or leaves.

    instructions: what it has the agent told before, each with whether it stays.
    """

    kind: Literal["say", "lookahead", "leave"]
    text: str = ""
    instructions: tuple[tuple[str, bool], ...] = ()

    def advice(self, agent: str) -> tuple[Instructed, ...]:
        return tuple(Instructed(agent, "instruct", text, persistent=stays) for text, stays in self.instructions)


LEAVING = Cue("leave")


class Exchange(Scenario):
    """An agent, and its partner, whom no model plays.

    What the partner does is kept in the journal as what tools answer is: a replay has it from there. In a dialog that
    is taken up again the partner leaves, since it has gone.

    history: what was said before, as the agent's chat; see `chat_messages`.
    """

    history: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of(
        cls, agent: Agent, partner: str, *, context: Context | str | None = None, seed: int | None = None, **more: Any
    ) -> Self:
        return cls(cast=(agent, Agent(name=partner)), context=context, seed=seed, **more)

    @property
    def part(self) -> Part:
        """The agent's."""
        return self._parts[0]

    async def begin(self, performance: Performance) -> ActorRef:
        """Sets up the agent, with what was said before in its memory."""
        scope = performance.scope
        if self._has_secrets(performance.dialog):
            performance.keep_secrets()
        agent = self._spawn(self.part, performance)
        if len(scope.log) == 1:
            await scope.publish(*facts_of(map(message_of, self.history), *self.names))
        return agent

    async def cued(self, performance: Performance, give: Callable[[], Cue]) -> Cue:
        """What the partner does next: what the journal says that it did, or what it gives now."""

        async def given() -> str:
            return json.dumps(asdict(give()), ensure_ascii=False)

        (text,) = await performance.each_once([(_PARTNER, given)])
        performance.settle()
        content = json.loads(text)
        return Cue(content["kind"], content["text"], tuple((said, stays) for said, stays in content["instructions"]))

    async def speak(self, performance: Performance, agent: ActorRef, cue: Cue) -> Ending | None:
        """Has the agent answer; how the dialog ended, if it did. Raises what keeps the agent from speaking."""
        name, partner = self.names
        scope = performance.scope
        if cue.text:
            await scope.publish(Uttered(partner, cue.text))
        if performance.was_given_up(_PARTNER):
            return None
        try:
            turn = await scope.ask(agent, TakeTurn(cue.advice(name)))
        except get_cancelled_exc_class():
            performance.give_up_turn()
            raise
        await scope.publish(*turn)
        return _ending(turn)

    async def foresee(self, performance: Performance, agent: ActorRef, cue: Cue) -> Completion:
        """What the agent would say; only what that cost is left of it."""
        name, partner = self.names
        heard = Uttered(partner, cue.text) if cue.text else None
        foreseen = await performance.scope.ask(agent, LookAhead(heard, cue.advice(name)))
        await performance.scope.publish(Consulted(name, "", "lookahead", foreseen.text, foreseen.usage))
        performance.settle()
        return foreseen

    async def ended(self, performance: Performance, ending: Ending) -> Ending:
        """The ending, once the orchestrators have told what they have to tell of it."""

        async def as_it_is() -> Ending:
            return ending

        return await self._concluded(as_it_is(), performance) if self._have_last_word else ending

    def play(self, performance: Performance) -> Awaitable[Ending]:
        """Has the partner do again what it did. Raises what keeps the agent from speaking."""
        return self._played_again(performance)

    async def _played_again(self, performance: Performance) -> Ending:
        agent, ending = await self.begin(performance), None
        while ending is None:
            cue = await self.cued(performance, lambda: LEAVING)
            if cue.kind == "leave":
                ending = LEFT
            elif cue.kind == "lookahead":
                await self.foresee(performance, agent, cue)
            else:
                ending = await self.speak(performance, agent, cue)
        return await self.ended(performance, ending)


def _ending(turn: tuple[Fact, ...]) -> Ending | None:
    for fact in turn:
        if type(fact) is EndMarked:
            return Ending(reason="finished", detail="end marker")
        if type(fact) is FlawFound and fact.outcome == "ended":
            return Ending(reason="finished", detail=f"flaw: {fact.flaw}")
    return None
