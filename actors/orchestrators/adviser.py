"""The actor that plays an orchestrator's copy for one agent in one dialog."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...engine.actor import Actor, handles
from ...engine.dialog import Dialog, Event, Instruction, Turn
from ...engine.messages import Consulted, EndMarked, Fact, Instructed, Noted, Request, Uttered
from ...engine.performance import Performance
from ...engine.quick import quick
from .desk import Desk, Lookahead, NotRecorded
from .orchestrator import Advice, Orchestrator

if TYPE_CHECKING:
    from ..agent import Agent

__all__ = ["Advise", "Conclude", "OrchestratorActor", "concludes", "is_concluded"]


@quick
@dataclass(frozen=True, slots=True)
class Advise(Request[tuple[Fact, ...]]):
    """Asks an orchestrator for advice to the agent that is about to answer `utterance`.

    The answer is what the turn begins with: what the orchestrator asked, its own events, then its instruction.
    """

    utterance: str
    lookahead: Lookahead


@dataclass(frozen=True, slots=True)
class Conclude(Request[tuple[Fact, ...]]):
    """Asks an orchestrator what it has to tell of a dialog that has come to its end."""


class OrchestratorActor(Actor):
    """Plays an orchestrator. `name` is what no other of the same agent is called."""

    __slots__ = ("_agent", "_desk", "_hears", "_is_own", "_name", "_orchestrator", "_performance")

    def __init__(
        self, orchestrator: Orchestrator, name: str, agent_name: str, agent: Agent, performance: Performance
    ) -> None:
        copy = orchestrator.fresh()
        self._is_own = copy is not orchestrator
        self._orchestrator = copy
        self._agent = agent_name
        self._name = name
        self._hears = agent.preprocess
        self._performance = performance
        self._desk: Desk | None = None
        if self._is_own:
            self._desk = Desk(performance, agent_name, name, agent)
            copy.seated(self._desk).reset()

    @handles(Advise)
    async def advise(self, request: Advise) -> tuple[Fact, ...]:
        """Raises what the orchestrator raises, and what its questions do."""
        if self._desk is not None:
            self._desk.begin(request.lookahead)
        advice = self._orchestrator.instruct(self._dialog, request.utterance)
        if not (advice is None or isinstance(advice, str | Instruction)):
            advice = await advice
        return self._facts(advice) if advice or self._desk is not None else ()

    @handles(Conclude)
    async def conclude(self, request: Conclude) -> tuple[Fact, ...]:
        if self._desk is not None:
            self._desk.begin()
        advice = await _had(self._orchestrator.conclude(self._dialog))
        return tuple(fact for fact in self._facts(advice) if type(fact) is not Instructed)

    async def renewed(self) -> None:
        """Has the new copy live through the dialog so far, for the sake of what it keeps in mind.

        It is told what it was answered then; a turn in which it would have to ask for more is passed over: it had no
        part in it.
        """
        if self._desk is None or not self._orchestrator.keeps_state:
            return
        dialog = self._dialog
        turns = dialog.turns
        for place, known in enumerate(self._consulted()):
            if place == len(turns) or turns[place].speaker != self._agent:
                continue
            self._desk.begin_again(place, known)
            shown = dialog.model_copy(update={"turns": turns[:place]})
            try:
                await _had(self._orchestrator.instruct(shown, self._last_heard(turns[:place])))
            except NotRecorded:
                continue

    @property
    def _dialog(self) -> Dialog:
        """What its agent has heard of it, and no more."""
        return self._performance.as_heard(self._agent)

    def _consulted(self) -> Iterator[list[Consulted]]:
        """What it was answered, turn by turn."""
        known: list[Consulted] = []
        for record in self._performance.scope.log:
            fact = record.fact
            if type(fact) is Consulted and fact.agent == self._agent and fact.by == self._name:
                known.append(fact)
            elif type(fact) is Uttered:
                yield known
                known = []

    def _last_heard(self, turns: Sequence[Turn]) -> str:
        """As the agent had it in mind when it was to answer."""
        if not turns or turns[-1].speaker == self._agent:
            return ""
        text = turns[-1].text
        return text if self._hears is None or not text else self._hears(text)

    def _facts(self, advice: Advice) -> tuple[Fact, ...]:
        facts = [] if self._desk is None else self._desk.facts
        if isinstance(advice, Instruction):
            events = advice.events or []
            facts += map(self._noted, [events] if isinstance(events, Event) else events)
            advice = advice.text
        if advice:
            orchestrator = self._orchestrator
            # Who keeps no count of what it said reads it there, and must not read another's.
            label = orchestrator.label if self._desk is None or orchestrator.keeps_state else self._name
            facts.append(Instructed(self._agent, label, advice, orchestrator.persistent))
        return tuple(facts)

    def _noted(self, event: Event) -> Noted:
        agent, label = event.agent or self._agent, event.actionLabel
        if label is None or label == self._orchestrator.label:
            label = self._name
        return Noted(agent, self._name, event.action, label, event.content)


async def _had(advice: Advice | Awaitable[Advice]) -> Advice:
    return advice if advice is None or isinstance(advice, str | Instruction) else await advice


def concludes(orchestrator: Orchestrator) -> bool:
    """Whether it has anything to say at the end."""
    return type(orchestrator).conclude is not Orchestrator.conclude


def is_concluded(performance: Performance) -> bool:
    """Whether what there is to say at the end is in the log, all at once, though not the end itself."""
    for record in reversed(performance.scope.log):
        if isinstance(record.fact, Uttered | EndMarked):
            return False
        if isinstance(record.fact, Noted | Consulted) and record.fact.by:
            return True
    return False
