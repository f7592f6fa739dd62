"""Dialog: who said what, and how it came about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DialogFailed
from .sequence import DialogSequence

if TYPE_CHECKING:
    from ..completion import Backend
    from ..performance import Playable
    from ..simulation import Simulation
    from .files import Column, FileType

__all__ = ["Dialog"]


class Dialog(DialogSequence):
    """What a run leaves behind. Its fields are those of `DialogRecord`, its turns those of `DialogSequence`.

    Reading raises `FileInvalid`, with the line where there is one. All text is UTF-8, whatever the platform.
    """

    @cached_property
    def path(self) -> Path | None:
        """The file that the dialog was read from; no part of it. Cached, so that only those that were read pay."""
        return None

    def forked(self, *, turn: int, scenario: Playable, seed: int | None = None) -> Playable:
        """Another scenario, to be played on from this dialog's first `turn` turns, which cost nothing.

        For `Simulation.run`, any number at once; see `Simulation.fork`. Raises ValueError when there are fewer turns.
        """
        from ..program.fork import Fork

        return Fork.of(self, turn, scenario, seed)

    async def fork(
        self,
        *,
        turn: int,
        scenario: Playable,
        seed: int | None = None,
        model: str | Backend | None = None,
        simulation: Simulation | None = None,
    ) -> Dialog:
        """What the dialog would have become, had it gone on from its first `turn` turns as another scenario.

        Uses `simulation` where one is given, else one of its own with `model`; see `Simulation.fork`. Raises ValueError
        when the dialog has fewer turns, `DialogFailed` when the new one cannot be finished, and `SetupError` when the
        model cannot be used.
        """
        from ..program.fork import own_seed
        from ..simulation import Simulation

        forked = self.forked(turn=turn, scenario=scenario, seed=seed)
        if simulation is not None:
            dialog = await simulation.play(forked)
        else:
            async with Simulation(model=model, seed=own_seed(forked, model), concurrency=1) as own:
                dialog = await own.play(forked)
        if dialog.ending is not None and dialog.ending.failed:
            raise DialogFailed(dialog, dialog.ending.error or dialog.ending.reason)
        return dialog

    def print(
        self, scenario: bool = False, orchestration: bool = False, think: bool = False, all: bool = False
    ) -> None:
        """Prints the dialog for reading; `all` adds what the other flags add: its setting, its events, its thoughts."""
        from ..transcript import print_dialog

        print_dialog(self, scenario=scenario or all, orchestration=orchestration or all, think=think or all)

    @classmethod
    def from_str(
        cls,
        dialog_text: str,
        template: str = "{speaker}: {text}",
        default_speakers: Sequence[str] | None = None,
        id: int | str | None = None,
    ) -> Dialog:
        """Reads turns out of lines in the template's form; any other `{name}` in it stands for anything.

        Where the template has no `{speaker}`, the default speakers take turns. Blank lines do not count.
        Raises `FileInvalid` with the first line that has another form, and ValueError for a template without `{text}`.
        """
        from .text_form import from_text

        dialog = from_text(dialog_text, template, "text", default_speakers)
        if id is not None:
            dialog.id = id
        return dialog

    def to_file(
        self,
        path: str | Path | None = None,
        type: FileType = "auto",
        makedir: bool = True,
        overwrite: bool = True,
        ensure_ascii: bool = False,
    ) -> None:
        """Writes the dialog as json, csv, tsv or txt, by the name's ending unless `type` says; never half a file.

        Without a path the file that it was read from is written anew. Raises ValueError when there is none,
        FileExistsError when the file is there and `overwrite` is off, and OSError when it cannot be written.
        """
        from .files import write_dialog

        target = self.path if path is None else Path(path)
        if target is None:
            raise ValueError("this dialog was not read from a file; say where it is to be written")
        write_dialog(self, target, type, makes_folder=makedir, overwrite=overwrite, ensure_ascii=ensure_ascii)

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        type: FileType = "auto",
        txt_template: str = "{speaker}: {text}",
        csv_speaker_col: Column = "speaker",
        csv_text_col: Column = "text",
        collapse_consecutive_speakers: bool = False,
        collapse_separator: str = "\n",
    ) -> Dialog:
        """Reads what `to_file` and sdialog write; for all of a folder there is `from_folder`.

        csv_speaker_col, csv_text_col: both the names of columns, or both their numbers from 0: then the first row is
            a turn too. Raises ValueError for one of each.
        """
        from .files import read_dialog

        dialog = read_dialog(Path(path), type, txt_template, csv_speaker_col, csv_text_col)
        return dialog.collapse(collapse_separator) if collapse_consecutive_speakers else dialog

    @classmethod
    def from_folder(
        cls,
        path: str | Path,
        type: FileType = "auto",
        txt_template: str = "{speaker}: {text}",
        csv_speaker_col: Column = "speaker",
        csv_text_col: Column = "text",
        collapse_consecutive_speakers: bool = False,
        collapse_separator: str = "\n",
    ) -> list[Dialog]:
        """The dialogs of a folder's json, csv, tsv and txt files: first those without an id, by name, which get the
        ids 1 to n, then those of JSON, by name. `type` reads files of that kind alone.
        """
        from .folder import read_folder

        dialogs = read_folder(Path(path), type, txt_template, csv_speaker_col, csv_text_col)
        return [dialog.collapse(collapse_separator) if collapse_consecutive_speakers else dialog for dialog in dialogs]

    @classmethod
    def from_huggingface(
        cls,
        repo_id: str,
        local_dir: str | Path | None = None,
        collapse_consecutive_speakers: bool = False,
        collapse_separator: str = "\n",
    ) -> list[Dialog] | dict[str, list[Dialog]]:
        """The dialogs of a dataset of sdialog's form: JSON files in `data/`, or in its folders train, test and val.

        `repo_id` is a folder here, or else a dataset on the hub, which is fetched into `local_dir`, unless that holds
        it already, or into the hub's own cache. Raises `ExtraMissing` when it must be fetched and huggingface_hub is
        not installed.
        """
        from .folder import read_dataset

        parts = read_dataset(str(repo_id), None if local_dir is None else Path(local_dir))
        if collapse_consecutive_speakers:
            for part in parts.values() if isinstance(parts, dict) else (parts,):
                for dialog in part:
                    dialog.collapse(collapse_separator)
        return parts

    # sdialog's other names for the same, since 0.4.10.
    save = to_file
    open = load = from_file
    load_folder = from_folder

    @staticmethod
    def read_lines(path: str | Path) -> Iterator[Dialog]:
        """The dialogs of a JSON Lines file one by one, in flat memory. Raises `FileInvalid` with the line."""
        from .files import read_lines

        return read_lines(Path(path))

    def digest(self) -> str:
        """A hexadecimal fingerprint of what was said and why; see `digest.digest_of`."""
        from ..digest import digest_of

        return digest_of(self)
