"""An orchestrator that reacts to what it hears."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from ...engine.dialog import Dialog
from .rule import CHECKED, Condition, Shared, holds

__all__ = ["SimpleReflexOrchestrator"]


@dataclass(frozen=True, config=CHECKED)
class SimpleReflexOrchestrator(Shared):
    """Gives `instruction` whenever `condition` holds for the other's last utterance.

    condition: a function of the utterance, or a regular expression that is searched in it, whatever the case.
    """

    condition: Condition
    instruction: str

    def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        return self.instruction if holds(self.condition, utterance) else None


SimpleReflexOrchestrator.__module__ = __package__  # as journals name it since before this file was
