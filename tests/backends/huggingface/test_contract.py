"""It keeps what every engine on this machine promises."""

from __future__ import annotations

import pytest

from playact.backends.huggingface import HuggingFaceBackend
from playact.engine.completion import StreamingBackend
from tests.backends.engine_contract import EngineContract

pytestmark = [pytest.mark.asyncio, pytest.mark.engine, pytest.mark.timeout(300)]


class TestHuggingFace(EngineContract):
    @pytest.fixture
    def engine(self, model: HuggingFaceBackend) -> StreamingBackend:
        return model
