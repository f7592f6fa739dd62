"""`playact show` and `playact export`: dialogs out of a file, for reading, or into another."""

from __future__ import annotations

import sys
from pathlib import Path

from ..engine.errors import SetupError
from .dataset_file import DatasetFile
from .source import chosen

__all__ = ["export", "show"]


def show(file: Path, wanted: str | None, *, is_all: bool) -> int:
    """Prints one dialog or all. Raises `FileInvalid` for a line that is no dialog, `SetupError` when there is none."""
    shown = 0
    for dialog in chosen(file, wanted):
        dialog.print(all=is_all)
        shown += 1
    if not shown and wanted is None:
        raise SetupError(f"{file} holds no dialogs")
    if not shown:
        raise SetupError(f"{file} has no dialog {wanted!r}; say an id, the beginning of one, or a line's number")
    return 0


def export(journal: Path, out: str, *, overwrites: bool) -> int:
    """Writes all dialogs of a journal that are over, by number. Raises `JournalInvalid`, `SetupError`."""
    with DatasetFile(out, overwrites=overwrites, journals=[journal]) as file:
        for dialog in chosen(journal, None):
            file.write(dialog)
    print(f"{file.dialogs or 'no'} dialogs are in {file.name}", file=sys.stderr)
    return 0
