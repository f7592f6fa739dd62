"""The packaged model, loaded once for all these tests, and backends that share it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest

from playact.backends.converted_weights import converted_weights
from playact.backends.huggingface import HuggingFaceBackend
from playact.backends.huggingface.loading import LoadedModel, load_model
from playact.backends.weights import find_weights
from tests.backends.huggingface.tiny import save_tiny

Opener = Callable[..., AbstractAsyncContextManager[HuggingFaceBackend]]


@pytest.fixture(scope="session")
def loaded() -> LoadedModel:
    if find_weights() is None:
        pytest.skip("the weights are not here; run `playact models fetch`")
    return load_model(str(converted_weights("huggingface")), device="cpu", dtype="float32")


@pytest.fixture(scope="session")
def model(loaded: LoadedModel) -> Iterator[HuggingFaceBackend]:
    """One backend for all tests that do not close it or change its settings; it serves one event loop after another."""
    backend = HuggingFaceBackend(loaded)
    anyio.run(backend.open)
    yield backend
    anyio.run(backend.aclose)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """Says nonsense, at once."""
    return load_model(str(save_tiny(tmp_path_factory.mktemp("tiny"))), device="cpu", dtype="float32")


@pytest.fixture
def opened() -> Opener:
    """Opens a backend, and closes it."""

    @asynccontextmanager
    async def opened(model: LoadedModel | str, **settings: Any) -> AsyncIterator[HuggingFaceBackend]:
        backend = HuggingFaceBackend(model, **settings)
        await backend.open()
        try:
            yield backend
        finally:
            await backend.aclose()

    return opened
