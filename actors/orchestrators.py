"""Orchestrators advise an agent before it speaks: they read along and give instructions that nobody else hears."""

from __future__ import annotations

import copy
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as validated

from ..engine.actor import Actor, handles
from ..engine.dialog import Dialog, Instruction, Turn
from ..engine.messages import Instructed, Request

__all__ = [
    "Advise",
    "LengthOrchestrator",
    "Orchestrator",
    "OrchestratorActor",
    "SimpleReflexOrchestrator",
    "orchestrators_by_name",
]

Advice = str | Instruction | None


class Orchestrator(ABC):
    """Subclass this and write `instruct`; attach it with `agent | orchestrator` or `Agent(orchestrators=[...])`.

    One object serves any number of dialogs: each plays its own copy, see `fresh`. An instruction is seen by the one
    reply it is given for; one that is `persistent` stays for the rest of the dialog.
    """

    persistent: bool = False
    event_label: str | None = None

    @abstractmethod
    def instruct(self, dialog: Dialog, utterance: str) -> Advice | Awaitable[Advice]:
        """Advice for the agent that speaks next, or None. May be `async def`.

        `dialog` is what was said so far, to be read only; `utterance` its last turn, "" when the agent speaks first.
        """

    def fresh(self) -> Self:
        """The copy that one dialog plays, with its own state. Override it where a deep copy is not right."""
        return copy.deepcopy(self)

    @property
    def label(self) -> str:
        """The name that its instructions go by in the dialog's events."""
        return self.event_label or type(self).__name__


_CHECKED = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


@validated(frozen=True, kw_only=True, config=_CHECKED)
class _Stateless(Orchestrator):
    persistent: bool = False
    event_label: str | None = None

    def fresh(self) -> Self:
        return self


@validated(frozen=True, config=_CHECKED)
class SimpleReflexOrchestrator(_Stateless):
    """Gives `instruction` whenever `condition` holds for the other's last utterance.

    condition: a function of the utterance, or a regular expression that is searched in it, whatever the case.
    """

    condition: Callable[[str], bool] | str
    instruction: str

    def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        return self.instruction if self._holds(utterance) else None

    def _holds(self, utterance: str) -> bool:
        if isinstance(self.condition, str):
            return re.search(self.condition, utterance, re.IGNORECASE) is not None
        return self.condition(utterance)


@validated(frozen=True, config=_CHECKED)
class LengthOrchestrator(_Stateless):
    """Keeps a dialog going until it has `min` turns and winds it up when the next turn would be the last of `max`."""

    min: int | None = None
    max: int | None = None

    def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        turns = len(dialog)
        if self.min is not None and 1 < turns < self.min:
            return "Keep the conversation going; it is too early to say goodbye."
        if self.max is not None and turns >= self.max - 1:
            return "The conversation must end now: say goodbye in this reply."
        return None


def orchestrators_by_name() -> dict[str, type[Orchestrator]]:
    """Those that a scenario file can name."""
    return {kind.__name__: kind for kind in (SimpleReflexOrchestrator, LengthOrchestrator)}


@dataclass(frozen=True, slots=True)
class Advise(Request[Instructed | None]):
    """Asks an orchestrator for advice to the agent that is about to answer `utterance`."""

    utterance: str


class OrchestratorActor(Actor):
    """Plays an orchestrator's copy for one agent in one dialog."""

    __slots__ = ("_agent", "_dialog", "_hears", "_keeps_state", "_orchestrator")

    def __init__(
        self, orchestrator: Orchestrator, agent: str, dialog: Dialog, hears: Callable[[str], str] | None = None
    ) -> None:
        self._orchestrator = orchestrator.fresh()
        self._keeps_state = self._orchestrator is not orchestrator
        self._agent = agent
        self._dialog = dialog
        self._hears = hears

    @handles(Advise)
    async def advise(self, request: Advise) -> Instructed | None:
        advice = await self._instruct(self._dialog, request.utterance)
        if not advice:
            return None
        text = advice if isinstance(advice, str) else advice.text
        orchestrator = self._orchestrator
        return Instructed(self._agent, orchestrator.label, text, orchestrator.persistent)

    async def renewed(self) -> None:
        """Has the new copy live through the dialog so far, for the sake of what it keeps in mind."""
        for index, turn in enumerate(self._dialog.turns if self._keeps_state else ()):
            if turn.speaker == self._agent:
                turns = self._dialog.turns[:index]
                await self._instruct(self._dialog.model_copy(update={"turns": turns}), self._last_heard(turns))

    def _last_heard(self, turns: Sequence[Turn]) -> str:
        """As the agent had it in mind when it was to answer."""
        if not turns or turns[-1].speaker == self._agent:
            return ""
        return turns[-1].text if self._hears is None else self._hears(turns[-1].text)

    async def _instruct(self, dialog: Dialog, utterance: str) -> Advice:
        advice = self._orchestrator.instruct(dialog, utterance)
        if advice is None or isinstance(advice, str | Instruction):
            return advice
        return await advice
