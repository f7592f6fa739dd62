"""The chat template of a Hugging Face tokenizer, without its model: the packaged model's own, or one that is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..engine.errors import ExtraMissing, SetupError, WeightsMissing
from .chat_template import ChatTemplate
from .http_answer import presentable
from .weights import SMOLLM2, find_weights

__all__ = ["template_named"]


def template_named(name: str | None = None) -> ChatTemplate:
    """Of a folder, a GGUF file or a model on the hub; None is the packaged model. Takes some seconds.

    Raises `ExtraMissing`, `WeightsMissing`, and `SetupError` when there is no such tokenizer, or it has no template.
    """
    source = find_weights() if name is None else Path(name).expanduser()
    if source is None:
        raise WeightsMissing(SMOLLM2.title)
    where: dict[str, Any] = {}
    if source.suffix == ".gguf":
        if not source.is_file():
            raise SetupError(f"there is no file {source}")
        where = {"gguf_file": source.name}
        source = source.parent
    try:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(str(source) if where or source.exists() else name, **where)
    except ModuleNotFoundError as error:
        raise ExtraMissing("chatml", "huggingface", error.name or "transformers") from error
    except Exception as error:  # whatever it is that a damaged or unknown tokenizer causes
        raise SetupError(
            f"the tokenizer {name or SMOLLM2.title} cannot be loaded: {presentable(str(error))}"
        ) from error
    return ChatTemplate(name or SMOLLM2.title, tokenizer)
