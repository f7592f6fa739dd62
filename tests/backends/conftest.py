"""A chat server, and backends that ask it in both ways: over our own wire and through the openai package."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from playact.backends.openai import OpenAIBackend
from tests.backends.calls import KEY, Opener, Transport
from tests.servers.chat_server import ChatServer


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(variable, raising=False)


@pytest_asyncio.fixture
async def no_task_is_left() -> AsyncIterator[None]:
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest_asyncio.fixture
async def server(no_task_is_left: None) -> AsyncIterator[ChatServer]:
    async with ChatServer() as server:
        yield server


@pytest.fixture(params=["fast", "sdk"])
def transport(request: pytest.FixtureRequest) -> Transport:
    return "sdk" if request.param == "sdk" else "fast"


@pytest.fixture
def opened(server: ChatServer, transport: Transport) -> Opener:
    """Opens a backend that asks `server`, with settings of one's own; once closed it must leave no connection."""

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[OpenAIBackend]:  # the backend's own settings, as they come
        settings = {"base_url": server.base_url, "api_key": KEY, **settings}
        backend = OpenAIBackend("m", transport=transport, **settings)
        await backend.open()
        try:
            yield backend
        finally:
            await backend.aclose()
            await server.until(lambda: server.open_connections == 0)

    return opened
