"""A system under test is asked as its users would ask it, and told nothing that agents are told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from playact.actors import Agent, Persona, ProxyAgent, Scenario
from playact.backends.proxy import ProxyBackend
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Message, Simulation
from playact.engine.errors import BackendOverloaded, BackendRefused, BackendUnavailable, ReplyInvalid, SetupError
from playact.engine.retry import Retry
from tests.servers.chat_server import ChatServer, Reply, fail, say

pytestmark = pytest.mark.asyncio

SECRET = "sk-0123456789abcdef"
ANA = Agent(Persona(name="Ana", personality="a secret shopper"))
ASKED = CompletionRequest(
    messages=(
        Message("system", "You are the shop."),
        Message("user", "Hi."),
        Message("assistant", "Welcome."),
        Message("user", 'Any "{session}" left?'),
    ),
    dialog="d1",
)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with ChatServer() as server:
        server.otherwise = lambda asked: Reply(body=json.dumps({"reply": f"Answer {len(server.asked)}."}).encode())
        yield server


async def answer(agent: ProxyAgent, request: CompletionRequest = ASKED) -> str:
    assert isinstance(agent.model, str)
    backend = ProxyBackend.from_name(agent.model.partition(":")[2])
    await backend.open()
    try:
        return (await backend.complete(request)).text
    finally:
        await backend.aclose()


async def test_it_sends_what_was_said_last_and_the_session_and_nothing_else(server: ChatServer) -> None:
    assert await answer(ProxyAgent(url=f"{server.address}/chat")) == "Answer 1."

    (asked,) = server.asked
    assert (asked.path, asked.body) == ("/chat", {"session_id": "d1", "message": 'Any "{session}" left?'})


async def test_the_request_and_the_place_of_the_answer_are_whatever_the_endpoint_wants(server: ChatServer) -> None:
    server.otherwise = lambda asked: Reply(body=json.dumps({"out": [{"say": "Yes."}]}).encode())
    body = {"in": {"turns": "{messages}", "last": "<{text}>"}, "user": "u-{session}", "limit": 3}
    agent = ProxyAgent(url=server.address, body=body, reply="out.0.say")

    assert await answer(agent) == "Yes."
    assert server.asked[0].body == {
        "in": {
            "turns": [
                {"role": "user", "content": "Hi."},
                {"role": "assistant", "content": "Welcome."},
                {"role": "user", "content": 'Any "{session}" left?'},
            ],
            "last": '<Any "{session}" left?>',
        },
        "user": "u-d1",
        "limit": 3,
    }


async def test_an_answer_may_be_plain_text(server: ChatServer) -> None:
    server.otherwise = lambda asked: Reply(body="Schön.".encode())

    assert await answer(ProxyAgent(url=server.address, reply="")) == "Schön."


async def test_an_openai_compatible_endpoint_is_asked_without_instructions_and_sampling(server: ChatServer) -> None:
    server.otherwise = lambda asked: Reply(body=say("Yes, one."))
    agent = ProxyAgent(url=server.base_url, api="openai", endpoint_model="shop-bot", headers={"x-test": "1"})

    assert await answer(agent) == "Yes, one."
    assert server.asked[0].headers["x-test"] == "1"
    assert server.asked[0].body == {
        "model": "shop-bot",
        "messages": [
            {"role": "user", "content": "Hi."},
            {"role": "assistant", "content": "Welcome."},
            {"role": "user", "content": 'Any "{session}" left?'},
        ],
    }


async def test_a_secret_comes_from_the_environment_and_is_repeated_nowhere(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = ProxyAgent(url=server.address, headers={"Authorization": "Bearer $SHOP_KEY"})
    with pytest.raises(SetupError, match="needs the environment variable SHOP_KEY"):
        await answer(agent)
    monkeypatch.setenv("SHOP_KEY", SECRET)
    server.script.append(fail(401, f"the key {SECRET} is unknown"))

    with pytest.raises(BackendRefused) as refusal:
        await answer(agent)

    assert server.asked[0].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in str(refusal.value)
    assert SECRET not in str(agent.model)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (fail(429, "slow down"), BackendOverloaded),
        (fail(500, "oops"), BackendUnavailable),
        (fail(404, "no such chat"), BackendRefused),
        (Reply(body=b"<html>"), ReplyInvalid),
        (Reply(body=b'{"answer": "x"}'), ReplyInvalid),
        (Reply(body=b'{"reply": 3}'), ReplyInvalid),
        (Reply(body=b"[" * 200_000), ReplyInvalid),
        (Reply(breaks="before"), BackendUnavailable),
    ],
)
async def test_its_failures_are_those_of_a_backend(server: ChatServer, reply: Reply, error: type[Exception]) -> None:
    server.script.append(reply)

    with pytest.raises(error):
        await answer(ProxyAgent(url=server.address))


@pytest.mark.parametrize(
    ("body", "what_to_say"),
    [(b'{"choices": []}', 'reply="choices.0.message.content", or api="openai"'), (b"Welcome!", 'say reply=""')],
)
async def test_an_answer_of_another_shape_says_how_it_is_read(
    server: ChatServer, body: bytes, what_to_say: str
) -> None:
    server.script.append(Reply(body=body))

    with pytest.raises(ReplyInvalid) as caught:
        await answer(ProxyAgent(url=server.address))

    assert what_to_say in str(caught.value)


async def test_the_scheduler_asks_again_and_each_dialog_is_a_session_of_its_own(server: ChatServer) -> None:
    server.script.append(fail(503, "busy", headers={"retry-after": "0"}))
    scenario = Scenario(cast=(ANA, ProxyAgent(url=server.address, in_flight=1)), max_turns=4)
    model = ScriptedBackend(lambda request: f"Question {request.sequence}?")
    async with Simulation(model=model, retry=Retry(first_s=0.001)) as simulation:
        dialogs = [dialog async for dialog in simulation.run([scenario] * 2)]

    assert all(dialog.get_speakers() == ["Ana", "System"] and len(dialog) == 4 for dialog in dialogs)
    sessions = [asked.body["session_id"] for asked in server.asked]
    assert set(sessions) == {dialog.id for dialog in dialogs}
    assert len(sessions) == 5
    assert not any("shopper" in repr(asked) for asked in server.asked)


async def test_what_an_endpoint_answered_is_not_asked_for_again(server: ChatServer, tmp_path: object) -> None:
    scenario = Scenario(cast=(ANA, ProxyAgent(url=server.address)), max_turns=4)
    journal = f"{tmp_path}/run.db"
    async with Simulation(model=ScriptedBackend(["One?", "Two?"]), journal=journal, seed=1) as simulation:
        (dialog,) = [dialog async for dialog in simulation.run([scenario])]
    asked = len(server.asked)
    async with Simulation.replay(journal) as simulation:
        (replayed,) = [dialog async for dialog in simulation.run()]

    assert replayed.digest() == dialog.digest()
    assert len(server.asked) == asked == 2


@pytest.mark.parametrize("url", ["", "ftp://x", "localhost:8080"])
async def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="a ProxyAgent needs a url"):
        ProxyAgent(url=url)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"url": "http://localhost:1", "headers": {"X-Api-Key": SECRET}}, "X-Api-Key"),
        ({"url": f"http://localhost:1/chat?apikey={SECRET}"}, "apikey"),
        ({"url": f"http://localhost:1/chat?lang=en&code={SECRET}"}, "code"),
        ({"url": "http://localhost:1/chat?sig=abc"}, "sig"),
        ({"url": "http://localhost:1/chat?subscription%2Dkey=abc"}, "subscription-key"),
        ({"url": "http://localhost:1/chat;api_key=abc"}, "api_key"),
        ({"url": "http://localhost:1/chat#api_key=abc"}, "api_key"),
        ({"url": "http://localhost:1/chat?key=$A$B"}, "key"),
        ({"url": "http://localhost:1/chat?x=sk-0123456789"}, "x"),
        ({"url": "http://localhost:1/chat?sk-0123456789"}, "query"),
        ({"url": "http://localhost:1/sk-0123456789/chat"}, "path"),
        ({"url": "http://localhost:1", "headers": {"cookie": "session=abc"}}, "cookie"),
        ({"url": "http://localhost:1", "headers": {"x-functions-key": "abc"}}, "x-functions-key"),
        ({"url": "http://localhost:1", "headers": {"x-foo": "Bearer abc"}}, "x-foo"),
        ({"url": "http://localhost:1", "headers": {"x-foo": "8f14e45fceea167a5a36dedd4bea2543"}}, "x-foo"),
        ({"url": "http://localhost:1", "headers": {"authorization": "$HOME abc"}}, "authorization"),
        ({"url": "http://localhost:1", "body": {"api_key": "abc"}}, "api_key"),
        ({"url": "http://localhost:1", "body": {"auth": {"pw": "abc"}}}, "pw"),
        ({"url": "http://localhost:1", "body": {"session": [{"accessToken": "abc"}]}}, "accessToken"),
        ({"url": "http://localhost:1", "body": {"x": [["sk-0123456789"]]}}, "x"),
    ],
)
async def test_a_key_that_is_written_down_is_kept_in_no_journal(settings: dict[str, Any], name: str) -> None:
    agent = ProxyAgent(**settings)

    with pytest.raises(SetupError, match=f"System has its '{name}' written down"):
        Scenario(cast=(ANA, agent)).recipe()


@pytest.mark.parametrize("user", ["ann:abc", "abc"])
async def test_a_password_in_an_address_is_kept_in_no_journal(user: str) -> None:
    agent = ProxyAgent(url=f"http://{user}@localhost:1/chat")

    with pytest.raises(SetupError, match=r"a password in its url, .* authorization: 'Basic \$NAME'") as refusal:
        Scenario(cast=(ANA, agent)).recipe()

    assert "abc" not in str(refusal.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "http://localhost:1/chat?api_key=$KEY&lang=en&session_id=7"},
        {"url": "http://localhost:1", "headers": {"authorization": "Bearer $KEY", "x-key": "${KEY}", "accept": "*/*"}},
        {"url": "http://localhost:1", "body": {"session": "{session}", "message": "{text}", "token": "$KEY"}},
        {
            "url": "http://localhost:1",
            "body": {"model": "gpt-4o-mini-2024-07-18", "max_tokens": 100, "stop_token": "#"},
        },
        {"url": "http://localhost:1", "body": {"id": "3f2c1a54-1111-4222-8333-123456789abc", "country_code": "de"}},
    ],
)
async def test_what_is_no_key_or_only_names_one_is_kept(settings: dict[str, Any]) -> None:
    assert Scenario(cast=(ANA, ProxyAgent(**settings))).recipe()


async def test_keys_in_the_address_and_the_body_come_from_the_environment_too(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", SECRET)
    body = {"message": "{text}", "auth": [{"pw": "${SHOP_KEY}", "price": "$5, no $SHOP_KEY"}]}
    agent = ProxyAgent(url=f"{server.address}?code=$SHOP_KEY&lang=en", body=body)
    server.script.append(fail(401, f"the key {SECRET} is unknown"))

    with pytest.raises(BackendRefused) as refusal:
        await answer(agent)

    assert server.asked[0].query == f"code={SECRET}&lang=en"
    assert server.asked[0].body["auth"] == [{"pw": SECRET, "price": "$5, no $SHOP_KEY"}]
    assert SECRET not in str(refusal.value)


async def test_the_list_of_models_says_that_a_proxy_wants_an_address() -> None:
    description = ProxyBackend.describe()

    assert description.extra == "openai"
    assert "proxy:http://" in description.wants
