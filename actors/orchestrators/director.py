"""A director: a model that watches how a dialog goes, and speaks up when the rubric asks for it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SkipValidation
from pydantic.dataclasses import dataclass

from ...engine.completion import Backend, Message, Parameters
from ...engine.dialog import Dialog, Instruction
from .rule import CHECKED, Rule

__all__ = ["DirectorOrchestrator", "Verdict"]


class Verdict(BaseModel):
    """What a director comes to. `advice` counts only where it advises."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["leave alone", "advise"]
    advice: str = Field(default="", max_length=600)


@dataclass(frozen=True, config=CHECKED)
class DirectorOrchestrator(Rule):
    """Has a model judge the dialog by `rubric` before every `every`-th turn of its agent; it advises, or leaves alone.

    Each verdict is recorded as an event, also where nothing is advised.

    first: the turn of its agent at which it looks on for the first time, by default the `every`-th.
    turns: how many of the last turns it is shown, all of them by default.
    model: "backend:model" or a Backend; the agent's own unless said otherwise.
    """

    rubric: str
    every: Annotated[int, Field(ge=1)] = 3
    first: Annotated[int, Field(ge=1)] | None = None
    turns: Annotated[int, Field(ge=1)] | None = None
    model: str | SkipValidation[Backend] | None = None
    model_parameters: Parameters = Parameters()

    async def instruct(self, dialog: Dialog, utterance: str) -> Instruction | None:
        turn = 1 + sum(said.speaker == self.target_agent for said in dialog.turns)
        first = self.first or self.every
        if not dialog.turns or turn < first or (turn - first) % self.every:
            return None
        verdict = await self.ask_for(
            Verdict, self._question(dialog), model=self.model, parameters=self.model_parameters
        )
        advice = verdict.advice.strip() if verdict.verdict == "advise" else ""
        return Instruction(text=advice, events=self.note("verdict", {"verdict": verdict.verdict, "advice": advice}))

    def _question(self, dialog: Dialog) -> tuple[Message, Message]:
        said = dialog.turns if self.turns is None else dialog.turns[-self.turns :]
        transcript = "\n".join(map(str, said))
        agent = self.target_agent
        return (
            Message("system", self.render("director_system", agent=agent, rubric=self.rubric)),
            Message("user", self.render("director", agent=agent, said=transcript)),
        )
