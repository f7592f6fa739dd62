"""Dialogs in other words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...engine.completion import Backend
from ...engine.dialog import Dialog
from ...engine.errors import DialogFailed, ReplyUnfit
from ...engine.simulation import Simulation
from ..prompts import PACKAGED, Prompts
from .alone import played
from .rewording import Rewording
from .sampling import parameters_of

__all__ = ["Paraphraser"]


class Paraphraser:
    """`new = await Paraphraser("Make it sound less robotic", target_speaker="Bot")(dialog)`.

    The new dialog has as many turns, by the same speakers; whose turns are not meant keep their words to the letter.
    Events that are no utterances are in their places; utterances have the new words. Its `parentId` is the id of the
    dialog that it is made from.

    extra_instructions: how to word it. target_speaker: whose turns, everybody's when None. turn_by_turn: a call for
        each turn, for small models. prompts: templates instead of those of the simulation or of playact, see
        `Prompts`: `paraphraser`, `paraphraser_turn`, `paraphraser_system`. model, llm_kwargs: as for an
        `AttributeModelGenerator`; what is not said here is as the run has it.

    For many at once have a simulation play what `rewording` gives.
    """

    def __init__(
        self,
        extra_instructions: str = "Keep names, numbers and other facts as they are, and make it sound natural.",
        target_speaker: str | None = None,
        turn_by_turn: bool = False,
        model: str | Backend | None = None,
        prompts: Prompts | str | Path | Mapping[str, str | Path] | None = None,
        **llm_kwargs: Any,
    ) -> None:
        self.extra_instructions = extra_instructions
        self.target_speaker = target_speaker
        self.turn_by_turn = turn_by_turn
        self.model = model
        self.prompts = PACKAGED if prompts is None else Prompts.of(prompts)
        self._parameters = parameters_of(llm_kwargs)

    def rewording(self, dialog: Dialog, target_speaker: str | None = None, *, seed: int | None = None) -> Rewording:
        """What a simulation plays to have the dialog in other words. Raises ValueError for who does not speak in it."""
        target = target_speaker or self.target_speaker
        speakers = dialog.get_speakers()
        if target is not None and target.casefold() not in (speaker.casefold() for speaker in speakers):
            raise ValueError(
                f"{target} does not speak in this dialog; there are {', '.join(speakers) or 'no speakers'}"
            )
        return Rewording(
            source=dialog,
            extra_instructions=self.extra_instructions,
            target_speaker=target,
            turn_by_turn=self.turn_by_turn,
            model=self.model,
            model_parameters=self._parameters,
            seed=seed,
            prompts=self.prompts,
        )

    async def __call__(
        self,
        dialog: Dialog,
        target_speaker: str | None = None,
        raise_on_validation_failure: bool = True,
        seed: int | None = None,
        *,
        simulation: Simulation | None = None,
        model: str | Backend | None = None,
    ) -> Dialog:
        """The new dialog; `dialog` stays as it is.

        raise_on_validation_failure: otherwise, where the model never gives as many turns as there are, the new dialog
        has the old words. Raises `DialogFailed`, ValueError, and `SetupError` when the model cannot be used.
        """
        rewording = self.rewording(dialog, target_speaker, seed=seed)
        if simulation is None:
            model, rewording = model or rewording.model, replace(rewording, model=None)
        try:
            return await played(rewording, simulation, model)
        except DialogFailed as error:
            ending = error.dialog.ending if isinstance(error.dialog, Dialog) else None
            if raise_on_validation_failure or ending is None or ending.detail != ReplyUnfit.__name__:
                raise
            return dialog.clone()

    def prompt(self) -> str:
        """How the model is told to word it."""
        return self.extra_instructions
