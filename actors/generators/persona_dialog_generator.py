"""Dialogs between personas, written by one model, or played by agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...engine.attributes import AttributeModel
from ...engine.completion import Backend
from ...engine.dialog import Context, Dialog
from ...engine.log import logger
from ...engine.simulation import Simulation
from ..agent import Agent
from ..prompts import Prompts
from ..scenario import Scenario
from .alone import played
from .dialog_generator import DialogGenerator, _named

__all__ = ["PersonaDialogGenerator"]


class PersonaDialogGenerator(DialogGenerator):
    """`dialog = await PersonaDialogGenerator(alice, bob, dialogue_details="Explain one concept").generate()`.

    Personas: one model writes the whole dialog of two, and of `others` who take part. Agents: they play it, each with
    its own model and tools.
    The speakers are called `speaker_a`, `speaker_b`, and SPEAKER_C and so on unless `speakers` says all their names;
    agents go by their own.

    response_details: how each turn is to be. prompts: of agents those of their scenario. The rest as for
    `DialogGenerator`. Raises TypeError where personas and agents are mixed.
    """

    template = "persona_dialog_generator"

    def __init__(
        self,
        persona_a: AttributeModel | Agent,
        persona_b: AttributeModel | Agent,
        speaker_a: str = "SPEAKER_A",
        speaker_b: str = "SPEAKER_B",
        context: Context | str | None = None,
        example_dialogs: Sequence[Dialog] | None = None,
        dialogue_details: str = "",
        response_details: str = "",
        scenario: str | Mapping[str, Any] | None = None,
        model: str | Backend | None = None,
        prompts: Prompts | str | Path | Mapping[str, str | Path] | None = None,
        *,
        others: Sequence[AttributeModel | Agent] = (),
        speakers: Sequence[str] | None = None,
        **llm_kwargs: Any,
    ) -> None:
        if not (isinstance(speaker_a, str) and isinstance(speaker_b, str)):
            raise TypeError("speaker_a and speaker_b are names; a third persona and further ones go in others=[...]")
        cast = (persona_a, persona_b, *others)
        self._agents = tuple(each for each in cast if isinstance(each, Agent))
        if self._agents and len(self._agents) < len(cast):
            raise TypeError(
                "personas and agents do not go together; make an Agent of each persona, or give personas only"
            )
        if self._agents and dialogue_details:
            logger().warning("generator.details_ignored", reason="agents have their own dialogue_details")
        more = (f"SPEAKER_{chr(ord('C') + place)}" for place in range(len(others)))
        names = tuple(speakers) if speakers is not None else (speaker_a, speaker_b, *more)
        if len(set(names)) != len(cast):
            raise ValueError(f"{len(cast)} speakers need as many different names, not {', '.join(names)}")
        people = {} if self._agents else dict(zip(names, cast, strict=True))
        super().__init__(
            dialogue_details,
            context,
            example_dialogs,
            scenario,
            {name: each.fields() for name, each in people.items() if isinstance(each, AttributeModel)},
            model=model,
            prompts=prompts,
            **llm_kwargs,
        )
        self.speakers = () if self._agents else names
        self.response_details = response_details

    def scenario_of_agents(
        self,
        context: Context | str | None = None,
        example_dialogs: Sequence[Dialog] | None = None,
        scenario: str | Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        notes: Any = None,
        max_turns: int = 200,
    ) -> Scenario:
        """What a simulation plays where there are agents; what is None is as the generator has it."""
        examples = self.example_dialogs if example_dialogs is None else tuple(example_dialogs)
        cast = tuple(replace(each, example_dialogs=examples) if examples else each for each in self._agents)
        what = self.scenario if scenario is None else scenario
        return Scenario(
            cast=cast,
            prompts=self.prompts,
            context=self.context if context is None else context,
            scenario=dict(what) if isinstance(what, Mapping) else what,
            max_turns=max_turns,
            seed=seed,
            notes=notes,
        )

    async def generate(  # type: ignore[override]  # sdialog's order: no dialogue_details, which come with the personas
        self,
        context: Context | str | None = None,
        example_dialogs: Sequence[Dialog] | None = None,
        scenario: str | Mapping[str, Any] | None = None,
        seed: int | None = None,
        id: int | str | None = None,
        parent_id: int | str | None = None,
        max_turns: int = 200,
        notes: Any = None,
        *,
        simulation: Simulation | None = None,
        model: str | Backend | None = None,
    ) -> Dialog:
        """A `Dialog`. `max_turns` is for agents. Raises as `DialogGenerator.generate` does."""
        if self._agents:
            playable = self.scenario_of_agents(
                context, example_dialogs, scenario, seed=seed, notes=notes, max_turns=max_turns
            )
            return _named(await played(playable, simulation, model or self.model), id, parent_id)
        dialog: Dialog = await super().generate(
            None, context, example_dialogs, scenario, seed, id, parent_id, notes, simulation=simulation, model=model
        )
        return dialog
