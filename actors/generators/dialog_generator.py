"""Dialogs that a model writes in one call."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel

from ...engine.completion import Backend
from ...engine.dialog import Context, Dialog
from ...engine.simulation import Simulation
from ..prompts import PACKAGED, Prompts
from .alone import played
from .sampling import parameters_of
from .writing import LLMDialogOutput, Writing

__all__ = ["DialogGenerator", "LLMDialogOutput"]

T = TypeVar("T")


class DialogGenerator:
    """`dialog = await DialogGenerator("A short friendly greeting between two speakers").generate()`.

    dialogue_details: what the dialog is about. context, example_dialogs, scenario, personas: told to the model or kept
        in the dialog; all of them stay in it. output_format: `LLMDialogOutput` for a `Dialog`; another pydantic class
        or a JSON schema for a value of that form; None for the text as it comes.
    prompts: templates instead of those of the simulation or of playact, see `Prompts`; what it asks with is `template`,
        after NAME_system.
    model, llm_kwargs: as for an `AttributeModelGenerator`.

    For many at once have a simulation play what `writing` gives: `simulation.run([generator.writing()] * 1000)`.
    """

    template: ClassVar[str] = "dialog_generator"

    def __init__(
        self,
        dialogue_details: str,
        context: Context | str | None = None,
        example_dialogs: Sequence[Dialog] | None = None,
        scenario: str | Mapping[str, Any] | None = None,
        personas: Mapping[str, Mapping[str, Any]] | None = None,
        output_format: type[BaseModel] | Mapping[str, Any] | None = LLMDialogOutput,
        model: str | Backend | None = None,
        prompts: Prompts | str | Path | Mapping[str, str | Path] | None = None,
        **llm_kwargs: Any,
    ) -> None:
        self.dialogue_details = dialogue_details
        self.context = context
        self.example_dialogs = tuple(example_dialogs or ())
        self.scenario = scenario
        self.personas = {name: dict(persona) for name, persona in (personas or {}).items()}
        self.output_format = output_format or None
        self.model = model
        self.prompts = PACKAGED if prompts is None else Prompts.of(prompts)
        self.speakers: tuple[str, ...] = ()
        self.response_details = ""
        self._parameters = parameters_of(llm_kwargs)

    def prompt(self) -> str:
        """What the model is told before the dialog's details."""
        return self.writing().told(self.prompts)[0].text

    def writing(
        self,
        dialogue_details: str | None = None,
        context: Context | str | None = None,
        example_dialogs: Sequence[Dialog] | None = None,
        scenario: str | Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        notes: Any = None,
    ) -> Writing:
        """What a simulation plays to have one dialog; what is None is as the generator has it."""
        context = self.context if context is None else context
        examples = self.example_dialogs if example_dialogs is None else tuple(example_dialogs)
        return Writing(
            dialogue_details=dialogue_details or self.dialogue_details,
            response_details=self.response_details,
            example_dialogs=tuple(example.description() for example in examples),
            template=self.template,
            prompts=self.prompts,
            output_format=self.output_format,
            speakers=self.speakers,
            personas=self.personas,
            context=context,
            scenario=self.scenario if scenario is None else scenario,
            notes=notes,
            model=self.model,
            model_parameters=self._parameters,
            seed=seed,
        )

    async def generate(
        self,
        dialogue_details: str | None = None,
        context: Context | str | None = None,
        example_dialogs: Sequence[Dialog] | None = None,
        scenario: str | Mapping[str, Any] | None = None,
        seed: int | None = None,
        id: int | str | None = None,
        parent_id: int | str | None = None,
        notes: Any = None,
        *,
        simulation: Simulation | None = None,
        model: str | Backend | None = None,
    ) -> Any:
        """A `Dialog`, or what `output_format` says.

        Raises `DialogFailed` when it cannot be written, and `SetupError` when the model cannot be used.
        """
        writing = self.writing(dialogue_details, context, example_dialogs, scenario, seed=seed, notes=notes)
        if simulation is None:
            model, writing = model or writing.model, replace(writing, model=None)
        return self.result(_named(await played(writing, simulation, model), id, parent_id))

    async def __call__(self, *arguments: Any, **options: Any) -> Any:
        """As `generate`."""
        return await self.generate(*arguments, **options)

    def result(self, dialog: Dialog) -> Any:
        """What was generated, out of the dialog that a simulation has handed out for a `writing`."""
        if self.output_format is LLMDialogOutput:
            return dialog
        text = next(event.content for event in reversed(dialog.events or []) if event.action == "generate")
        if self.output_format is None:
            return text
        if isinstance(self.output_format, Mapping):
            return json.loads(text)
        return self.output_format.model_validate_json(text)


def _named(dialog: Dialog, id: int | str | None, parent_id: int | str | None) -> Dialog:
    dialog.id = dialog.id if id is None else id
    dialog.parentId = dialog.parentId if parent_id is None else parent_id
    return dialog
