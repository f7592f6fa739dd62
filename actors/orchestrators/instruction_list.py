"""An orchestrator with an instruction for each of its agent's turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic.dataclasses import dataclass

from ...engine.dialog import Dialog
from .rule import CHECKED, Rule

__all__ = ["InstructionListOrchestrator"]


@dataclass(frozen=True, config=CHECKED)
class InstructionListOrchestrator(Rule):
    """Gives the agent's first turn the first instruction, its second the second, and so on.

    instructions: a list, or by the number of the turn, the agent's first being 0. None gives a turn nothing.
    """

    instructions: Sequence[str | None] | Mapping[int, str | None]

    def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        turn = sum(said.speaker == self.target_agent for said in dialog.turns)
        if isinstance(self.instructions, Mapping):
            return self.instructions.get(turn)
        return self.instructions[turn] if turn < len(self.instructions) else None
