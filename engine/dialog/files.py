"""Dialogs in files: JSON as sdialog writes it, JSON Lines, CSV, TSV and plain text; always UTF-8, never half a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ..errors import FileInvalid
from ..whole_file import write_whole
from .dialog import Dialog
from .table import Column, as_table, from_table
from .text_form import as_text, from_text

__all__ = ["Column", "FileType", "kind_of", "read_dialog", "read_lines", "write_dialog"]

FileType = Literal["auto", "json", "jsonl", "csv", "tsv", "txt"]
_DELIMITERS = {"csv": ",", "tsv": "\t"}


def write_dialog(
    dialog: Dialog,
    path: Path,
    type: FileType = "auto",
    *,
    makes_folder: bool = True,
    overwrite: bool = True,
    ensure_ascii: bool = False,
) -> None:
    """Raises as `Dialog.to_file`; whoever reads meanwhile sees the old file or the whole new one."""
    if not overwrite and path.exists():
        raise FileExistsError(f"{path} is there already; choose another name or say overwrite=True")
    text = _written(dialog, kind_of(path, type), ensure_ascii)
    # A lone surrogate, which some model may say, has no UTF-8.
    write_whole(path, text, makes_folder=makes_folder, errors="replace")


def read_dialog(
    path: Path,
    type: FileType = "auto",
    template: str = "{speaker}: {text}",
    speaker_column: Column = "speaker",
    text_column: Column = "text",
) -> Dialog:
    """Raises `FileInvalid` when the file cannot be read or holds no dialog, or, of JSON Lines, not exactly one."""
    dialog = _read(path, kind_of(path, type), template, speaker_column, text_column)
    dialog.__dict__["path"] = path  # where functools.cached_property looks first
    return dialog


def read_lines(path: Path) -> Iterator[Dialog]:
    """Raises `FileInvalid` with the number of the first line that is no dialog, such as one cut off by a crash."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield Dialog.from_json(line)
                    except FileInvalid as error:
                        raise FileInvalid(str(path), number, f"no dialog: {error.reason}") from error
    except OSError as error:
        raise FileInvalid(str(path), None, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FileInvalid(str(path), None, "is not UTF-8 text; save it as UTF-8") from error


def kind_of(path: Path, type: FileType = "auto") -> str:
    """By the name's ending unless `type` says; an ending that is unknown is plain text. Raises ValueError."""
    said = type.lower()
    if said not in ("auto", "json", "jsonl", "csv", "tsv", "txt"):
        raise ValueError(f"a dialog's file is json, jsonl, csv, tsv or txt, not {type!r}")
    ending = path.suffix.removeprefix(".").lower()
    if said != "auto":
        return said
    return ending if ending in ("json", "jsonl", "csv", "tsv") else "txt"


def _read(path: Path, kind: str, template: str, speaker_column: Column, text_column: Column) -> Dialog:
    if path.is_dir():
        raise FileInvalid(str(path), None, "is a folder; read it with Dialog.from_folder")
    if kind == "jsonl":
        dialogs = list(read_lines(path))
        if len(dialogs) != 1:
            raise FileInvalid(str(path), None, f"holds {len(dialogs)} dialogs; read them with Dialog.read_lines")
        return dialogs[0]
    text = _text(path)
    if kind == "txt":
        return from_text(text, template, str(path))
    if kind in _DELIMITERS:
        return from_table(text, _DELIMITERS[kind], str(path), speaker_column, text_column)
    try:
        return Dialog.from_json(text)
    except FileInvalid as error:
        raise FileInvalid(str(path), None, error.reason) from error


def _written(dialog: Dialog, kind: str, ensure_ascii: bool) -> str:
    match kind:
        case "json":
            return dialog.json(string=True, ensure_ascii=ensure_ascii)
        case "jsonl":
            return dialog.to_line() + "\n"
        case "csv" | "tsv":
            return as_table(dialog, _DELIMITERS[kind])
    return as_text(dialog)


def _text(path: Path) -> str:
    try:
        # A cell of a table may hold line ends of any kind; some editors put a mark of byte order first.
        with path.open(encoding="utf-8-sig", newline="") as file:
            return file.read()
    except OSError as error:
        raise FileInvalid(str(path), None, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FileInvalid(str(path), None, "is not UTF-8 text; save it as UTF-8") from error
