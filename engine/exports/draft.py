"""Files and folders that are there whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import SetupError

__all__ = ["Draft"]


class Draft:
    """Use it as a context manager: write what you like into `folder`, under the names that the things are to have.

    They are moved to `target` when the block is left without an error; else nothing is left of them. What a killed
    process has left is cleared away by the next that writes the same. Names are looked at when it is entered, so that
    hours of writing do not end with "is there already".

    names: the files that appear in the folder `target`; none when `target` itself, a folder, is what appears.
    overwrites: what is there already gives way; a folder only when it holds a `data` and a README.md, and nothing else.

    Raises `SetupError`.
    """

    def __init__(self, target: Path, names: tuple[str, ...] = (), *, overwrites: bool = False) -> None:
        self.folder = target / f".{names[0]}.draft" if names else target.with_name(f".{target.name}.draft")
        self._target = target
        self._names = names
        self._overwrites = overwrites

    def __enter__(self) -> Self:
        for path in [self._target / name for name in self._names] or [self._target]:
            self._check(path)
        try:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
        except OSError as error:
            raise SetupError(f"cannot write {self._target}: {error.strerror}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                self._keep()
        except OSError as failure:
            raise SetupError(f"cannot write {self._target}: {failure.strerror}") from failure
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _check(self, path: Path) -> None:
        if self._names and path.is_dir():
            raise SetupError(f"{path} is a folder; choose another name for the file")
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise SetupError(f"{path} is no ordinary file; write to standard output, which is -, and lead that there")
        if not self._names and path.is_file():
            raise SetupError(f"{path} is a file; choose another name for the folder")
        is_empty_folder = path.is_dir() and not any(path.iterdir())
        if not path.exists() or is_empty_folder:
            return
        if not self._overwrites:
            raise SetupError(f"{path} is there already; choose another name or say --overwrite")
        if not self._names and not _is_ours(path):
            raise SetupError(f"{path} holds more than a dataset of playact, so it is not replaced; choose another name")

    def _keep(self) -> None:
        if self._names:
            for name in reversed(self._names):  # the card first, so that no data is without
                _sync(self.folder / name)
                os.replace(self.folder / name, self._target / name)
            return
        for path in self.folder.rglob("*"):
            if path.is_file():
                _sync(path)
        earlier = self._target.with_name(f".{self._target.name}.earlier")
        shutil.rmtree(earlier, ignore_errors=True)
        if self._target.exists():
            os.rename(self._target, earlier)
        os.rename(self.folder, self._target)
        shutil.rmtree(earlier, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    return {path.name for path in folder.iterdir()} <= {"README.md", "data"}


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
