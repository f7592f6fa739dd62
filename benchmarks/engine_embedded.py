"""The embedded model under playact, against the server's own slots, driven plainly with the same requests.

The dialogs are played first and their requests kept. Then a fresh server of the same settings gets the same requests,
as many at a time, from threads that do nothing else and meet it in the process, without HTTP. What the engine and the
wire cost is the difference. Replies end where the model ends them, at 32 tokens at the latest.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# This folder has an `http.py`: found first, it would stand in the place of Python's own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import anyio

from benchmarks.report import Report
from benchmarks.talk import talk
from playact.backends.embedded import EmbeddedBackend
from playact.backends.llama_server import LlamaServer
from playact.backends.weights import find_weights
from playact.engine import CompletionRequest
from playact.engine.settings import overlaid

DIALOGS = (1, 8, 32)
ALONE = 16


async def rows(dialogs: Sequence[int] = DIALOGS, *, turns: int = 4, rounds: int = 3) -> AsyncIterator[dict[str, Any]]:
    """One for each number of dialogs, which have a slot each.

    `share` is what playact reaches of the slots driven plainly, `times_alone` how often what one slot gives, `cached`
    the part of the prompts that needed no computing. Medians of the rounds, in which both take turns.
    """
    for count in dialogs:
        played, plain, alone = [], [], []
        for _ in range(rounds):
            played.append(await talk(EmbeddedBackend(slots=count), count, turns=turns))
            requests = played[-1].requests
            plain.append(await anyio.to_thread.run_sync(_driven, requests, count))
            alone.append(await anyio.to_thread.run_sync(_driven, requests[:: -(-len(requests) // ALONE)], 1))
        rate = statistics.median(each.tokens_per_s for each in played)
        yield {
            "engine": "embedded",
            "dialogs": count,
            "tokens_per_s": rate,
            "dialogs_per_min": statistics.median(each.dialogs_per_min for each in played),
            "offline_tokens_per_s": statistics.median(plain),
            "share": rate / statistics.median(plain),
            "alone_tokens_per_s": statistics.median(alone),
            "times_alone": rate / statistics.median(alone),
            "cached": statistics.median(each.cached for each in played),
        }


def _driven(requests: Sequence[CompletionRequest], slots: int) -> float:
    """Tokens a second of a server's slots that always have the next request at hand."""
    weights = find_weights()
    if weights is None:
        sys.exit("the weights are not here; run `playact models fetch`")
    server = LlamaServer(weights, slots=slots, context_tokens=2048, threads=os.cpu_count() or 1)
    try:
        ask: Any = server._server.handle_chat_completions  # what its HTTP interface calls too
        ask({"messages": [{"role": "user", "content": "Good morning."}], "max_tokens": 8})
        with ThreadPoolExecutor(slots) as threads:
            clock = time.perf_counter()
            tokens = sum(reply["usage"]["completion_tokens"] for reply in threads.map(ask, map(_body, requests)))
            return float(tokens / (time.perf_counter() - clock))
    finally:
        server.stop()


def _body(request: CompletionRequest) -> dict[str, object]:
    """A request as the embedded backend sends it."""
    parameters = overlaid(request.parameters, EmbeddedBackend().defaults)
    return {
        "messages": [{"role": message.role, "content": message.text} for message in request.messages],
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "max_tokens": parameters.max_tokens,
        "stop": list(parameters.stop),
        "seed": request.seed,
        **parameters.extra,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogs", type=int, nargs="+", default=DIALOGS)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="one round instead of three")
    options = parser.parse_args()
    report = Report("xllamacpp", "httptools", is_json=options.json)
    rounds = 1 if options.quick else options.rounds
    anyio.run(report.run, rows(options.dialogs, turns=options.turns, rounds=rounds))


if __name__ == "__main__":
    main()
