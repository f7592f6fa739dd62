"""A text file that is there as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: Path, text: str, *, makes_folder: bool = False, errors: str = "strict") -> None:
    """Writes UTF-8, with line ends as they are; whoever reads meanwhile sees the old file or the whole new one.

    errors: what becomes of what has no UTF-8, as in `open`. Raises OSError when the file cannot be written, and, where
    errors are strict, UnicodeEncodeError.
    """
    if makes_folder:
        path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors=errors, newline="") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
