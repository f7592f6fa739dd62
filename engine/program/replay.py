"""Plays the dialogs of a journal once more with the answers in it: no model, no tool, no cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..completion import Backend, Capabilities, Completion, CompletionRequest
from ..errors import ReplayDiverged
from ..journal.file import JournalFile
from ..models import Models
from .past import Past
from .plan import Plan
from .program import Piece
from .resumption import name_of

__all__ = ["NoModels", "replayed"]


def replayed(path: Path, run: str, code: Sequence[object]) -> Iterator[Piece]:
    """The dialogs that are over, by number. Raises `JournalInvalid`, `CodeMissing`."""
    file = JournalFile.read(path)
    try:
        plan = Plan.of(file, code)
        for row in file.dialogs():
            if row.reason is not None:
                entries = (entry for entry in file.entries(row.first, row.last) if entry.dialog == row.number)
                yield Piece(plan.scenario(row.number), row.number, Past.to_replay(entries, run, row))
    finally:
        file.close()


class NoModels(Models):
    """Gives, for any model, a backend of its name that has nothing to say of its own."""

    async def open(self, model: str | Backend) -> Backend:
        return self._open.setdefault(model if isinstance(model, str) else id(model), _NoModel(name_of(model)))


class _NoModel:
    def __init__(self, name: str) -> None:
        self.name = name
        self.capabilities = Capabilities(tools=True, response_schema=True, seed=True, thinking=True)

    async def open(self) -> None:
        """Nothing to open."""

    async def complete(self, request: CompletionRequest) -> Completion:
        raise ReplayDiverged(request.dialog, request.sequence)

    async def aclose(self) -> None:
        """Nothing to close."""
