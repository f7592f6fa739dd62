"""Hugging Face models under playact, against their own offline batch, `generate`, on the prompts the dialogs came to.

The dialogs are played first and their requests kept. Then the same weights, under transformers' own attention, get the
requests of each turn as one padded batch, with replies as long; and a few of them one at a time. The offline batch has
the better part: all its prompts are there from the start, and nobody waits for anybody. It takes tokens with a
probability as the dialogs do, by temperature alone, since transformers sorts the vocabulary for anything more.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from copy import deepcopy
from itertools import repeat
from pathlib import Path
from typing import Any

# This folder has an `http.py`: found first, it would stand in the place of Python's own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import anyio

from benchmarks.report import machine, print_table
from playact.actors import Agent, Persona, Scenario
from playact.backends.chat_template import ChatTemplate
from playact.backends.huggingface import HuggingFaceBackend
from playact.backends.weights import find_weights
from playact.engine import Completion, CompletionRequest, Parameters, Simulation

__all__ = ["PACKAGES", "rows"]

PACKAGES = ("torch", "transformers", "llguidance")
DIALOGS = (1, 8, 32, 128)
# Every reply has as many tokens, on both sides.
LENGTH = 48
DEFAULTS = Parameters(temperature=0.7, top_p=1.0, max_tokens=LENGTH, extra={"ignore_eos": True})
ALICE = Agent(Persona(name="Alice", role="barista", personality="friendly, quick, proud of her coffee"))
BOB = Agent(Persona(name="Bob", role="customer", personality="curious and polite"))


class Recording(HuggingFaceBackend):
    """Keeps what it was asked, in the order of asking."""

    requests: list[CompletionRequest]

    async def complete(self, request: CompletionRequest) -> Completion:
        self.requests.append(request)
        return await super().complete(request)


async def rows(dialogs: Sequence[int] = DIALOGS, *, turns: int = 4) -> list[dict[str, Any]]:
    """One for each number of dialogs: tokens a second of generated text, dialogs a minute, and the offline batch's.

    `share` is what playact reaches of the offline batch, `times_alone` how often what the same requests get one at a
    time, `cached` the part of the prompts that needed no computing.
    """
    from playact.backends.huggingface.loading import load_model

    weights = find_weights()
    if weights is None:
        sys.exit("the weights are not here; run `playact models fetch`")
    loaded = await anyio.to_thread.run_sync(lambda: load_model(str(weights), device="auto", dtype="auto"))
    plain = _plain(loaded)
    found = []
    for count in dialogs:
        played, requests = await _played(loaded, count, turns)
        prompts = [ChatTemplate("huggingface", loaded.tokenizer).prompt(request).tokens for request in requests]
        batches = [prompts[start : start + count] for start in range(0, len(prompts), count)]
        offline = await anyio.to_thread.run_sync(_offline, plain, batches)
        alone = await anyio.to_thread.run_sync(_offline, plain, [[prompt] for prompt in prompts[:: len(prompts) // 4]])
        found.append(
            {
                "engine": "huggingface",
                "dialogs": count,
                "tokens_per_s": played["tokens_per_s"],
                "dialogs_per_min": 60 * count / played["seconds"],
                "offline_tokens_per_s": offline,
                "share": played["tokens_per_s"] / offline,
                "times_alone": played["tokens_per_s"] / alone,
                "cached": played["cached"],
            }
        )
    return found


def _plain(loaded: Any) -> Any:
    """The same weights, once in memory, under transformers' own attention."""
    from transformers import AutoModelForCausalLM

    maker: Any = AutoModelForCausalLM  # it has no types
    config = deepcopy(loaded.model.config)
    plain = maker.from_config(config, attn_implementation="sdpa", dtype=loaded.dtype)
    plain.load_state_dict(loaded.model.state_dict(), assign=True)
    plain.tie_weights()
    return plain.eval()


async def _played(loaded: Any, count: int, turns: int) -> tuple[dict[str, float], list[CompletionRequest]]:
    backend = Recording(loaded, rows=count, defaults=DEFAULTS)
    backend.requests = []
    scenario = Scenario(cast=(ALICE, BOB), max_turns=turns)
    async with Simulation(model=backend, concurrency=count, seed=1) as simulation:
        clock = time.perf_counter()
        async for dialog in simulation.run(repeat(scenario, count)):
            assert dialog.ending is not None
            assert not dialog.ending.failed, dialog.ending
        seconds = time.perf_counter() - clock
        figures = backend.statistics()
    read = figures["prompt_tokens"] + figures["cached_tokens"]
    measured = {
        "tokens_per_s": figures["completion_tokens"] / seconds,
        "seconds": seconds,
        "cached": figures["cached_tokens"] / read,
    }
    return measured, backend.requests


def _offline(plain: Any, batches: Sequence[Sequence[Sequence[int]]]) -> float:
    """Tokens a second of `generate`, batch after batch, each padded on the left to its longest prompt."""
    import torch

    seconds = 0.0
    device = plain.device
    for prompts in batches:
        longest = max(map(len, prompts))
        ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=device)
        mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
        settings = {"temperature": 0.7, "top_k": 0, "max_new_tokens": LENGTH, "min_new_tokens": LENGTH}
        clock = time.perf_counter()
        with torch.inference_mode():
            plain.generate(ids, attention_mask=mask, do_sample=True, **settings)
        seconds += time.perf_counter() - clock
    return LENGTH * sum(map(len, batches)) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogs", type=int, nargs="+", default=DIALOGS)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="1 and 8 dialogs only")
    options = parser.parse_args()
    counts = (1, 8) if options.quick else tuple(options.dialogs)

    async def measured() -> list[dict[str, Any]]:
        return await rows(counts, turns=options.turns)

    found, about = anyio.run(measured), machine(*PACKAGES)
    if options.json:
        print(json.dumps({"rows": found, "machine": about}))
    else:
        print_table(found, about)


if __name__ == "__main__":
    main()
