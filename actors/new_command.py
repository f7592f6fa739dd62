"""`playact new`: a scenario file to begin with, and the schema by which editors help to write it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..engine.errors import SetupError
from .prompts.packaged import SUFFIX, packaged_names, packaged_text

__all__ = ["SCHEMA_FILE", "new", "new_prompts", "print_schema", "templates"]

SCHEMA_FILE = "playact.schema.json"
_FOLDER = Path(__file__).parent / "starters"


def templates() -> list[str]:
    """The names of the scenario files to begin with."""
    return sorted(file.stem for file in _FOLDER.glob("*.yaml"))


def new(path: Path, template: str, *, overwrites: bool = False) -> int:
    """Writes a scenario file and, beside it, the schema that its first line names. The exit code.

    Raises `SetupError` when one of them is there already and is something else, unless it `overwrites`.
    """
    files = {path: starter(template, path.name), path.with_name(SCHEMA_FILE): _schema()}
    if path.name == SCHEMA_FILE or path.suffix.lower() not in (".yaml", ".yml"):
        raise SetupError(f"{path} is no name for a scenario file; say one that ends with .yaml")
    if not overwrites:
        for file in files:
            if file.exists() and not (file.name == SCHEMA_FILE and _is_schema(file)):
                raise SetupError(f"{file} is there already; say --force to replace it, or another name")
    for file, text in files.items():
        _write(file, text)
    print(f"{path} is written, with {SCHEMA_FILE} for your editor; play it: playact run {path}")
    return 0


def new_prompts(folder: Path, *, overwrites: bool = False) -> int:
    """Writes the packaged templates of prompts to a folder, from which `Prompts.of` reads them. The exit code.

    Raises `SetupError` when one of them is there already and says something else, unless it `overwrites`.
    """
    files = {folder / f"{name}{SUFFIX}": packaged_text(name) for name in sorted(packaged_names())}
    for file, text in files.items():
        if file.exists() and not overwrites and file.read_text(encoding="utf-8", errors="replace") != text:
            raise SetupError(f"{file} is there already; say --force to replace it, or another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{folder} cannot be made: {error.strerror}") from error
    for file, text in files.items():
        _write(file, text)
    print(f"{len(files)} templates are in {folder}; take away those you leave as they are, and name it as prompts:")
    return 0


def print_schema() -> int:
    """Prints the JSON schema of scenario files. The exit code."""
    print(_schema(), end="")
    return 0


def starter(template: str, file: str) -> str:
    """A scenario file to begin with, which is to be called `file`. Raises KeyError for a name that is none."""
    if template not in templates():
        raise KeyError(template)
    return (_FOLDER / f"{template}.yaml").read_text(encoding="utf-8").replace("FILE.yaml", file)


def _schema() -> str:
    from .playbill.schema import schema

    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _is_schema(file: Path) -> bool:
    """Whether a file is one that we wrote, so that a newer one may take its place."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("title") == "A scenario file of playact"


def _write(file: Path, text: str) -> None:
    """Whole or not at all. Raises `SetupError`."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise SetupError(f"{file} cannot be written: {error.strerror}") from error
