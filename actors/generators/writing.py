"""A text that a model writes in one call, a whole dialog or whatever else: what a simulation plays to have it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from pydantic import BaseModel

from ...engine.actor import Actor, handles
from ...engine.answer import answered
from ...engine.completion import Backend, CompletionRequest, Message, Parameters
from ...engine.dialog import Context, Dialog, Ending, Turn
from ...engine.errors import ReplyEmpty, ReplyInvalid
from ...engine.messages import Fact, Generated, Request, Thought, Uttered
from ...engine.performance import Performance
from ...engine.seeds import derive
from ...engine.structured import ReplySchema
from ...engine.thinking import THINKING_PATTERN, Thinking
from ..prompts import PACKAGED, Prompts, with_versions
from .sampling import model_entry

__all__ = ["LLMDialogOutput", "Writing"]

_AGENT = "writer"
_LONGEST_TEXT, _MOST_TURNS = 90, 8  # for models of some hundred million parameters, which find no end by themselves
_EMPTY_REPLIES = 3


class LLMDialogOutput(BaseModel):
    """A dialog as a model writes it."""

    dialog: list[Turn]


@dataclass(frozen=True, kw_only=True)
class Writing:
    """Never changes; may be played any number of times at once.

    dialogue_details, response_details, example_dialogs, personas, context: what the model is told, by `template` and
    that with "_system". prompts: templates of its own. system, task: a text in place of what a template says.
    output_format: what it answers: a dialog, something of another form, or, without any, plain text. speakers: the only
    ones who may speak in a dialog, when there are any. corrections: how often it is told what was wrong. personas,
    context, scenario, notes: of the dialog, where they stay as they are.
    """

    dialogue_details: str = ""
    response_details: str = ""
    example_dialogs: tuple[str, ...] = ()
    template: str = "dialog_generator"
    prompts: Prompts = PACKAGED
    system: str | None = None
    task: str | None = None
    output_format: type[BaseModel] | Mapping[str, Any] | None = LLMDialogOutput
    speakers: tuple[str, ...] = ()
    personas: Mapping[str, Any] = field(default_factory=dict)
    context: Context | str | None = None
    scenario: str | Mapping[str, Any] | None = None
    notes: Any = None
    model: str | Backend | None = None
    model_parameters: Parameters = Parameters()
    corrections: int = 2
    seed: int | None = None

    def dialog(self, **header: Any) -> Dialog:
        """The dialog before its first word."""
        model = model_entry(header.pop("model"), self.model, self.model_parameters)
        scenario = self.scenario if isinstance(self.scenario, str | None) else dict(self.scenario)
        return Dialog(
            personas=dict(self.personas),
            context=self.context,
            scenario=scenario,
            notes=self.notes,
            model=model,
            **with_versions(header, self.prompts),
        )

    def play(self, performance: Performance) -> Awaitable[Ending]:
        """Raises what keeps it from being written."""
        scope = performance.scope
        return scope.ask(scope.spawn(partial(Writer, self, performance), name=_AGENT), Write())

    def recipe(self) -> Mapping[str, Any]:
        """As JSON, but for the seed; see `recipes`."""
        from ..recipes import playable_recipe

        return playable_recipe(self)

    def told(self, prompts: Prompts) -> tuple[Message, Message]:
        """What the model is told: what it is to do, and then this dialog. Raises `PromptInvalid`."""
        if (told := self._told.get(prompts)) is None:
            told = self._told[prompts] = self._rendered(prompts)
        return told

    def _rendered(self, prompts: Prompts) -> tuple[Message, Message]:
        system, task = self.system, self.task
        if system is None:
            context = self.context
            system = prompts.render(
                f"{self.template}_system",
                context=context if isinstance(context, str | None) else context.json(output_metadata=False),
                example_dialogs=self.example_dialogs,
            )
        if task is None:
            values: dict[str, Any] = {"dialogue_details": self.dialogue_details}
            if self.speakers:
                values |= {
                    "speakers": self.speakers,
                    "personas": self.personas,
                    "response_details": self.response_details,
                }
            task = prompts.render(self.template, **values)
        return Message("system", system), Message("user", task)

    @cached_property
    def _told(self) -> dict[Prompts, tuple[Message, Message]]:
        return {}

    def form(self, *, is_small: bool) -> ReplySchema:
        """What a reply must be, where it is no plain text."""
        if self.output_format is LLMDialogOutput:
            return ReplySchema.of(_dialog_schema(self.speakers, is_small=is_small))
        assert self.output_format is not None
        return ReplySchema.of(self.output_format)


@dataclass(frozen=True, slots=True)
class Write(Request[Ending]):
    """Asks for the text; it is published when it is whole."""


class Writer(Actor):
    """Has it written, and publishes it as a whole: a dialog as its turns, anything else as what was generated."""

    __slots__ = ("_is_written", "_performance", "_prompts", "_writing")

    def __init__(self, writing: Writing, performance: Performance) -> None:
        self._writing = writing
        self._performance = performance
        self._prompts = writing.prompts.over(performance.prompts)
        self._is_written = False

    def fold(self, fact: Fact) -> None:
        if type(fact) is Uttered or type(fact) is Generated:
            self._is_written = True

    @handles(Write)
    async def write(self, request: Write) -> Ending:
        """Raises `BackendError` when the model cannot be had, `ReplyUnfit` when it never answers in the form asked for,
        `ReplyEmpty` when it keeps saying nothing.
        """
        attempt = 0
        while not self._is_written:
            try:
                await self.publish(*await self._written(attempt))
            except ReplyInvalid as error:
                attempt += 1
                if not self._performance.may_take_turn_again(error, attempt):
                    raise
        return Ending(reason="finished", detail="generated")

    async def _written(self, attempt: int) -> tuple[Fact, ...]:
        writing, performance = self._writing, self._performance
        backend = await performance.backend(writing.model)
        if not writing.output_format:
            return await self._plain(backend, attempt)
        form = writing.form(is_small=backend.capabilities.is_small)
        answer = await answered(
            performance, backend, self._request(attempt), form, agent=_AGENT, corrections=writing.corrections
        )
        if writing.output_format is not LLMDialogOutput:
            return (*answer.facts, Generated(_AGENT, answer.text, answer.usage))
        first, *others = answer.value["dialog"]
        turns = (Uttered(turn["speaker"], turn["text"].strip()) for turn in others)
        return (*answer.facts, Uttered(first["speaker"], first["text"].strip(), answer.usage), *turns)

    async def _plain(self, backend: Backend, attempt: int) -> tuple[Fact, ...]:
        for _ in range(_EMPTY_REPLIES):
            completion = await self._performance.complete(backend, self._request(attempt))
            text, thoughts = Thinking.of(THINKING_PATTERN).split(completion.text)
            facts = [Thought(_AGENT, thought) for thought in (completion.thinking, *thoughts) if thought]
            if text.strip():
                return (*facts, Generated(_AGENT, text.strip(), completion.usage))
        raise ReplyEmpty(_AGENT, _EMPTY_REPLIES)

    def _request(self, attempt: int) -> CompletionRequest:
        performance, writing = self._performance, self._writing
        sequence = performance.calls
        return CompletionRequest(
            messages=writing.told(self._prompts),
            parameters=performance.parameters(writing.model_parameters),
            seed=derive(performance.seed, _AGENT, sequence),
            dialog=performance.id,
            sequence=sequence,
            attempt=attempt,
            age=performance.number,
        )


def _dialog_schema(speakers: tuple[str, ...], *, is_small: bool) -> dict[str, Any]:
    text: dict[str, Any] = {"type": "string", "minLength": 1}
    speaker: dict[str, Any] = {"type": "string", "enum": list(speakers)} if speakers else dict(text)
    turns: dict[str, Any] = {"type": "array", "minItems": 1}
    if is_small:
        text["maxLength"] = _LONGEST_TEXT
        if not speakers:
            speaker["maxLength"] = _LONGEST_TEXT // 4
        turns |= {"minItems": 2, "maxItems": _MOST_TURNS}
    turn = {"type": "object", "properties": {"speaker": speaker, "text": text}, "required": ["speaker", "text"]}
    return {"type": "object", "properties": {"dialog": {**turns, "items": turn}}, "required": ["dialog"]}
