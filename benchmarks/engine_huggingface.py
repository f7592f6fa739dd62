"""Hugging Face models under playact, against their own offline batch, `generate`, on the prompts the dialogs came to.

The dialogs are played first and their requests kept. Then the same weights, under transformers' own attention, get the
requests of each turn as one padded batch, with replies as long; and a few of them one at a time. The offline batch has
the better part: all its prompts are there from the start, and nobody waits for anybody. It takes tokens with a
probability as the dialogs do, by temperature alone, since transformers sorts the vocabulary for anything more. Both
compute in a thread of their own, with all processors.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

# This folder has an `http.py`: found first, it would stand in the place of Python's own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import anyio

from benchmarks.report import Report
from benchmarks.talk import talk
from playact.backends.chat_template import ChatTemplate
from playact.backends.converted_weights import converted_weights
from playact.backends.huggingface import HuggingFaceBackend
from playact.engine import Parameters

PACKAGES = ("torch", "transformers", "llguidance")
DIALOGS = (1, 8, 32, 128)
# Every reply has as many tokens, on both sides.
LENGTH = 48
DEFAULTS = Parameters(temperature=0.7, top_p=1.0, max_tokens=LENGTH, extra={"ignore_eos": True})
# One at a time is slow, and its rate does not change from one request to another.
ALONE = 8


async def rows(
    dialogs: Sequence[int] = DIALOGS, *, turns: int = 4, rounds: int = 3, dtype: str = "float32"
) -> AsyncIterator[dict[str, Any]]:
    """One for each number of dialogs: tokens a second of generated text, dialogs a minute, and the offline batch's.

    `share` is what playact reaches of the offline batch, `times_alone` how often what the same requests get one at a
    time, `cached` the part of the prompts that needed no computing. Medians of the rounds, in which both take turns.
    """
    from playact.backends.huggingface.loading import load_model

    folder = await anyio.to_thread.run_sync(converted_weights, "huggingface")
    loaded = await anyio.to_thread.run_sync(lambda: load_model(str(folder), device="auto", dtype=dtype))
    plain = _plain(loaded)
    template = ChatTemplate("huggingface", loaded.tokenizer)
    for count in dialogs:
        played, offline, alone = [], [], []
        for _ in range(rounds):
            played.append(await talk(HuggingFaceBackend(loaded, rows=count, defaults=DEFAULTS), count, turns=turns))
            batches = [[template.prompt(request).tokens for request in turn] for turn in played[-1].rounds]
            offline.append(_offline(plain, batches))
            prompts = [prompt for batch in batches for prompt in batch]
            alone.append(_offline(plain, [[prompt] for prompt in prompts[:: -(-len(prompts) // ALONE)]]))
        rate = statistics.median(each.tokens_per_s for each in played)
        yield {
            "engine": f"huggingface, {dtype}",
            "dialogs": count,
            "tokens_per_s": rate,
            "dialogs_per_min": statistics.median(each.dialogs_per_min for each in played),
            "offline_tokens_per_s": statistics.median(offline),
            "share": rate / statistics.median(offline),
            "alone_tokens_per_s": statistics.median(alone),
            "times_alone": rate / statistics.median(alone),
            "cached": statistics.median(each.cached for each in played),
        }


def _plain(loaded: Any) -> Any:
    """The same weights, once in memory, under transformers' own attention."""
    from transformers import AutoModelForCausalLM

    maker: Any = AutoModelForCausalLM  # it has no types
    config = deepcopy(loaded.model.config)
    plain = maker.from_config(config, attn_implementation="sdpa", dtype=loaded.dtype)
    plain.load_state_dict(loaded.model.state_dict(), assign=True)
    plain.tie_weights()
    return plain.eval()


def _offline(plain: Any, batches: Sequence[Sequence[Sequence[int]]]) -> float:
    """Tokens a second of `generate`, batch after batch, each padded on the left to its longest prompt."""
    # In a thread that ends: OpenMP slows all others down as long as one more has computed with it.
    with ThreadPoolExecutor(1) as thread:
        seconds = sum(thread.submit(_generate, plain, prompts).result() for prompts in batches)
    return LENGTH * sum(map(len, batches)) / seconds


def _generate(plain: Any, prompts: Sequence[Sequence[int]]) -> float:
    import torch

    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=plain.device)
    mask = torch.tensor([[0] * (longest - len(each)) + [1] * len(each) for each in prompts], device=plain.device)
    settings = {"temperature": 0.7, "top_k": 0, "max_new_tokens": LENGTH, "min_new_tokens": LENGTH}
    clock = time.perf_counter()
    with torch.inference_mode():
        plain.generate(ids, attention_mask=mask, do_sample=True, **settings)
    return time.perf_counter() - clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogs", type=int, nargs="+", default=DIALOGS)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="one round of 1 and 8 dialogs")
    options = parser.parse_args()
    counts, rounds = ((1, 8), 1) if options.quick else (options.dialogs, options.rounds)
    report = Report(*PACKAGES, is_json=options.json)
    anyio.run(report.run, rows(counts, turns=options.turns, rounds=rounds, dtype=options.dtype))


if __name__ == "__main__":
    main()
