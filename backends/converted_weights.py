"""The embedded model's weights as a Hugging Face folder, for engines that read no GGUF; made once, then kept."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..engine.errors import ExtraMissing, SetupError, WeightsMissing
from .weights import SMOLLM2, Weights, cache_folder, find_weights

__all__ = ["converted_weights"]


def converted_weights(backend: str, extra: str, weights: Weights = SMOLLM2) -> Path:
    """The folder, which appears only when it is whole; the first time takes half a minute and about 270 MB of disk.

    Run it in a worker thread. Raises `WeightsMissing`, `ExtraMissing` for what `extra` installs, and `SetupError`.
    """
    source = find_weights(weights)
    if source is None:
        raise WeightsMissing(weights.title)
    folder = cache_folder() / f"{source.stem}-hf"
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".convert-") as unfinished:
            _convert(source, Path(unfinished) / folder.name)
            try:
                (Path(unfinished) / folder.name).rename(folder)
            except OSError:
                if not folder.is_dir():  # else another process was faster, with the same result
                    raise
    except ModuleNotFoundError as error:
        raise ExtraMissing(backend, extra, error.name or "transformers") from error
    except (ValueError, RuntimeError, OSError) as error:
        reason = str(getattr(error, "strerror", None) or error).strip().splitlines()[0]
        raise SetupError(f"{source} cannot be converted to {folder}: {reason}") from error
    return folder


def _convert(source: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    was_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        model = AutoModelForCausalLM.from_pretrained(
            source.parent,
            gguf_file=source.name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(dequantize=True),  # else it is loaded, but cannot be saved
        )
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    finally:
        if was_shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
