"""`playact show`: dialogs out of a file, for reading."""

from __future__ import annotations

from pathlib import Path

from ..engine.errors import SetupError
from .source import chosen, none_in

__all__ = ["show"]


def show(file: Path, wanted: str | None, *, is_all: bool) -> int:
    """Prints one dialog or all. Raises `FileInvalid` for a line that is no dialog, `SetupError` when there is none."""
    shown = 0
    for dialog in chosen(file, wanted):
        dialog.print(all=is_all)
        shown += 1
    if not shown and wanted is None:
        raise SetupError(none_in(file))
    if not shown:
        raise SetupError(f"{file} has no dialog {wanted!r}; say an id, the beginning of one, or a line's number")
    return 0
