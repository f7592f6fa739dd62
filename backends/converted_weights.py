"""The embedded model's weights as a Hugging Face folder, for engines that do not read GGUF, or not in a hurry.

Made once for a file of that content, then kept: loading the folder takes two seconds, the GGUF file half a minute.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from ..engine.errors import ExtraMissing, SetupError, WeightsMissing
from .weights import SMOLLM2, Weights, cache_folder, find_weights

__all__ = ["converted_weights"]


def converted_weights(backend: str, weights: Weights = SMOLLM2) -> Path:
    """The folder, which appears only when it is whole; the first time takes half a minute and 270 MB of disk.

    Its numbers are bfloat16, with which a weight of four bits loses next to nothing.

    Run it in a worker thread. Raises `WeightsMissing`, `ExtraMissing`, `SetupError`.
    """
    source = find_weights(weights)
    if source is None:
        raise WeightsMissing(weights.title)
    folder = cache_folder() / f"{source.stem}-{_checksum(source)[:12]}-hf"
    if folder.is_dir():
        return folder
    for package in ("torch", "transformers", "gguf", "accelerate"):
        if find_spec(package) is None:
            raise ExtraMissing(backend, "huggingface", package)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".convert-") as unfinished:
            _convert_apart(source, Path(unfinished) / folder.name)
            try:
                (Path(unfinished) / folder.name).rename(folder)
            except OSError:
                if not folder.is_dir():  # else another process was faster, with the same result
                    raise
    except OSError as error:
        reason = f"{error.strerror or error}; PLAYACT_CACHE may name another place"
        raise SetupError(f"{weights.title} cannot be stored in {folder}: {reason}") from error
    return folder


def _checksum(source: Path) -> str:
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _convert_apart(source: Path, folder: Path) -> None:
    """In a process of its own: what it prints is not ours, and its memory is wanted for the engine afterwards."""
    command = [sys.executable, "-m", __name__, str(source), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)  # noqa: S603
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
        raise SetupError(f"{source} cannot be converted: {said[-1].strip()}")


def _convert(source: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    model = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),  # without it the model is loaded, but cannot be saved
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))
