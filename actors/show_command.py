"""`playact show`: dialogs out of a file, for reading."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..engine.dialog import Dialog
from ..engine.errors import SetupError

__all__ = ["show"]

_ID_DIGITS = 8  # as many as an id's first group has; fewer digits are the number of a line


def show(file: Path, wanted: str | None, *, is_all: bool) -> int:
    """Prints one dialog or all. Raises `FileInvalid` for a line that is no dialog, `SetupError` when there is none."""
    shown = 0
    for dialog in _chosen(file, wanted):
        dialog.print(all=is_all)
        shown += 1
    if not shown and wanted is None:
        raise SetupError(f"{file} holds no dialogs")
    if not shown:
        raise SetupError(f"{file} has no dialog {wanted!r}; say an id, the beginning of one, or a line's number")
    return 0


def _chosen(file: Path, wanted: str | None) -> Iterator[Dialog]:
    is_line = wanted is not None and wanted.isdecimal() and len(wanted) < _ID_DIGITS
    for line, dialog in enumerate(Dialog.read_lines(file), 1):
        if wanted is None or (wanted == str(line) if is_line else str(dialog.id).startswith(wanted)):
            yield dialog
            if is_line or wanted == dialog.id:
                return  # there is one such; what follows may be long, or torn
