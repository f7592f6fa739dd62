"""A scenario: the recipe of one dialog."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from functools import cached_property, partial
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SkipValidation, ValidationError, model_validator

from ..engine.actor import ActorRef
from ..engine.attributes import AttributeModel
from ..engine.dialog import Context, Dialog, Ending
from ..engine.performance import Performance
from ..engine.program.resumption import name_of
from ..engine.said import has_secrets
from .agent import Agent
from .flaws import Manners, Watch
from .orchestrators import Conclude, OrchestratorActor, concludes, is_concluded
from .player import AgentActor, Part
from .problem import inside, problem
from .prompts import PACKAGED, Prompts, prompts_of
from .seats import Cast, HumanSeat, ProxyAgent
from .speech import Manner
from .speech.asides import AsidesAllowed
from .speech.channel import Channels
from .speech.earshot import HearingRule
from .speech.manner import TurnForm
from .stage import Conduct, Stage
from .tools import Toolbox
from .turn_taking import RoundRobin, TurnPolicy
from .turn_taking.turn_policy import Asking, Particular, policy_of

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
    channels: what a turn may be beside speech, such as "action" and "thought", where an agent does not say so itself.
    turn_form: how agents write what they say and do, as "markup" within a text or as "json".
    asides: whether and how agents may tell something to some of the others only; None lets nobody.
    hearing: who hears whom, as in {"Ana": ["Ben"]}; None lets all hear what is said to all.
    manners: what becomes of flawed replies of agents that do not say so themselves; recorded unless said otherwise.
    scenario, notes: kept in the dialog as they are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    cast: Cast
    context: Context | str | None = None
    max_turns: Annotated[int, Field(ge=1, lt=2**63)] = 100
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    prompts: Annotated[SkipValidation[Prompts], BeforeValidator(prompts_of)] = PACKAGED
    turn_policy: Annotated[TurnPolicy, SkipValidation(), BeforeValidator(policy_of)] = RoundRobin()
    channels: Channels = ()
    turn_form: TurnForm = "markup"
    asides: AsidesAllowed = None
    hearing: HearingRule = None
    manners: Annotated[Manners | None, BeforeValidator(Manners.of)] = None
    scenario: str | dict[str, Any] | None = None
    notes: Any = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What the speakers are called, each differently."""
        return _told_apart(agent.own_name or f"Speaker {place}" for place, agent in enumerate(self.cast, 1))

    def dialog(self, **header: Any) -> Dialog:
        """The dialog before its first word. `header` is what the run has decided: id, seed, model and the like."""
        if self._versions:
            header["prompts"] = {**header.get("prompts", {}), **self._versions}
        if self._models:
            header["model"] = {**header.get("model", {}), "agents": dict(self._models)}
        contexts = (self.context, *(agent.context for agent in self.cast))
        dialog = Dialog(
            context=next((context for context in contexts if context is not None), None),
            scenario=self.scenario,
            notes=self.notes,
            **header,
        )
        # Shared with the others until `minutes.close`; what is validated is copied.
        dialog.personas, dialog.model = self._personas, header.get("model")
        dialog.model_fields_set.clear()  # it would take as much memory as all the values
        return dialog

    def play(self, performance: Performance) -> Awaitable[Ending]:
        """Puts the cast on a stage and has it talk to the end. Raises what keeps an agent from speaking."""
        scope = performance.scope
        if self.prompts:
            performance.prompts = self.prompts.over(performance.prompts)
        if self._has_secrets(performance.dialog):
            performance.keep_secrets()
        players = tuple(self._spawn(part, performance) for part in self._parts)
        dialog, policy = performance.dialog, self.turn_policy
        if type(policy) is not RoundRobin and isinstance(policy, Asking):
            policy = policy.playing(performance)
        heard = performance.as_heard(None)
        stage = partial(Stage, self.names, players, dialog, heard, policy, self.max_turns)
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

    def _has_secrets(self, dialog: Dialog) -> bool:
        """Whether something may be said, or was said in what the dialog has behind it, that not all hear."""
        return self._has_manners or any(has_secrets(turn.model_extra) for turn in dialog.turns)

    @cached_property
    def _has_manners(self) -> bool:
        return any(part.manner is not None for part in self._parts)

    @model_validator(mode="after")
    def _suits_the_cast(self) -> Self:
        rules = {"turn_policy": self.turn_policy, "asides": self.asides, "hearing": self.hearing}
        for field, rule in rules.items():
            if type(rule) not in (RoundRobin, type(None)) and isinstance(rule, Particular):
                self._check(field, rule)
        for place, agent in enumerate(self.cast):
            if self.turn_form == "json" and agent.response_schema is not None:
                told = f"{agent.own_name} has a response_schema, so its turns cannot have the form of turn_form"
                raise problem(told, "cast", place, "response_schema")
        return self

    def _check(self, field: str, rule: Particular) -> None:
        """Raises pydantic's `ValidationError`, with the place."""
        try:
            rule.check(self.names)
        except ValidationError as error:
            raise inside(error, field) from error
        except ValueError as error:
            raise problem(str(error), field) from error

    @cached_property
    def _have_last_word(self) -> frozenset[str]:
        """The orchestrators that have something to tell at the end, by the names of their actors."""
        parts = self._parts
        return frozenset(f"{part.name}/{name}" for part in parts for name, each in part.advisers if concludes(each))

    @cached_property
    def _personas(self) -> dict[str, dict[str, Any]]:
        agents = zip(self.names, self.cast, strict=True)
        return {name: _known(agent.persona) for name, agent in agents}

    @cached_property
    def _versions(self) -> dict[str, str]:
        """Fingerprints of the templates that are not the simulation's; an agent's own are under its name."""
        own = [(name, agent.prompts.versions) for name, agent in zip(self.names, self.cast, strict=True)]
        return self.prompts.versions | {f"{name}/{key}": version for name, all_ in own for key, version in all_.items()}

    @cached_property
    def _models(self) -> dict[str, str]:
        """Those of agents that have one of their own."""
        agents = zip(self.names, self.cast, strict=True)
        return {name: _model_of(agent) for name, agent in agents if agent.model is not None}

    @cached_property
    def _parts(self) -> tuple[Part, ...]:
        return tuple(self._part(place, agent) for place, agent in enumerate(self.cast))

    def _part(self, place: int, agent: Agent) -> Part:
        name, manner = self.names[place], self._manner(self.names[place], agent)
        tools = agent.tools if manner is None else (*agent.tools, *manner.tools)
        others = tuple(other for other in self.names if other != name)
        manners = agent.manners or self.manners or Manners()
        return Part(
            agent=agent,
            name=name,
            others=others,
            context=self.context if self.context is not None else agent.context,
            prompts=agent.prompts.over(self.prompts),
            toolbox=Toolbox(tools, timeout_s=agent.tool_timeout_s) if tools else None,
            watch=Watch.over(name, others, agent.persona, manners),
            advisers=tuple(
                zip(_told_apart(each.label for each in agent.orchestrators), agent.orchestrators, strict=True)
            ),
            manner=manner,
        )

    def _manner(self, name: str, agent: Agent) -> Manner | None:
        """None for who speaks to all and does nothing else."""
        channels = self.channels if agent.channels is None else agent.channels
        if not channels and self.asides is None and self.hearing is None:
            return None
        return Manner(
            name=name,
            cast=self.names,
            channels=channels,
            asides=self.asides,
            hearing=self.hearing,
            turn_form="markup" if isinstance(agent, HumanSeat | ProxyAgent) else self.turn_form,
        )

    @property
    def has_human(self) -> bool:
        """Whether a person takes a seat."""
        return any(isinstance(agent, HumanSeat) for agent in self.cast)


def _model_of(agent: Agent) -> str:
    if isinstance(agent, ProxyAgent):
        return f"proxy:{agent.url}"  # its model says how it is called, which is nobody's business
    return name_of(agent.model or "")


def _told_apart(wanted: Iterable[str]) -> tuple[str, ...]:
    """Names that differ: of several that are the same the later are numbered."""
    names: list[str] = []
    for each in wanted:
        name, count = each, 1
        while name in names:
            count += 1
            name = f"{each} {count}"
        names.append(name)
    return tuple(names)


def _known(persona: AttributeModel | None) -> dict[str, Any]:
    """What a dialog keeps of a persona: what it says, and, where that is known, where it comes from."""
    if persona is None or not persona.has_metadata:
        return {} if persona is None else persona.fields()
    return persona.fields() | {"_metadata": persona.json()["_metadata"]}
