"""Models of a few thousand random weights in folders, as transformers stores them, of any architecture it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

__all__ = ["CHATML", "STRICT", "save_tiny", "tiny_tokenizer"]

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Like the templates of Gemma 2 and the first Llama and Mistral models: user and assistant in turn, no system message.
STRICT = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "pad_token_id": 257,
}


def tiny_tokenizer(chat_template: str | None = CHATML) -> PreTrainedTokenizerFast:
    """A token for each byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    made: Any = PreTrainedTokenizerFast  # it has no types
    theirs: PreTrainedTokenizerFast = made(
        tokenizer_object=tokenizer, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    theirs.chat_template = chat_template
    return theirs


def save_tiny(folder: Path, kind: str = "llama", *, chat_template: str | None = CHATML, **config: Any) -> Path:
    """Saves a model of the architecture `kind`, the same at each call."""
    tokenizer = tiny_tokenizer(chat_template)
    settings = AutoConfig.for_model(kind, vocab_size=len(tokenizer), **{**_SIZES, **config})
    with torch.random.fork_rng():
        torch.manual_seed(1)
        maker: Any = AutoModelForCausalLM  # it has no types
        model = maker.from_config(settings)
        with torch.no_grad():
            for weights in model.parameters():
                weights.mul_(5)  # so that what it says depends on what it was told
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
