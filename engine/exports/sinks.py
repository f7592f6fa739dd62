"""Where the rows of an export go, format by format. Each writes as it goes, and holds few rows at a time."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ..dialog import Dialog
from ..dialog.text_form import as_text
from ..said import whole
from .columns import arrow, cleaned, schema

__all__ = ["JSONArray", "JSONLines", "Parquet", "Sink", "Table", "Transcripts"]

_ROWS_AT_ONCE = 1_000
_BYTES_AT_ONCE = 16 * 2**20


class Sink(Protocol):
    """Rows are mappings; `Table` and `Transcripts` take dialogs."""

    def write(self, row: Any) -> None: ...
    def close(self) -> None:
        """Writes what is left; not called after a failure."""
        ...

    def abandon(self) -> None:
        """Lets go of what is open, whatever was written; after `close` it does nothing."""
        ...


class _OneFile:
    """Closes the file, but for standard output."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def close(self) -> None:
        self._file.flush()

    def abandon(self) -> None:
        if self._file is not sys.stdout.buffer:
            self._file.close()


class JSONLines(_OneFile):
    """An object a line."""

    def write(self, row: Mapping[str, Any]) -> None:
        self._file.write(_json(row) + b"\n")


class JSONArray(_OneFile):
    """One array of objects, each on a line of its own."""

    _separator = b"[\n"

    def write(self, row: Mapping[str, Any]) -> None:
        self._file.write(self._separator + _json(row))
        self._separator = b",\n"

    def close(self) -> None:
        self._file.write(b"[]\n" if self._separator == b"[\n" else b"\n]\n")
        super().close()


class Table(_OneFile):
    """A row for each turn: the dialog's id, the turn's number from 0, who speaks, and what is said."""

    _has_begun = False

    def write(self, row: Dialog) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not self._has_begun:
            writer.writerow(["dialog", "turn", "speaker", "text"])
            self._has_begun = True
        writer.writerows(
            [row.id, number, turn.speaker or "", whole(turn.text, turn.model_extra)] for number, turn in enumerate(row)
        )
        self._file.write(text.getvalue().encode("utf-8", "replace"))


class Transcripts(_OneFile):
    """A turn a line, and an empty line between dialogs."""

    _separator = b""

    def write(self, row: Dialog) -> None:
        self._file.write(self._separator + as_text(row).encode("utf-8", "replace") + b"\n")
        self._separator = b"\n"


class Parquet:
    """One Parquet file, or, in a folder, as many of at least `shard_bytes` each as there are; zstd-compressed.

    At most a thousand rows, or 16 MiB of their text, are in memory at once. Raises `ExtraMissing`.
    """

    def __init__(self, path: Path, *, has_messages: bool, shard_bytes: int | None = None) -> None:
        self._arrow = arrow()
        self._schema = schema(has_messages=has_messages)
        self._path = path
        self._shard_bytes = shard_bytes
        self._shards: list[Path] = []
        self._rows: list[Mapping[str, Any]] = []
        self._bytes = 0
        self._writer: Any = None
        self._file: Any = None

    def write(self, row: Mapping[str, Any]) -> None:
        self._rows.append(row)
        self._bytes += sum(len(turn["text"]) for turn in row["turns"]) + sum(
            len(event["content"]) for event in row["events"] or ()
        )
        if len(self._rows) >= _ROWS_AT_ONCE or self._bytes >= _BYTES_AT_ONCE:
            self._write_group()

    def close(self) -> None:
        if self._rows or not self._shards:
            self._write_group()
        self._close_shard()
        for number, shard in enumerate(self._shards) if self._shard_bytes is not None else ():
            shard.rename(self._path / f"train-{number:05d}-of-{len(self._shards):05d}.parquet")

    def _write_group(self) -> None:
        from pyarrow.parquet import ParquetWriter

        if self._writer is None:
            shard = self._path if self._shard_bytes is None else self._path / f"{len(self._shards)}.parquet"
            shard.parent.mkdir(exist_ok=True)
            self._shards.append(shard)
            self._file = shard.open("wb")
            self._writer = ParquetWriter(self._file, self._schema, compression="zstd")
        try:
            batch = self._arrow.RecordBatch.from_pylist(self._rows, schema=self._schema)
        except UnicodeEncodeError:
            batch = self._arrow.RecordBatch.from_pylist([cleaned(row) for row in self._rows], schema=self._schema)
        self._writer.write_batch(batch)
        self._rows, self._bytes = [], 0
        if self._shard_bytes is not None and self._file.tell() >= self._shard_bytes:
            self._close_shard()

    def abandon(self) -> None:
        with suppress(OSError, ValueError):
            self._close_shard()

    def _close_shard(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            try:
                writer.close()
            finally:
                self._file.close()


def _json(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
