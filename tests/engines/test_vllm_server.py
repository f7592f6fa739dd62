"""vLLM's own server, in a process of its own: the backend for OpenAI-compatible endpoints gets on with it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import pytest_asyncio

from playact.backends.converted_weights import converted_weights
from playact.backends.openai import OpenAIBackend
from playact.engine.completion import Message
from playact.engine.errors import BackendRefused
from tests.backends.engine_contract import AGE, asking, streamed

pytestmark = [pytest.mark.asyncio, pytest.mark.engine, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """Where a server of the packaged model listens. It is asked to end, which ends its engine's processes too."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    settings = {
        "model": converted_weights("the test"),
        "served-model-name": "smollm2",
        "host": "127.0.0.1",
        "port": port,
        "dtype": "float32",
        "max-model-len": 2048,
        "max-num-seqs": 32,
        "kv-cache-memory-bytes": 2**30,
        # A model of this size else puts space between two values of a schema until its tokens are used up.
        "structured-outputs-config": json.dumps({"backend": "guidance", "disable_any_whitespace": True}),
    }
    flags = ["--enforce-eager", "--enable-prompt-tokens-details"]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *flags]
    for name, value in settings.items():
        command += [f"--{name}", str(value)]
    environment = {
        **os.environ,
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "GOMP_SPINCOUNT": "10000",
    }
    process = subprocess.Popen(command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, env=environment, text=True)
    said: list[str] = []
    is_ready = threading.Event()

    def listen() -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                said.append(line)
                if "Application startup complete" in line:
                    is_ready.set()
        is_ready.set()  # or it has ended

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        is_ready.wait()
        if process.poll() is not None:
            pytest.fail("".join(said[-30:]))
        yield f"http://127.0.0.1:{port}/v1"
        process.terminate()
        process.wait(60)
    finally:
        process.kill()
        process.wait()
        listener.join()


@pytest_asyncio.fixture
async def backend(base_url: str) -> AsyncIterator[OpenAIBackend]:
    backend = OpenAIBackend("smollm2", base_url=base_url)
    await backend.open()
    yield backend
    await backend.aclose()


async def test_it_answers_in_one_and_in_pieces(backend: OpenAIBackend) -> None:
    request = asking("Describe a harbour in the morning.", max_tokens=24)

    whole = await backend.complete(request)
    completion, pieces = await streamed(backend, request)

    assert whole.text
    assert (completion.text, completion.finish) == (whole.text, whole.finish)
    assert completion.usage.completion_tokens == whole.usage.completion_tokens > 0
    assert pieces > 1


async def test_a_schema_holds(backend: OpenAIBackend) -> None:
    completion = await backend.complete(asking("Who are you?", max_tokens=80, schema=AGE, temperature=0.0))

    assert set(json.loads(completion.text)) == {"name", "age"}


async def test_cached_tokens_are_counted(backend: OpenAIBackend) -> None:
    request = asking("Say hello.", max_tokens=4)
    request = replace(request, messages=(Message("system", "You keep bees by the sea. " * 60), *request.messages))

    first, second = [await backend.complete(request) for _ in range(2)]

    assert first.usage.cached_tokens == 0
    assert second.usage.cached_tokens > second.usage.prompt_tokens / 2


async def test_among_thirty_two_each_gets_its_own_answer(backend: OpenAIBackend) -> None:
    requests = [asking(f"Repeat: {number}", max_tokens=8, temperature=0.0) for number in range(32)]
    alone = await backend.complete(requests[5])

    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(backend.complete(request)) for request in requests]

    assert calls[5].result().text == alone.text
    assert all(call.result().usage.completion_tokens for call in calls)


async def test_a_prompt_beyond_the_context_is_refused(backend: OpenAIBackend) -> None:
    with pytest.raises(BackendRefused, match=r"(?i)context|length|tokens"):
        await backend.complete(asking("word " * 5000))
