"""A chat server, and backends that ask it in both ways: over our own wire and through the openai package."""

from __future__ import annotations

import asyncio
import os
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
    for variable in (
        "OPENAI_BASE_URL",
        "OPENAI_API_KEY",
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
        "OPENAI_API_VERSION",
        "AZURE_OPENAI_ENDPOINT",
        "AZURE_OPENAI_API_KEY",
        "AZURE_OPENAI_AD_TOKEN",
    ):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(autouse=True)
def _credentials_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """For AWS, whose client reads them from its surroundings; no file and no machine's own are looked at."""
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, os.devnull)


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
