"""An orchestrator that now and then has its agent change its mind."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ...engine.dialog import Dialog
from .orchestrator import Advice
from .rule import CHECKED, Rule, Texts, several

__all__ = ["ChangeMindOrchestrator"]


@dataclass(frozen=True, config=CHECKED)
class ChangeMindOrchestrator(Rule):
    """Before each of its agent's turns it says, with `probability`, to change one's mind; in a dialog `max_times`.

    reasons: of which one is given, chosen at random. max_times: None, or 0, is no limit.
    """

    probability: Annotated[float, Field(ge=0, le=1)] = 0.3
    reasons: Texts | None = ()
    max_times: Annotated[int, Field(ge=0)] | None = 1

    def instruct(self, dialog: Dialog, utterance: str) -> Advice:
        draw = self.random.random()  # also when nothing can come of it: a turn's choices depend on no other turn
        if draw >= self.probability or (self.max_times and self.given >= self.max_times):
            return None
        return self.render("change_mind", reason=self.random.choice(several(self.reasons)) if self.reasons else None)
