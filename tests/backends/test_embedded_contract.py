"""The embedded model keeps what every engine on this machine promises."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from playact.backends.embedded import EmbeddedBackend
from playact.engine.completion import StreamingBackend
from tests.backends.engine_contract import EngineContract

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.engine, pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[StreamingBackend]:
    backend = EmbeddedBackend(slots=16, context_tokens=1024)
    await backend.open()
    yield backend
    await backend.aclose()


class TestEmbedded(EngineContract):
    is_exact = False  # the arithmetic of a batch differs in the last digit, and with it, now and then, a word
    streams_sentences = True
