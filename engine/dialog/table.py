"""Dialogs as tables: a row for each turn, with who speaks and what is said."""

from __future__ import annotations

import csv
import io

from ..errors import FileInvalid
from ..said import whole
from .dialog import Dialog
from .turn import Turn

__all__ = ["Column", "as_table", "from_table", "why_none"]

Column = str | int


def as_table(dialog: Dialog, delimiter: str) -> str:
    table = io.StringIO()
    writer = csv.writer(table, delimiter=delimiter)  # lines end as RFC 4180 has it, and as sdialog writes them
    writer.writerow(["speaker", "text"])
    writer.writerows([turn.speaker or "", whole(turn.text, turn.model_extra)] for turn in dialog)
    return table.getvalue()


def from_table(text: str, delimiter: str, source: str, speaker: Column = "speaker", said: Column = "text") -> Dialog:
    """Raises `FileInvalid` with the line, and ValueError when one column is a name and the other a number."""
    if isinstance(speaker, str) != isinstance(said, str):
        raise ValueError(f"the columns must both be names or both numbers, not {speaker!r} and {said!r}")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    turns = []
    try:
        if isinstance(speaker, str) and isinstance(said, str):
            header = next(rows, [])
            if speaker not in header or said not in header:
                has = ", ".join(header) or "none"
                raise FileInvalid(source, 1, f"needs the columns {speaker} and {said}, has {has}")
            who, what = header.index(speaker), header.index(said)
        else:
            who, what = int(speaker), int(said)
        for row in rows:
            if row:
                if len(row) <= max(who, what):
                    raise FileInvalid(source, rows.line_num, "has fewer columns than the header")
                turns.append(Turn(speaker=row[who] or None, text=row[what]))
    except csv.Error as error:
        raise FileInvalid(source, rows.line_num, f"is no table: {why_none(error)}") from error
    return Dialog(turns=turns)


def why_none(error: csv.Error) -> str:
    """What is wrong with a table. The limit is Python's own, which only the whole process can change."""
    if "field limit" in str(error):
        return f"a cell has more than {csv.field_size_limit():,} characters; keep what is so long in JSON"
    return str(error)
