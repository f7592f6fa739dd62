"""vLLM under playact, against its own offline batch, `LLM.generate`, on the very prompts that the dialogs came to.

For each number of dialogs both get an engine of that batch size, one after the other, never at once, each in processes
of its own, with as much memory for keys and values. The offline batch has the better part: all prompts are there from
the start, and those of the later turns find in the prefix cache what the earlier ones had computed, while a dialog's
next prompt waits for its last reply.
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# This folder has an `http.py`: found first, it would stand in the place of Python's own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import anyio
import anyio.to_thread

from benchmarks.report import Report
from benchmarks.talk import talk
from playact.backends.chat_template import ChatTemplate
from playact.backends.converted_weights import converted_weights
from playact.backends.vllm import VLLMBackend
from playact.backends.vllm.sampling import Sampling
from playact.engine import CompletionRequest, Parameters

DIALOGS = (1, 8, 64, 256)
# Every reply has as many tokens, on both sides.
DEFAULTS = Parameters(temperature=0.7, top_p=0.9, max_tokens=48, extra={"ignore_eos": True})
SETTINGS: Mapping[str, object] = {
    "max_model_len": 2048,
    "block_size": 32,
    "kv_cache_memory_bytes": 4 * 2**30,
    # Both are given seeds, with which vLLM reads no prompt in parts on processors; see `playact.backends.vllm.engine`.
    "enable_chunked_prefill": False,
    "max_num_batched_tokens": 4096,
}


async def rows(
    dialogs: Sequence[int] = DIALOGS, *, turns: int = 4, dtype: str = "bfloat16", is_compiled: bool = False
) -> AsyncIterator[dict[str, Any]]:
    """One for each number of dialogs: tokens a second of generated text, dialogs a minute, and the offline batch's.

    `share` is what playact reaches of it, `cached` the part of the prompts that the prefix cache had. With
    `is_compiled` each engine takes a minute more to start, and is faster then.
    """
    for count in dialogs:
        settings = {**SETTINGS, "dtype": dtype, "max_num_seqs": count, "enforce_eager": not is_compiled}
        played = await talk(VLLMBackend(engine=settings, defaults=DEFAULTS), count, turns=turns)
        offline = await anyio.to_thread.run_sync(_offline, played.requests, settings)
        yield {
            "engine": f"vllm, {dtype}, {'compiled' if is_compiled else 'eager'}",
            "dialogs": count,
            "tokens_per_s": played.tokens_per_s,
            "dialogs_per_min": played.dialogs_per_min,
            "offline_tokens_per_s": offline,
            "share": played.tokens_per_s / offline,
            "cached": played.cached,
        }


def _offline(requests: Sequence[CompletionRequest], settings: dict[str, Any]) -> float:
    """Tokens a second, in a process of its own, whose memory is then free again."""
    with TemporaryDirectory() as folder:
        task = Path(folder) / "task"
        task.write_bytes(pickle.dumps((requests, settings)))
        command = [sys.executable, __file__, "--offline", str(task)]
        # Without accelerator it keeps one processor back by itself, and playact has it use all.
        processors = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        environment = {"VLLM_CPU_OMP_THREADS_BIND": processors, **os.environ}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            sys.exit(done.stderr)
        return float(task.read_text(encoding="utf-8"))  # not what it prints, in which vLLM has a say too


def _generate(task: Path) -> None:
    from vllm import LLM

    requests, settings = pickle.loads(task.read_bytes())  # noqa: S301  (written by us, a moment ago)
    model = str(converted_weights("vllm"))
    llm = LLM(model=model, disable_log_stats=True, **settings)
    template = ChatTemplate("vllm", llm.get_tokenizer())
    sampling = Sampling("vllm", DEFAULTS, {})
    prompts = [{"prompt_token_ids": template.prompt(request).tokens} for request in requests]
    parameters = [sampling.of(request, in_pieces=False) for request in requests]
    llm.generate([{"prompt_token_ids": [1]}], parameters[:1], use_tqdm=False)
    clock = time.perf_counter()
    outputs = llm.generate(prompts, parameters, use_tqdm=False)
    seconds = time.perf_counter() - clock
    rate = sum(len(output.outputs[0].token_ids) for output in outputs) / seconds
    task.write_text(str(rate), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogs", type=int, nargs="+", default=DIALOGS)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--compiled", action="store_true", help="let vLLM compile the model")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="8 and 64 dialogs only")
    parser.add_argument("--offline", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.offline:
        _generate(options.offline)
        return
    counts = (8, 64) if options.quick else options.dialogs
    report = Report("vllm", "vllm-cpu", "torch", is_json=options.json)
    made = rows(counts, turns=options.turns, dtype=options.dtype, is_compiled=options.compiled)
    anyio.run(report.run, made)


if __name__ == "__main__":
    main()
