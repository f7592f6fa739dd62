"""What every orchestrator is: it reads along, and advises an agent before it speaks; nobody else hears it."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from json import dumps
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, overload

from ...engine.completion import Backend, Message, Parameters
from ...engine.dialog import Dialog, Event, Instruction
from ...engine.embedding import Embedder
from ...engine.errors import PlayactError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ..agent import Agent
    from .desk import Desk

__all__ = ["Advice", "BaseOrchestrator", "BasePersistentOrchestrator", "Orchestrator"]

Advice = str | Instruction | None

_NO_PARAMETERS = Parameters()


class Orchestrator(ABC):
    """Subclass this and write `instruct`; attach it with `agent | orchestrator` or `Agent(orchestrators=[...])`.

    One object serves any number of dialogs: each plays its own copy, see `fresh`. An instruction is seen by the one
    reply it is given for; one that is `persistent` stays for the rest of the dialog.

    In `instruct` an orchestrator may draw from `random`, `ask` a model, have something outside done `once`, and hear
    what its agent is about to say, from `agent_response_lookahead`. All of it repeats: the same run with the same
    replies comes to the same, and a dialog that is taken up again asks for nothing a second time.
    """

    persistent: bool = False
    event_label: str | None = None

    keeps_state: ClassVar[bool] = True  # off: what it does depends on what it is shown, its notes and `random` alone

    _desk: Desk | None = None

    def __init__(
        self, target_agent: None = None, persistent: bool | None = None, event_label: str | None = None
    ) -> None:
        """Raises TypeError for a `target_agent`, which has sdialog's place: that is whom this is attached to."""
        if target_agent is not None:
            raise TypeError("an orchestrator advises the agent that it is attached to: agent | orchestrator")
        if persistent is not None:
            self.persistent = persistent
        if event_label is not None:
            self.event_label = event_label

    @abstractmethod
    def instruct(self, dialog: Dialog, utterance: str) -> Advice | Awaitable[Advice]:
        """Advice for the agent that speaks next, or None. May be `async def`.

        `dialog` is what was said so far, to be read only; `utterance` its last turn, "" when the agent speaks first.
        The events of an `Instruction` are recorded before it, with the time of the recording; where its text is empty
        they are all there is.
        """

    def conclude(self, dialog: Dialog) -> Advice | Awaitable[Advice]:
        """What there is to record when the dialog has come to its end: an `Instruction` of events, or None.

        Called once, unless the dialog fails or is cut short. Nobody is advised any more, so a text is not used.
        """
        return None

    def reset(self) -> None:  # noqa: B027  # a hook, for those that need it
        """Called on the copy that a dialog plays, before the dialog's first word."""

    def fresh(self) -> Self:
        """The copy that one dialog plays, with its own state. Override it where a deep copy is not right."""
        return copy.deepcopy(self) if self.keeps_state else copy.copy(self)

    @property
    def label(self) -> str:
        """The name that its instructions go by in the dialog's events."""
        return self.event_label or type(self).__name__

    @property
    def target_agent(self) -> str:
        """The name of the agent that it advises, "" before it plays."""
        return "" if self._desk is None else self._desk.agent

    @property
    def random(self) -> Random:
        """Chance, for this turn: decided by the dialog's seed, the agent, the orchestrator and the turn, nothing else.

        Raises `PlayactError` outside a dialog, as all that follows does.
        """
        return self._at_desk().random

    @property
    def notes(self) -> Sequence[Event]:
        """The events that it has had recorded in this dialog, in order; a dialog taken up again has them too."""
        return self._at_desk().notes

    @property
    def given(self) -> int:
        """How many instructions it has given in this dialog; only for those that keep no state themselves."""
        return self._at_desk().given

    def note(self, action: str, content: object) -> Event:
        """An event of its own, to be recorded with an `Instruction`; `content` is plain JSON."""
        return Event(agent=self.target_agent, action=action, actionLabel=self.label, content=content, timestamp=0)

    def render(self, template: str, /, **values: object) -> str:
        """A packaged template, or what the agent, the scenario or the run has instead, with its values filled in.

        Raises `PromptInvalid`.
        """
        return self._at_desk().render(template, values)

    async def ask(
        self,
        question: str | Sequence[Message],
        *,
        model: str | Backend | None = None,
        parameters: Parameters = _NO_PARAMETERS,
    ) -> str:
        """A model's answer; the model is that of the agent unless said otherwise.

        The call waits its turn like any other, is paid from the same budget and kept in the journal. Raises
        `BackendError` when no answer can be had, `ReplyEmpty` when the model keeps saying nothing.
        """
        return await self._at_desk().ask(question, model, parameters)

    async def ask_for(
        self,
        form: Mapping[str, Any] | type[BaseModel],
        question: str | Sequence[Message],
        *,
        model: str | Backend | None = None,
        parameters: Parameters = _NO_PARAMETERS,
    ) -> Any:
        """As `ask`, for a value: that of a JSON schema, or an object of a pydantic model.

        A reply that does not fit is asked for again, with the problem. Raises `ReplyUnfit` when none fits.
        """
        return await self._at_desk().ask_for(form, question, model, parameters)

    async def once(self, key: str, do: Callable[[], Awaitable[str]]) -> str:
        """What something outside gives, such as a search; done once, then kept in the journal. `key` says what it is.

        What was being done when the process was killed is done again.
        """
        return await self._at_desk().once(key, do)

    async def nearest(self, text: str, texts: Sequence[str], *, count: int, embedder: str | Embedder) -> list[int]:
        """The places in `texts` of the `count` that mean most nearly what `text` means, the nearest first.

        Found out once, then kept in the journal. Raises `SetupError` when the embedder cannot be used, `BackendError`
        when it fails.
        """
        return await self._at_desk().nearest(text, texts, count, embedder)

    async def agent_response_lookahead(self) -> str:
        """What the agent would say now, without the advice of this turn.

        Its model is asked, offered no tools; nothing of it stays in anyone's memory.
        """
        return await self._at_desk().lookahead()

    def get_event_label(self) -> str:
        return self.label

    def get_target_agent(self) -> Agent | None:
        """The agent that it advises, by the name that it has in the dialog; None before it plays."""
        return None if self._desk is None else self._desk.target

    def is_persistent(self) -> bool:
        return self.persistent

    def set_persistent(self, value: bool) -> None:
        """Has its instructions stay from now on, or not; in a dialog this holds for that dialog's copy."""
        self.persistent = value

    @overload
    def json(self, string: Literal[False] = False, indent: int | None = None) -> dict[str, Any]: ...
    @overload
    def json(self, string: Literal[True], indent: int | None = None) -> str: ...
    def json(self, string: bool = False, indent: int | None = None) -> dict[str, Any] | str:
        """Its class and what it was made with; as text, code goes by its name."""
        if is_dataclass(self):
            made_with = {field.name: getattr(self, field.name) for field in fields(self)}
        else:
            made_with = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        content = {"name": type(self).__name__, "args": made_with}
        return dumps(content, indent=indent, ensure_ascii=False, default=_told) if string else content

    def __str__(self) -> str:
        content = self.json()
        return f"{content['name']}({', '.join(f'{name}={value!r}' for name, value in content['args'].items())})"

    def seated(self, desk: Desk) -> Self:
        """Itself, from now on with a desk: with what `ask` and the like go through."""
        object.__setattr__(self, "_desk", desk)  # some are frozen
        return self

    def _at_desk(self) -> Desk:
        if self._desk is None:
            raise PlayactError(
                f"{self.label} can ask, draw and look ahead only while it plays in a dialog, in a copy of its own: "
                "let `fresh` give a copy"
            )
        return self._desk


def _told(value: object) -> str:
    return getattr(value, "__qualname__", None) or repr(value)


BaseOrchestrator = Orchestrator  # sdialog's name


class BasePersistentOrchestrator(Orchestrator):
    """One whose instructions stay for the rest of the dialog, however it is made."""

    persistent: bool = True
