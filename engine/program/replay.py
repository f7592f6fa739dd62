"""Plays the dialogs of a journal once more with the answers in it: no model, no tool, no cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..completion import Backend, Capabilities, Completion, CompletionRequest
from ..errors import CodeMissing, ReplayDiverged
from ..journal.file import JournalFile
from ..models import Models
from .archive import kept_in
from .past import Past
from .piece import Piece
from .plan import scenario_of
from .resumption import name_of

if TYPE_CHECKING:
    from ..performance import Playable

__all__ = ["NoModels", "replayed"]

_BACKEND = "backend "  # before the name of a backend, where code is named


def replayed(path: Path, run: str, code: Sequence[object]) -> Iterator[Piece]:
    """The dialogs that are over, by number. Raises `JournalInvalid`, `CodeMissing`."""
    with closing(JournalFile.read(path)) as file:
        for kept in kept_in(file):
            past = Past.to_replay(kept.entries, run, kept.row)
            yield Piece(_scenario(kept.recipe, code), kept.row.number, past)


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


def _scenario(recipe: Mapping[str, Any], code: Sequence[object]) -> Playable:
    """Backends that were given as objects need not be given again: nothing is asked of them."""
    try:
        return scenario_of(recipe, code)
    except CodeMissing as missing:
        backends = [_NoModel(name.removeprefix(_BACKEND)) for name in missing.names if name.startswith(_BACKEND)]
        if not backends:
            raise
        return scenario_of(recipe, (*code, *backends))
