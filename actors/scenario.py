"""A scenario: the recipe of one dialog."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from functools import cached_property, partial
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SkipValidation

from ..engine.actor import ActorRef
from ..engine.dialog import Context, Dialog, Ending
from ..engine.performance import Performance
from .agent import Agent
from .orchestrators import Conclude, Orchestrator, OrchestratorActor, concludes, is_concluded
from .player import AgentActor, Part
from .prompts import PACKAGED, Prompts, prompts_of
from .stage import Conduct, RoundRobin, Stage, TurnPolicy
from .tools import Toolbox

__all__ = ["Scenario"]


class Scenario(BaseModel):
    """Who talks, where, and for how long. Never changes; may be played any number of times at once.

    cast: two agents or more, in the order of speaking. Those without a name are "Speaker 1", "Speaker 2"; of several
        with one name the later are numbered.
    context: where and why; an agent's own context holds where this is None.
    max_turns: the dialog has no more turns than this.
    seed: decides the dialog's random choices; None takes one from the run's seed. It has 64 bits.
    turn_policy: who speaks next, everyone in turn unless said otherwise.
    prompts: templates instead of those of the simulation or of playact; an agent's own hold before them. See `Prompts`.
    scenario, notes: kept in the dialog as they are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    cast: Annotated[tuple[Agent, ...], Field(min_length=2)]
    context: Context | str | None = None
    max_turns: Annotated[int, Field(ge=1)] = 100
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    turn_policy: SkipValidation[TurnPolicy] = RoundRobin()
    prompts: Annotated[SkipValidation[Prompts], BeforeValidator(prompts_of)] = PACKAGED
    scenario: str | dict[str, Any] | None = None
    notes: Any = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What the speakers are called, each differently."""
        names: list[str] = []
        for place, agent in enumerate(self.cast, 1):
            wanted = agent.own_name or f"Speaker {place}"
            name, count = wanted, 1
            while name in names:
                count += 1
                name = f"{wanted} {count}"
            names.append(name)
        return tuple(names)

    def dialog(self, **header: Any) -> Dialog:
        """The dialog before its first word. `header` is what the run has decided: id, seed, model and the like."""
        if self._versions:
            header["prompts"] = {**header.get("prompts", {}), **self._versions}
        contexts = (self.context, *(agent.context for agent in self.cast))
        dialog = Dialog(
            personas=self._personas,
            context=next((context for context in contexts if context is not None), None),
            scenario=self.scenario,
            notes=self.notes,
            **header,
        )
        dialog.model_fields_set.clear()  # it would take as much memory as all the values
        return dialog

    def play(self, performance: Performance) -> Awaitable[Ending]:
        """Puts the cast on a stage and has it talk to the end. Raises what keeps an agent from speaking."""
        scope = performance.scope
        players = tuple(self._spawn(part, performance) for part in self._parts)
        stage = partial(Stage, self.names, players, performance.dialog, self.turn_policy, self.max_turns)
        conducted = scope.ask(scope.spawn(stage, name="stage"), Conduct())
        return self._concluded(conducted, performance) if self._have_last_word else conducted

    def recipe(self) -> dict[str, Any]:
        """The scenario as JSON, but for its seed; see `recipes`."""
        from .recipes import recipe_of

        return recipe_of(self)

    async def _concluded(self, conducted: Awaitable[Ending], performance: Performance) -> Ending:
        """The ending, once the orchestrators that have something to tell of it have told it, all at once."""
        ending, scope = await conducted, performance.scope
        if not is_concluded(performance):
            advisers = [ref for ref in scope.refs if ref.name in self._have_last_word]
            await scope.publish(*[fact for ref in advisers for fact in await scope.ask(ref, Conclude())])
        return ending

    def _spawn(self, part: Part, performance: Performance) -> ActorRef:
        scope = performance.scope
        advisers = tuple(
            scope.spawn(
                partial(OrchestratorActor, orchestrator, name, part.name, part.agent, performance),
                name=f"{part.name}/{name}",
            )
            for name, orchestrator in part.advisers
        )
        return scope.spawn(partial(AgentActor, part, advisers, performance), name=part.name)

    @cached_property
    def _have_last_word(self) -> frozenset[str]:
        """The orchestrators that have something to tell at the end, by the names of their actors."""
        parts = self._parts
        return frozenset(f"{part.name}/{name}" for part in parts for name, each in part.advisers if concludes(each))

    @cached_property
    def _personas(self) -> dict[str, dict[str, Any]]:
        agents = zip(self.names, self.cast, strict=True)
        return {name: agent.persona.fields() if agent.persona else {} for name, agent in agents}

    @cached_property
    def _versions(self) -> dict[str, str]:
        """Fingerprints of the templates that are not the simulation's; an agent's own are under its name."""
        own = [(name, agent.prompts.versions) for name, agent in zip(self.names, self.cast, strict=True)]
        return self.prompts.versions | {f"{name}/{key}": version for name, all_ in own for key, version in all_.items()}

    @cached_property
    def _parts(self) -> tuple[Part, ...]:
        return tuple(self._part(place, agent) for place, agent in enumerate(self.cast))

    def _part(self, place: int, agent: Agent) -> Part:
        name = self.names[place]
        others = (other for other in self.names if other != name)
        return Part(
            agent=agent,
            name=name,
            others=tuple(others),
            context=self.context if self.context is not None else agent.context,
            toolbox=Toolbox(agent.tools, timeout_s=agent.tool_timeout_s) if agent.tools else None,
            prompts=agent.prompts.over(self.prompts),
            advisers=_told_apart(agent.orchestrators),
        )


def _told_apart(orchestrators: Sequence[Orchestrator]) -> tuple[tuple[str, Orchestrator], ...]:
    """Each by its label; of several with one label the later are numbered."""
    named: dict[str, Orchestrator] = {}
    for orchestrator in orchestrators:
        name, count = orchestrator.label, 1
        while name in named:
            count += 1
            name = f"{orchestrator.label} {count}"
        named[name] = orchestrator
    return tuple(named.items())
