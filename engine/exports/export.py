"""Export: dialogs written down for training, as they come, in flat memory; whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

from ..completion import ToolSpec
from ..dialog import Dialog
from ..errors import SetupError
from ..wording import counted
from .card import Source, card
from .columns import as_row
from .draft import Draft
from .perspective import Chat, Perspective
from .rows import ChatText, chatml_row, openai_messages, openai_row, sharegpt_row
from .sinks import JSONArray, JSONLines, Parquet, Sink, Table, Transcripts
from .tally import ExportTally

__all__ = ["Export", "Format", "export"]

Format = Literal["openai", "sharegpt", "chatml", "parquet", "datasets", "csv", "txt"]
_CHATS = ("openai", "sharegpt", "chatml")
_TABLES = ("parquet", "datasets")
_PLAIN = ("csv", "txt")
_SHARD_BYTES = 256 * 2**20
_MOST_NAMES = 5


class Export:
    """Use it as a context manager, and `write` dialogs into it; also while they are being played.

        with Export("train.jsonl", format="openai", perspective=Perspective(assistant="Mia")) as training:
            async for dialog in simulation.run(scenarios):
                training.write(dialog)

    The file is there when the block has been left, and with it a card, `train.jsonl.README.md`; for "datasets" a folder
    with `README.md` and `data/`, as `datasets.load_dataset` and the hub take it. After an error nothing is there. "-"
    is standard output, for the formats of lines; there a card is not written, and what was written stays.

    perspective: who is the assistant; needed for the chats, while tables get a column `messages` with one. Of "each",
        a dialog gives several rows.
    tools: what the assistant could call, which dialogs do not tell.
    template: how the model of "chatml" reads a chat, such as the `ChatTemplate` of its tokenizer.
    keeps_failed: dialogs that have failed are there too. They are left out else, and counted in `tally`.
    source: where the dialogs come from, for the card. shard_bytes: of "datasets", how large a file gets.

    Raises ValueError for what does not go together, `SetupError` when it cannot be written or nothing was, and
    `ExtraMissing` for tables without pyarrow.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        format: Format = "openai",
        perspective: Perspective | None = None,
        tools: Sequence[ToolSpec] = (),
        template: ChatText | None = None,
        keeps_failed: bool = False,
        overwrite: bool = False,
        source: Source | None = None,
        shard_bytes: int = _SHARD_BYTES,
    ) -> None:
        if format not in get_args(Format):
            raise ValueError(f"an export is one of {', '.join(get_args(Format))}, not {format!r}")
        if format == "chatml" and template is None:
            raise ValueError("chatml needs the template of a model: template=ChatTemplate(name, tokenizer)")
        if str(path) == "-" and format in _TABLES:
            raise ValueError(f"{format} is written to a file, not to standard output")
        if format in _PLAIN and perspective is not None:
            raise ValueError(f"{format} has no assistant: everybody's words are just words")
        path = Path(path)
        self.tally = ExportTally()
        self.path = path if str(path) == "-" else Path(os.path.realpath(path))  # a link stays one
        self._format = format
        self._perspective = perspective or (Perspective() if format in _CHATS else None)
        self._tools = tools
        self._template = template
        self._keeps_failed = keeps_failed
        self._source = source
        self._shard_bytes = shard_bytes
        self._speakers: dict[str, None] = {}
        self._sink: Sink
        self._draft: Draft | None = None
        if str(path) != "-":
            names = () if format == "datasets" else (self.path.name, f"{self.path.name}.README.md")
            self._draft = Draft(self.path if not names else self.path.parent, names, overwrites=overwrite)

    def __enter__(self) -> Self:
        if self._draft is None:
            self._sink = self._line_sink(sys.stdout.buffer)
            return self
        self._draft.__enter__()
        try:
            self._sink = self._opened(self._draft.folder)
        except BaseException as error:
            self._draft.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def write(self, dialog: Dialog) -> None:
        if not self._keeps_failed and dialog.ending is not None and dialog.ending.failed:
            self.tally.left_out["failed"] += 1
            return
        rows = list(self._rows(dialog))
        if not rows:
            self.tally.left_out["no_words_of_the_assistant"] += 1
            if len(self._speakers) < _MOST_NAMES:
                self._speakers |= dict.fromkeys(dialog.get_speakers())
            return
        try:
            for row in rows:
                self._sink.write(row)
        except OSError as error:
            if self._draft is None:
                raise
            raise SetupError(f"cannot write {self.path}: {error.strerror or error}; nothing of it is kept") from error
        self.tally.add(dialog, len(rows))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        failure = error
        try:
            if failure is None:
                self._finish()
        except BaseException as own:
            failure = own
            if isinstance(own, OSError) and self._draft is not None:
                raise SetupError(f"cannot write {self.path}: {own.strerror or own}; nothing of it is kept") from own
            raise
        finally:
            self._sink.abandon()
            if self._draft is not None:
                self._draft.__exit__(None if failure is None else type(failure), failure, None)

    def _finish(self) -> None:
        if not self.tally.dialogs:
            raise SetupError(f"nothing is written to {self.path}: {self._why_nothing()}")
        self._sink.close()
        if self._draft is not None:
            is_folder = self._format == "datasets"
            name = "README.md" if is_folder else f"{self.path.name}.README.md"
            files = "data/train-*" if is_folder else self.path.name
            text = card(self.path.stem, self._format, self.tally, files, self._source, self._chosen())
            (self._draft.folder / name).write_text(text, encoding="utf-8", errors="replace", newline="\n")

    def _why_nothing(self) -> str:
        failed, silent = self.tally.left_out["failed"], self.tally.left_out["no_words_of_the_assistant"]
        if silent and self._perspective is not None:
            names = ", ".join(self._speakers) or "nobody"
            return f"no dialog has words of {self._perspective.assistant!r}; there speaks {names}"
        if failed:
            return f"all of {counted(failed, 'dialog')} failed; keep them with keeps_failed, or --failed"
        return "there are no dialogs"

    def _chosen(self) -> dict[str, object]:
        if self._perspective is None:
            return {}
        mine, usual = self._perspective, Perspective()
        chosen: dict[str, object] = {"assistant": mine.assistant}
        for name in ("system", "opening", "thoughts", "advice"):
            if getattr(mine, name) != getattr(usual, name):
                chosen[name] = getattr(mine, name)
        return chosen

    def _opened(self, folder: Path) -> Sink:
        has_messages = self._perspective is not None
        if self._format == "parquet":
            return Parquet(folder / self.path.name, has_messages=has_messages)
        if self._format == "datasets":
            return Parquet(folder / "data", has_messages=has_messages, shard_bytes=self._shard_bytes)
        try:
            return self._line_sink((folder / self.path.name).open("wb"))  # closed by the sink
        except OSError as error:
            raise SetupError(f"cannot write {self.path}: {error.strerror}") from error

    def _line_sink(self, file: Any) -> Sink:
        if self._format == "csv":
            return Table(file)
        if self._format == "txt":
            return Transcripts(file)
        return JSONArray(file) if self.path.suffix.lower() == ".json" else JSONLines(file)

    def _rows(self, dialog: Dialog) -> Iterator[Any]:
        if self._perspective is None:
            yield dialog if self._format not in _TABLES else as_row(dialog)
            return
        for chat in self._perspective.chats(dialog):
            yield self._row(dialog, chat)

    def _row(self, dialog: Dialog, chat: Chat) -> Any:
        match self._format:
            case "openai":
                return openai_row(chat.messages, self._tools)
            case "sharegpt":
                return sharegpt_row(chat.messages, self._tools, dialog.id)
            case "chatml":
                assert self._template is not None
                return chatml_row(chat.messages, self._tools, dialog.id, self._template)
        return as_row(dialog) | {"assistant": chat.assistant, "messages": openai_messages(chat.messages)}


def export(dialogs: Iterable[Dialog], path: str | Path, **options: Any) -> ExportTally:
    """Writes all dialogs; `options` are those of `Export`, which says what is raised."""
    with Export(path, **options) as file:
        for dialog in dialogs:
            file.write(dialog)
    return file.tally
