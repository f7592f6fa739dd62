"""Outlines of scenarios: what can be told of their dialogs from prompts, limits and prices alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..engine.budget import Prices
from ..engine.budget.outline import Outline, Voice
from ..engine.completion import Backend, Capabilities, Parameters
from ..engine.dialog import Event, Turn
from ..engine.program.resumption import name_of
from ..engine.settings import overlaid
from .agent import Agent
from .prompts import is_short_for, system_prompt
from .scenario import Scenario

__all__ = ["Outliner"]


@dataclass(frozen=True, kw_only=True)
class Outliner:
    """Asks no model.

    backend: that of the run. sampling: how models sample where an agent does not say so itself.
    """

    backend: Backend
    prices: Prices
    sampling: Parameters

    def outline(self, scenario: Scenario) -> Outline:
        header = scenario.dialog(
            timestamp="2000-01-01T00:00:00Z", model={"name": self.backend.name}, seed=2**31, id="0" * 36
        )
        empty = len(header.to_line().encode("utf-8", "replace"))
        name = scenario.names[0]
        header.turns = [Turn(speaker=name, text="")]
        header.events = [Event(agent=name, action="utter", content="", timestamp=10**9)]
        voices = tuple(self._voice(scenario, place, agent) for place, agent in enumerate(scenario.cast))
        return Outline(
            voices=voices,
            max_turns=scenario.max_turns,
            header_bytes=empty + 60,  # its ending and its usage
            turn_bytes=len(header.to_line().encode("utf-8", "replace")) - empty,
        )

    def _voice(self, scenario: Scenario, place: int, agent: Agent) -> Voice:
        name = scenario.names[place]
        others = [other for other in scenario.names if other != name]
        is_short = is_short_for(agent, _capabilities_of(agent, self.backend))
        prompts = agent.prompts.over(scenario.prompts)
        prompt = system_prompt(
            agent, name, others, scenario.context or agent.context, is_short=is_short, prompts=prompts
        )
        price = self.prices.of(_model_of(agent, self.backend))
        limits = (None if price is None else price.max_output_tokens, _capabilities_of(agent, self.backend).max_tokens)
        asked = overlaid(agent.model_parameters, self.sampling).max_tokens
        longest = asked or min((each for each in limits if each is not None), default=None)
        return Voice(
            prompt_bytes=len(prompt.encode("utf-8", "replace")),
            longest_reply=longest,
            price=price,
            has_opening=place == 0 and bool(agent.first_utterance),
        )

    def unpriced(self, scenarios: Iterable[Scenario]) -> list[str]:
        """The models of which no price is known."""
        models = {_model_of(agent, self.backend) for scenario in scenarios for agent in scenario.cast}
        return sorted(model for model in models if self.prices.of(model) is None)


def _model_of(agent: Agent, backend: Backend) -> str:
    return backend.name if agent.model is None else name_of(agent.model)


def _capabilities_of(agent: Agent, backend: Backend) -> Capabilities:
    """Those of another model than the run's are not asked for: it would have to be made."""
    if agent.model is None:
        return backend.capabilities
    return Capabilities() if isinstance(agent.model, str) else agent.model.capabilities
