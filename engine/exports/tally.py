"""What an export has taken in and left out, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ..completion import Usage
from ..dialog import Dialog
from ..digest import DatasetDigest

__all__ = ["ExportTally"]

_MOST_NAMES = 50  # a data set of other tools may have a model or a version of its own in each dialog


@dataclass(slots=True)
class ExportTally:
    """Counts of dialogs, rows, turns and words. `left_out` counts dialogs by why they are not there.

    `endings` counts those that are there by the reason of their end, `models` and `versions` by what made them;
    `usage` is what they cost in tokens. Takes the same memory for a million dialogs.
    """

    dialogs: int = 0
    rows: int = 0
    turns: int = 0
    words: int = 0
    usage: Usage = field(default_factory=Usage)
    left_out: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    first: str | None = None
    last: str | None = None
    _digest: DatasetDigest = field(default_factory=DatasetDigest)

    def add(self, dialog: Dialog, rows: int) -> None:
        self.dialogs += 1
        self.rows += rows
        self.turns += len(dialog)
        self.words += dialog.length()
        self.usage += dialog.usage or Usage()
        self.endings["unknown" if dialog.ending is None else dialog.ending.reason] += 1
        _count(self.models, dialog.model.get("name") if isinstance(dialog.model, dict) else dialog.model)
        _count(self.versions, dialog.version)
        if dialog.timestamp is not None:
            self.first = min(self.first or dialog.timestamp, dialog.timestamp)
            self.last = max(self.last or dialog.timestamp, dialog.timestamp)
        self._digest.add(dialog)

    @property
    def digest(self) -> str:
        """Of the dialogs that are there, whatever the format; see `DatasetDigest`."""
        return self._digest.hexdigest()


def _count(names: Counter[str], name: object) -> None:
    if name is not None:
        known = str(name) in names or len(names) < _MOST_NAMES
        names[str(name) if known else "others"] += 1
