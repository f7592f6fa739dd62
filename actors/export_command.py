"""`playact export`: dialogs out of whatever holds them, as they are, as tables, or as chats to train on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, get_args

from ..engine.dialog import Dialog
from ..engine.errors import SetupError
from ..engine.exports import ChatText, Export, ExportTally, Format, Perspective, Source
from ..engine.reading import is_journal, read_dialogs
from ..engine.wording import counted, is_or_are
from .dataset_file import DatasetFile, refuse_journal
from .export_progress import ExportProgress
from .journal_source import journal_source
from .source import none_in

__all__ = ["FORMATS", "ExportCommand"]

FORMATS = ("jsonl", *get_args(Format))
_BY_ENDING = {".parquet": "parquet", ".csv": "csv", ".txt": "txt"}
_PLAIN = ("jsonl", "csv", "txt")


@dataclass(kw_only=True)
class ExportCommand:
    """`source` is what `read_dialogs` reads, `format` one of `FORMATS`, or None: then the name of `out` decides.

    template: gives the chat template for "chatml", by the name of its tokenizer.
    """

    source: Path
    format: str | None
    out: str
    assistant: str | None = None
    system: str | None = None
    opening: str | None = None
    thoughts: bool = False
    advice: bool = False
    tokenizer: str | None = None
    keeps_failed: bool = False
    overwrites: bool = False
    is_quiet: bool = False
    template: Callable[[str | None], ChatText]

    def run(self) -> int:
        """Raises `SetupError` for what the user must put right, and when there is no dialog to write."""
        if self.format is None:
            self.format = _BY_ENDING.get(Path(self.out).suffix.lower(), "jsonl")
        self._refuse_what_does_not_fit()
        if self.out != "-":
            refuse_journal(self.out, self.source)
        journal = self.source if not self.source.is_dir() and is_journal(self.source) else None
        source, total = (None, None) if journal is None else journal_source(journal)
        with ExportProgress(total, sys.stderr, is_quiet=self.is_quiet) as progress:
            if self.format == "jsonl":
                return self._write_lines(progress)
            return self._export(progress, source or Source(name=self.source.name))

    def _write_lines(self, progress: ExportProgress) -> int:
        """All dialogs, as they are: one that failed is a line that says why."""
        dialogs = progress.through(self._dialogs())
        with DatasetFile(self.out, overwrites=self.overwrites, journals=[self.source]) as file:
            for dialog in dialogs:
                file.write(dialog)
        progress.close()
        print(f"{counted(file.dialogs, 'dialog')} {is_or_are(file.dialogs)} in {file.name}", file=sys.stderr)
        return 0

    def _dialogs(self) -> Iterator[Dialog]:
        """Raises `SetupError` at once when there is none, so that no file is made for nothing."""
        dialogs = read_dialogs(self.source)
        for first in dialogs:
            return chain([first], dialogs)
        raise SetupError(none_in(self.source))

    def _export(self, progress: ExportProgress, source: Source) -> int:
        try:
            file = Export(self.out, **self._options(), source=source)
        except ValueError as error:
            raise SetupError(str(error)) from error
        dialogs = progress.through(self._dialogs())
        with file:
            for dialog in dialogs:
                file.write(dialog)
        progress.close()
        if not self.is_quiet:
            print(_summary(file.tally, self.out), file=sys.stderr)
        return 0

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {
            "format": self.format,
            "keeps_failed": self.keeps_failed,
            "overwrite": self.overwrites,
        }
        if self.format == "chatml":
            options["template"] = self.template(self.tokenizer)
        is_chat = self.format not in _PLAIN and (self.format not in ("parquet", "datasets") or self.assistant)
        if is_chat:
            said = {"assistant": self.assistant, "system": self.system, "opening": self.opening}
            options["perspective"] = Perspective(
                thoughts=self.thoughts,
                advice=self.advice,
                **{name: value for name, value in said.items() if value is not None},
            )
        return options

    def _refuse_what_does_not_fit(self) -> None:
        asked = {
            "--assistant": self.assistant is not None,
            "--system": self.system is not None,
            "--opening": self.opening is not None,
            "--thoughts": self.thoughts,
            "--advice": self.advice,
        }
        for option, is_asked in asked.items():
            if is_asked and self.format in _PLAIN:
                raise SetupError(f"{option} is for chats; say --format openai, sharegpt, chatml, parquet or datasets")
            if is_asked and self.format in ("parquet", "datasets") and self.assistant is None:
                raise SetupError(
                    f"{option} is for the messages, which {self.format} has beside the turns when --assistant says "
                    "whose words are to be learnt"
                )
        if self.tokenizer is not None and self.format != "chatml":
            raise SetupError("--tokenizer is for --format chatml")
        if self.keeps_failed and self.format == "jsonl":
            raise SetupError("--failed is for other formats: in jsonl a dialog that failed is there, and says why")


def _summary(tally: ExportTally, out: str) -> str:
    name = "standard output" if out == "-" else out
    rows = "" if tally.rows == tally.dialogs else f" as {counted(tally.rows, 'row')}"
    said = f"{counted(tally.dialogs, 'dialog')} {is_or_are(tally.dialogs)} in {name}{rows}"
    left = [f"{count} {_WHY[why]}" for why, count in sorted(tally.left_out.items())]
    return f"{said}; left out: {', '.join(left)}" if left else said


_WHY = {"failed": "that failed", "no_words_of_the_assistant": "in which the assistant says nothing"}
