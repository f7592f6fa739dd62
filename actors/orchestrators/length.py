"""An orchestrator that minds how long a dialog is."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from ...engine.dialog import Dialog
from .rule import CHECKED, Shared

__all__ = ["LengthOrchestrator"]


@dataclass(frozen=True, config=CHECKED)
class LengthOrchestrator(Shared):
    """Keeps a dialog going until it has `min` turns and winds it up when the next turn would be the last of `max`."""

    min: int | None = None
    max: int | None = None

    def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        turns = len(dialog)
        if self.min is not None and 1 < turns < self.min:
            return "Keep the conversation going; it is too early to say goodbye."
        if self.max and turns >= self.max - 1:
            return "The conversation must end now: say goodbye in this reply."
        return None


LengthOrchestrator.__module__ = __package__  # as journals name it since before this file was
