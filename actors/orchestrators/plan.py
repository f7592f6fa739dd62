"""A plan that an agent follows, step by step, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from pydantic import BaseModel, ConfigDict, SkipValidation
from pydantic.dataclasses import dataclass

from ...engine.completion import Backend, Message, Parameters
from ...engine.dialog import Dialog, Event, Instruction, Turn
from .check import Check
from .rule import CHECKED, Pattern, Rule, Texts, several

__all__ = ["PlanOrchestrator", "PlanStep"]


class PlanStep(BaseModel):
    """One step of a plan.

    tell: what the agent is told to do. check: how it is known to be done; a string is a regular expression.
    next: the steps of which one comes then; by default the one that stands behind it, and none after the last.
    required: whether it is missed when the dialog ends without it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tell: str
    check: Check | Pattern
    next: Texts | None = None
    required: bool = True

    @property
    def done(self) -> Check:
        return Check(pattern=self.check) if isinstance(self.check, str) else self.check


class _YesNo(BaseModel):
    model_config = ConfigDict(extra="forbid")

    answer: bool


@dataclass(frozen=True, config=CHECKED)
class PlanOrchestrator(Rule):
    """Leads its agent through a flow graph: before each turn it tells the next step, until that is known to be done.

    A step that is done is recorded as an event, `step_reached`, with the turn that did it; the plan as a whole as
    `plan_done` when no step follows. When the dialog ends, `plan_ended` says which steps were reached, which of the
    required ones were missed, and whether the plan was done.

    steps: by name. start: the first step, or several of which one is; by default the first that is listed.
    model, model_parameters: for checks that are questions; the agent's own model unless said otherwise.
    """

    steps: Mapping[str, PlanStep]
    start: Texts = ()
    model: str | SkipValidation[Backend] | None = None
    model_parameters: Parameters = Parameters()

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("steps must name one at least")
        named = [("start", self.start), *((name, step.next) for name, step in self.steps.items())]
        for place, names in named:
            for name in several(names):
                if name not in self.steps:
                    raise ValueError(
                        f"{place} leads to {name!r}, which is no step; known here: {', '.join(self.steps)}"
                    )

    def following(self, name: str) -> tuple[str, ...]:
        """The steps that may come after a step."""
        step = self.steps[name]
        if step.next is not None:
            return several(step.next)
        return next(((after,) for before, after in pairwise(self.steps) if before == name), ())

    async def instruct(self, dialog: Dialog, utterance: str) -> Instruction | None:
        events = await self._looked(dialog)
        steps = self._open(events)
        if steps:
            return Instruction(text=self._told(steps), events=events)
        return Instruction(text="", events=events) if events else None

    async def conclude(self, dialog: Dialog) -> Instruction:
        events = await self._looked(dialog)
        reached = [str(note.content["step"]) for note in _steps((*self.notes, *events))]
        missed = [name for name, step in self.steps.items() if step.required and name not in reached]
        ended = {"reached": reached, "missed": missed, "is_done": not self._open(events)}
        return Instruction(text="", events=[*events, self.note("plan_ended", ended)])

    def _open(self, events: list[Event]) -> tuple[str, ...]:
        """The steps of which one comes now; none when the plan is done."""
        steps = _steps((*self.notes, *events))
        return (
            self.following(str(steps[-1].content["step"]))
            if steps
            else several(self.start) or (next(iter(self.steps)),)
        )

    async def _looked(self, dialog: Dialog) -> list[Event]:
        """What is new since the agent's last turn. One turn may do several steps, each of them once."""
        events: list[Event] = []
        turns = dialog.turns
        while names := self._open(events):
            done = _steps((*self.notes, *events))
            last = int(done[-1].content["turn"]) if done else 0
            places = {str(note.content["step"]): int(note.content["turn"]) for note in done}
            found: tuple[int, str] | None = None
            for name in names:
                begin = max(last, places.get(name, -1) + 1)
                place = await self._place(self.steps[name].done, turns, begin)
                if place is not None and (found is None or place < found[0]):
                    found = place, name
            if found is None:
                return events
            events.append(self.note("step_reached", {"step": found[1], "turn": found[0]}))
        if events:
            events.append(self.note("plan_done", {"steps": len(_steps((*self.notes, *events)))}))
        return events

    async def _place(self, check: Check, turns: list[Turn], begin: int) -> int | None:
        if check.question is None:
            return check.first(turns, begin, self.target_agent)
        if begin >= len(turns):
            return None
        said = "\n".join(map(str, turns[begin:]))
        question = (
            Message("system", self.render("plan_check_system")),
            Message("user", self.render("plan_check", said=said, question=check.question)),
        )
        verdict = await self.ask_for(_YesNo, question, model=self.model, parameters=self.model_parameters)
        return len(turns) - 1 if verdict.answer else None

    def _told(self, names: tuple[str, ...]) -> str:
        return self.render("plan_step", steps=[self.steps[name].tell for name in names])


def _steps(notes: tuple[Event, ...]) -> list[Event]:
    return [note for note in notes if note.action == "step_reached"]
