"""Many dialogs in a folder, and the folders of datasets in sdialog's form."""

from __future__ import annotations

from pathlib import Path

from ..errors import ExtraMissing, FileInvalid
from .dialog import Dialog
from .files import FileType, read_dialog
from .table import Column

__all__ = ["read_dataset", "read_folder"]

_ENDINGS = ("json", "csv", "tsv", "txt")
_SPLITS = ("train", "test", "val")


def read_folder(
    path: Path,
    type: FileType = "auto",
    template: str = "{speaker}: {text}",
    speaker_column: Column = "speaker",
    text_column: Column = "text",
) -> list[Dialog]:
    """First the dialogs of tables and texts, numbered from 1, then those of JSON; each by the name of its file.

    Raises `FileInvalid` for the first file that is no dialog, or when this is no folder.
    """
    if not path.is_dir():
        raise FileInvalid(str(path), None, "is no folder; read a single file with Dialog.from_file")
    endings = _ENDINGS if type == "auto" else (type,)
    files = sorted(
        (file for file in path.iterdir() if file.is_file() and file.suffix.lower().removeprefix(".") in endings),
        key=lambda file: (file.suffix.lower() == ".json", file.name),
    )
    dialogs = [read_dialog(file, type, template, speaker_column, text_column) for file in files]
    for number, (file, dialog) in enumerate(zip(files, dialogs, strict=True), 1):
        if not file.suffix.lower().startswith(".json"):
            dialog.id = number
    return dialogs


def read_dataset(name: str, fetched_to: Path | None = None) -> list[Dialog] | dict[str, list[Dialog]]:
    """The dialogs in `data/`, or by split where it has folders for these. Raises `FileInvalid`, `ExtraMissing`."""
    if Path(name).is_dir():
        folder = Path(name)
    elif fetched_to is not None and (fetched_to / "data").is_dir():
        folder = fetched_to
    else:
        folder = _fetched(name, fetched_to)
    data = folder / "data"
    if not data.is_dir():
        raise FileInvalid(name, None, "is no dataset of dialogs: it has no folder `data`")
    splits = {split: read_folder(data / split, "json") for split in _SPLITS if (data / split).is_dir()}
    return splits or read_folder(data, "json")


def _fetched(name: str, to: Path | None) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError as error:
        raise ExtraMissing(f"the dataset {name}", "data", "huggingface_hub") from error
    try:
        return Path(snapshot_download(repo_id=name, repo_type="dataset", local_dir=to))
    except Exception as error:  # the hub's own, httpx's and the operating system's, under no common class
        raise FileInvalid(name, None, f"is no folder here, and cannot be fetched: {error}".splitlines()[0]) from error
