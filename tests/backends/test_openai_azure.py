"""Azure by its environment variables, in both ways of getting there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from playact.backends.openai import OpenAIBackend
from playact.engine.completion import CompletionRequest, Parameters
from playact.engine.errors import BackendRefused, KeyMissing, SetupError
from tests.backends.calls import HELLO, KEY, Transport, everything_shown_of, failure
from tests.servers.chat_server import ChatServer, fail

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("no_task_is_left")]


@pytest.fixture
def azure(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", f"{server.address}/")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    return monkeypatch


@asynccontextmanager
async def opened(transport: Transport, **settings: Any) -> AsyncIterator[OpenAIBackend]:
    backend = OpenAIBackend("my-gpt", transport=transport, **settings)
    await backend.open()
    try:
        yield backend
    finally:
        await backend.aclose()


async def test_without_a_version_it_is_the_lasting_interface(
    server: ChatServer, azure: pytest.MonkeyPatch, transport: Transport
) -> None:
    async with opened(transport) as backend:
        completion = await backend.complete(HELLO)

    asked = server.asked[0]
    assert completion.text == "Hello."
    assert (asked.path, asked.body["model"]) == ("/openai/v1/chat/completions", "my-gpt")
    assert asked.headers["api-key"] == KEY
    assert "Authorization" not in asked.headers


@pytest.mark.parametrize("end", ["", "/openai", "/openai/v1/"])
async def test_with_a_version_the_deployment_is_in_the_address(
    server: ChatServer, azure: pytest.MonkeyPatch, transport: Transport, end: str
) -> None:
    azure.setenv("AZURE_OPENAI_ENDPOINT", f"{server.address}{end}")
    azure.setenv("OPENAI_API_VERSION", "2024-10-21")

    async with opened(transport) as backend:
        await backend.complete(HELLO)

    assert server.asked[0].path == "/openai/deployments/my-gpt/chat/completions"
    assert server.asked[0].query == "api-version=2024-10-21"


async def test_another_model_than_the_addresss_is_refused(
    server: ChatServer, azure: pytest.MonkeyPatch, transport: Transport
) -> None:
    azure.setenv("OPENAI_API_VERSION", "2024-10-21")

    async with opened(transport) as backend:
        with pytest.raises(BackendRefused, match="no other model, such as other"):
            await backend.complete(CompletionRequest(messages=HELLO.messages, model="other"))

    assert server.asked == []


@pytest.mark.parametrize("think", [False, True, "low", "high"])
async def test_its_models_are_openais_own(
    server: ChatServer, azure: pytest.MonkeyPatch, transport: Transport, think: Any
) -> None:
    request = CompletionRequest(messages=HELLO.messages, parameters=Parameters(max_tokens=9), think=think)

    async with opened(transport) as backend:
        await backend.complete(request)

    body = server.asked[0].body
    assert body["max_completion_tokens"] == 9
    assert body["reasoning_effort"] == {False: "none", True: "medium"}.get(think, think)
    assert "chat_template_kwargs" not in body


async def test_what_extra_says_of_the_effort_goes_first(
    server: ChatServer, azure: pytest.MonkeyPatch, transport: Transport
) -> None:
    parameters = Parameters(extra={"reasoning_effort": "minimal"})

    async with opened(transport) as backend:
        await backend.complete(CompletionRequest(messages=HELLO.messages, parameters=parameters, think=False))

    assert server.asked[0].body["reasoning_effort"] == "minimal"


async def test_a_token_of_the_directory_does_where_there_is_no_key(
    server: ChatServer, azure: pytest.MonkeyPatch, transport: Transport
) -> None:
    azure.delenv("AZURE_OPENAI_API_KEY")
    azure.setenv("AZURE_OPENAI_AD_TOKEN", KEY)

    async with opened(transport) as backend:
        await backend.complete(HELLO)

    assert server.asked[0].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("plain", ["OPENAI_BASE_URL", "OPENAI_API_KEY"])
async def test_openais_own_variables_go_first(
    server: ChatServer, azure: pytest.MonkeyPatch, transport: Transport, plain: str
) -> None:
    azure.setenv(plain, f"{server.base_url}/plain" if plain == "OPENAI_BASE_URL" else "sk-another-key")
    settings = {} if plain == "OPENAI_BASE_URL" else {"base_url": f"{server.base_url}/plain"}

    async with opened(transport, **settings) as backend:
        await backend.complete(HELLO)

    assert server.asked[0].path == "/v1/plain/chat/completions"
    assert "api-key" not in server.asked[0].headers


async def test_no_key_is_said_before_anything_is_asked(azure: pytest.MonkeyPatch, transport: Transport) -> None:
    azure.delenv("AZURE_OPENAI_API_KEY")

    with pytest.raises(KeyMissing, match="AZURE_OPENAI_API_KEY"):
        await OpenAIBackend("my-gpt", transport=transport).open()


async def test_an_endpoint_that_is_no_address_is_told_by_its_variable(
    azure: pytest.MonkeyPatch, transport: Transport
) -> None:
    azure.setenv("AZURE_OPENAI_ENDPOINT", "my-resource")

    with pytest.raises(SetupError, match="AZURE_OPENAI_ENDPOINT"):
        await OpenAIBackend("my-gpt", transport=transport).open()


async def test_the_key_is_in_no_error(server: ChatServer, azure: pytest.MonkeyPatch, transport: Transport) -> None:
    server.script.append(fail(401, f"Access denied due to invalid subscription key {KEY}"))

    async with opened(transport) as backend:
        error = await failure(backend)

    assert isinstance(error, BackendRefused)
    assert KEY not in everything_shown_of(error)
