"""A model and its tokenizer, out of a folder, a GGUF file or the hub, ready to run."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, modeling_gguf_pytorch_utils
from transformers.utils import logging as _logging

from ...engine.errors import SetupError
from ..http_answer import presentable
from ..reply_text import MARKS
from .attention import ATTENTION, StepAttention, register
from .slots import SlotCache
from .step import Standing, StepMap

__all__ = ["LoadedModel", "load_model"]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model whose layers attend row by row. `eos` are the tokens that end a reply, `silent` those that are no
    part of its text; `context` is how many tokens a text can have, prompt and reply together."""

    name: str
    model: Any  # a transformers model
    tokenizer: Any  # a transformers tokenizer over a `tokenizers` one
    eos: frozenset[int]
    silent: frozenset[int]
    context: int
    device: torch.device
    dtype: torch.dtype

    @property
    def vocabulary(self) -> int:
        return int(self.model.get_output_embeddings().weight.shape[0])

    def forward(self, step: StepMap, cache: SlotCache) -> torch.Tensor:
        """The logits (rows, vocabulary) of the places that are sampled; writes keys and values into the cache."""
        attention = StepAttention(step, cache, self.device, self.dtype)
        logits: torch.Tensor = self.model(
            input_ids=torch.tensor([step.tokens], device=self.device),
            position_ids=torch.tensor([step.positions], device=self.device),
            logits_to_keep=torch.tensor(step.sampled, dtype=torch.long, device=self.device),
            use_cache=False,
            playact_step=attention,
        ).logits
        if not attention.layers_attended:  # its settings belong to its user too
            raise RuntimeError("the model's attention was set to another after it was loaded")
        return logits[0]


def load_model(
    source: str, *, device: str, dtype: str, trust_remote_code: bool = False, context_tokens: int | None = None
) -> LoadedModel:
    """Takes seconds: call it in a worker thread. Raises `SetupError` when there is no such model or it cannot run here;
    `ModuleNotFoundError` when a package is missing."""
    # Each thread that computes keeps helpers of its own as long as it lives, and where there are more of them than
    # processors OpenMP lets them sleep between two operations: each step of the model then takes a third longer.
    with ThreadPoolExecutor(1, "playact loads a model") as thread:
        return thread.submit(_load, source, device, dtype, trust_remote_code, context_tokens).result()


def _load(source: str, device: str, dtype: str, trust_remote_code: bool, context_tokens: int | None) -> LoadedModel:
    where = _device(device)
    kind = _dtype(dtype, where)
    path = Path(source).expanduser()
    theirs: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    name = source
    if path.suffix == ".gguf":
        if not path.is_file():
            raise SetupError(f"there is no file {source}")
        theirs["gguf_file"] = path.name
        name = str(path.parent)
    elif path.exists():
        name = str(path)
    elif source.startswith(("/", ".", "~")):  # which no hub id does
        raise SetupError(f"there is no folder {source}")
    with _quietly():
        try:
            tokenizer = AutoTokenizer.from_pretrained(name, **theirs)
            if "gguf_file" in theirs:
                theirs |= _whole_numbers()
            else:
                theirs["config"] = AutoConfig.from_pretrained(name, **theirs)
            model: Any = AutoModelForCausalLM.from_pretrained(name, dtype=kind, **theirs)
        except ModuleNotFoundError:
            raise
        except Exception as error:  # whatever it is that a damaged or unknown model causes
            raise SetupError(f"the model {source} cannot be loaded: {presentable(str(error))}") from error
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise SetupError(f"the model {source} has a tokenizer of the slow kind, which is not supported")
    if not tokenizer.chat_template:
        raise SetupError(f"the model {source} has no chat template: it is not made for dialogs")
    model.eval().requires_grad_(False)
    try:
        model.to(where)
    except RuntimeError as error:
        raise SetupError(f"the model {source} does not fit on {where}: {presentable(str(error))}") from error
    longest = int(getattr(model.config.get_text_config(), "max_position_embeddings", 0) or 4096)
    loaded = LoadedModel(
        source,
        model,
        tokenizer,
        _eos(model, tokenizer),
        _silent(tokenizer),
        min(context_tokens or longest, longest),
        where,
        kind,
    )
    _prove(loaded, source)
    return loaded


def _whole_numbers() -> dict[str, Any]:
    from transformers import GgufConfig

    return {"quantization_config": GgufConfig(dequantize=True)}


def _device(wanted: str) -> torch.device:
    try:
        if wanted != "auto":
            return torch.device(wanted)
    except RuntimeError as error:
        raise SetupError(f"there is no device {wanted}; say auto, cpu, cuda or mps") from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _dtype(wanted: str, device: torch.device) -> torch.dtype:
    """By itself float32, in which a reply does not depend on its neighbours; on CUDA what its kernels are made for."""
    if wanted != "auto":
        kind = getattr(torch, wanted, None)
        if not isinstance(kind, torch.dtype) or not kind.is_floating_point:
            raise SetupError(f"there is no dtype {wanted}; say auto, float32, bfloat16 or float16")
        return kind
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _eos(model: Any, tokenizer: Any) -> frozenset[int]:
    """What ends a reply, by the model's settings for generation, its configuration and its tokenizer."""
    ends: set[int] = set()
    for said in (model.generation_config.eos_token_id, model.config.eos_token_id, tokenizer.eos_token_id):
        ends.update([said] if isinstance(said, int) else said or ())
    return frozenset(ends)


def _silent(tokenizer: Any) -> frozenset[int]:
    special = (number for number, token in tokenizer.added_tokens_decoder.items() if token.special)
    return frozenset(number for number in special if tokenizer.added_tokens_decoder[number].content not in MARKS)


def _prove(loaded: LoadedModel, source: str) -> None:
    """Has the model compute a text in its own way, then in parts over our attention: the logits must be the same.

    So a model that keeps anything else than keys and values, or attends in its own way, is refused, never wrong.
    """
    ids = [token % loaded.vocabulary for token in range(300, 312)]
    try:
        with torch.inference_mode():
            own = loaded.model(input_ids=torch.tensor([ids], device=loaded.device), use_cache=False).logits[0, -1]
            register()
            loaded.model.set_attn_implementation(ATTENTION)
            cache = SlotCache(3, len(ids))
            done = 0
            for stop in (5, 6, len(ids) - 1, len(ids)):
                rows = [Standing(slot, ids[:stop], len(ids), done) for slot in (0, 2)]
                ours = loaded.forward(StepMap.of(rows, 2 * len(ids)), cache)
                done = stop
    except Exception as error:
        reason = presentable(str(error))
        raise SetupError(f"the model {source} cannot be run row by row: {reason}") from error
    bound = 1e-3 if loaded.dtype == torch.float32 else 0.1
    scale = float(own.float().abs().max())
    apart = float((ours.float() - own.float()).abs().max())
    if not apart <= bound * max(scale, 1.0):
        raise SetupError(f"the model {source} cannot be run row by row: it keeps more than keys and values of a text")


@contextmanager
def _quietly() -> Iterator[None]:
    """Without progress bars and advice: a library does not write on its user's screen."""
    logging: Any = _logging  # its functions have no types
    gguf: Any = modeling_gguf_pytorch_utils
    bar = gguf.tqdm  # this one heeds no setting
    verbosity, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    gguf.tqdm = partial(bar, disable=True)
    try:
        yield
    finally:
        gguf.tqdm = bar
        logging.set_verbosity(verbosity)
        if had_bars:
            logging.enable_progress_bar()
