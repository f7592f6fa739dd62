"""vLLM on the packaged model, small enough for a test."""

from __future__ import annotations

import multiprocessing
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playact.backends.vllm import VLLMBackend

__all__ = ["SMALL", "a_vllm", "processes"]

# In float32 a request gets the same words alone and among others.
SMALL: dict[str, object] = {
    "dtype": "float32",
    "max_model_len": 2048,
    "max_num_seqs": 16,
    "kv_cache_memory_bytes": 2**30,
}


@asynccontextmanager
async def a_vllm() -> AsyncIterator[VLLMBackend]:
    backend = VLLMBackend(engine=SMALL)
    try:
        await backend.open()
        yield backend
    finally:
        await backend.aclose()


def processes() -> list[int | None]:
    """Those that this one has started through multiprocessing, which vLLM does."""
    return [process.pid for process in multiprocessing.active_children()]
