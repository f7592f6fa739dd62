"""Dialogs in files: JSON as sdialog writes it, JSON Lines, CSV, TSV and plain text; always UTF-8, never half a file."""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from .dialog import Dialog, Turn
from .errors import FileInvalid

__all__ = ["FileType", "from_text", "read_dialog", "read_lines", "write_dialog"]

FileType = Literal["auto", "json", "jsonl", "csv", "tsv", "txt"]


def write_dialog(dialog: Dialog, path: Path, type: FileType = "auto", *, overwrite: bool = True) -> None:
    """Writes a temporary file beside `path`, then renames it: whoever reads sees the old file or the whole new one."""
    if not overwrite and path.exists():
        raise FileExistsError(f"{path} is there already; choose another name or say overwrite=True")
    text = _written(dialog, _type(path, type))
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_dialog(path: Path, type: FileType = "auto") -> Dialog:
    """Raises `FileInvalid` when the file cannot be read or holds no dialog, or, of JSON Lines, not exactly one."""
    kind = _type(path, type)
    if kind == "jsonl":
        dialogs = list(read_lines(path))
        if len(dialogs) != 1:
            raise FileInvalid(str(path), None, f"holds {len(dialogs)} dialogs; read them with Dialog.read_lines")
        return dialogs[0]
    text = _text(path)
    if kind == "txt":
        return from_text(text, "{speaker}: {text}", str(path))
    if kind in ("csv", "tsv"):
        return _from_table(text, "," if kind == "csv" else "\t", str(path))
    try:
        return Dialog.from_json(text)
    except FileInvalid as error:
        raise FileInvalid(str(path), None, error.reason) from error


def read_lines(path: Path) -> Iterator[Dialog]:
    """Raises `FileInvalid` with the number of the first line that is no dialog, such as one cut off by a crash."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield Dialog.from_json(line)
                    except FileInvalid as error:
                        raise FileInvalid(str(path), number, f"no dialog: {error.reason}") from error
    except OSError as error:
        raise FileInvalid(str(path), None, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FileInvalid(str(path), None, "is not UTF-8 text") from error


def from_text(text: str, template: str, source: str) -> Dialog:
    """A dialog out of lines in the template's form; blank lines do not count."""
    pattern = _pattern(template)
    turns = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            match = pattern.fullmatch(line)
            if match is None:
                raise FileInvalid(source, number, f"does not look like {template!r}: {line[:60]!r}")
            parts = match.groupdict()
            turns.append(Turn(speaker=parts.get("speaker"), text=parts["text"]))
    return Dialog(turns=turns)


def _type(path: Path, type: FileType) -> str:
    ending = path.suffix.removeprefix(".").lower()
    if type != "auto":
        return type
    return ending if ending in ("json", "jsonl", "csv", "tsv") else "txt"


def _written(dialog: Dialog, kind: str) -> str:
    match kind:
        case "json":
            return dialog.json(string=True)
        case "jsonl":
            return dialog.to_line() + "\n"
        case "csv" | "tsv":
            table = io.StringIO()
            writer = csv.writer(table, delimiter="," if kind == "csv" else "\t", lineterminator="\n")
            writer.writerow(["speaker", "text"])
            writer.writerows([turn.speaker or "", turn.text] for turn in dialog)
            return table.getvalue()
    return "".join(f"{str(turn).replace(chr(10), ' ')}\n" for turn in dialog)


def _from_table(text: str, delimiter: str, source: str) -> Dialog:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = next(rows, [])
    if "speaker" not in header or "text" not in header:
        raise FileInvalid(source, 1, f"needs the columns speaker and text, has {', '.join(header) or 'none'}")
    speaker, said = header.index("speaker"), header.index("text")
    turns = []
    for row in rows:
        if len(row) <= max(speaker, said):
            raise FileInvalid(source, rows.line_num, "has fewer columns than the header")
        turns.append(Turn(speaker=row[speaker] or None, text=row[said]))
    return Dialog(turns=turns)


def _pattern(template: str) -> re.Pattern[str]:
    """The template as a pattern: `{speaker}` and `{text}` are taken, any other `{name}` stands for anything."""
    if "{text}" not in template:
        raise ValueError(f"a template needs {{text}}: {template!r}")
    known = {"{speaker}": "(?P<speaker>.+?)", "{text}": "(?P<text>.*)"}
    parts = re.split(r"(\{\w+\})", template)
    return re.compile("".join(known.get(p, ".*?" if re.fullmatch(r"\{\w+\}", p) else re.escape(p)) for p in parts))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise FileInvalid(str(path), None, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FileInvalid(str(path), None, "is not UTF-8 text") from error
