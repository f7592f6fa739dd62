"""A pilot: the first dialogs of a run, played to foretell what the others take."""

from __future__ import annotations

from dataclasses import dataclass

from ..engine.budget.outline import Figures
from ..engine.completion import Usage
from ..engine.journal.entry import REPLY, Entry
from ..engine.program.archive import Kept

__all__ = ["Pilot", "figures_of"]

_PAGE_BYTES, _ROW_BYTES, _DIALOG_ROW_BYTES = 4096, 42, 130  # of a journal; beside the words of a row


@dataclass(frozen=True, kw_only=True)
class Pilot:
    """What was played, and what it cost; `spent` says how the budget ended it, if it did."""

    asked_for: int
    played: int
    failed: int
    calls: int
    tokens: int
    usd: float | None
    seconds: float
    spent: str


def figures_of(kept: Kept, dataset_bytes: int, *, is_priced: bool) -> Figures:
    """What one dialog took, or what else a journal has as one."""
    usage, calls, picodollars = Usage(), 0, 0
    for entry in kept.entries:
        if entry.kind == REPLY:
            content = entry.content()
            usage += Usage(*content["usage"])
            picodollars += content.get("cost") or 0
            calls += 1
    return Figures(
        turns=sum(entry.kind == "Uttered" for entry in kept.entries),
        calls=calls,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        picodollars=picodollars if is_priced else None,
        seconds=kept.entries[-1].time - kept.entries[0].time,
        dataset_bytes=dataset_bytes,
        journal_bytes=_DIALOG_ROW_BYTES + sum(map(_row_bytes, kept.entries)),
    )


def _row_bytes(entry: Entry) -> float:
    """What an entry takes in a journal's file, which is made of pages: as many rows as fit whole are in each.

    Measured: within a tenth. The file of a pilot tells less, since it grows by whole pages.
    """
    size = len(entry.body) + _ROW_BYTES
    return _PAGE_BYTES / (_PAGE_BYTES // size) if size < _PAGE_BYTES else -(-size // _PAGE_BYTES) * _PAGE_BYTES
