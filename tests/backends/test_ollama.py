"""What only Ollama has: its hosts, options and lines of JSON, and its client's own ways."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from playact.backends.ollama import OllamaBackend, address_of
from playact.backends.registry import backend_named
from playact.engine.completion import Completion, CompletionRequest, Message, Parameters, Think, ToolCall, ToolSpec
from playact.engine.errors import (
    BackendError,
    BackendRefused,
    BackendUnavailable,
    KeyMissing,
    ParameterUnknown,
    ReplyInvalid,
    SetupError,
)
from tests.backends.calls import HELLO, KEY, everything_shown_of, unfinished_generators
from tests.servers.chat_server import ChatServer, Reply
from tests.servers.dialect import Said
from tests.servers.ollama_dialect import OllamaDialect, line

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("no_task_is_left")]

SERVICE = OllamaDialect()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OLLAMA_HOST", "OLLAMA_API_KEY"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def server(server: ChatServer) -> ChatServer:
    server.otherwise = lambda asked: SERVICE.say(Said(), asked)
    return server


@asynccontextmanager
async def opened(server: ChatServer, **settings: Any) -> AsyncIterator[OllamaBackend]:  # the backend's own settings
    backend = SERVICE.backend(server.address, **settings)
    await backend.open()
    try:
        yield backend
    finally:
        await backend.aclose()
        await server.until(lambda: server.open_connections == 0)


async def body_of(server: ChatServer, request: CompletionRequest, **settings: Any) -> dict[str, Any]:
    async with opened(server, **settings) as backend:
        await backend.complete(request)
    return server.asked[-1].body


async def failure(backend: OllamaBackend, request: CompletionRequest = HELLO) -> BackendError:
    with pytest.raises(BackendError) as caught:
        await backend.complete(request)
    return caught.value


async def streamed(backend: OllamaBackend, request: CompletionRequest = HELLO) -> Completion:
    completion: Completion | None = None
    async for delta in backend.stream(request):
        completion = delta.completion
    assert completion is not None
    return completion


def piece(content: str, **more: object) -> bytes:
    return line({"model": "m", "message": {"role": "assistant", "content": content}, "done": False, **more})


class TestNames:
    async def test_a_models_name_may_hold_colons(self, server: ChatServer) -> None:
        backend = backend_named("ollama:hf.co/a/b:Q4_K_M")

        assert isinstance(backend, OllamaBackend)
        assert backend.name == "ollama:hf.co/a/b:Q4_K_M"

    async def test_the_name_is_asked_for_as_it_is(self, server: ChatServer) -> None:
        body = await body_of(server, CompletionRequest(messages=HELLO.messages, model="llama3.2:1b"))

        assert body["model"] == "llama3.2:1b"

    async def test_a_model_must_be_named(self) -> None:
        with pytest.raises(SetupError, match=r"ollama:llama3\.2:1b"):
            OllamaBackend.from_name("")


class TestSettings:
    async def test_the_environment_is_read_when_the_backend_is_opened(
        self, server: ChatServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backend = OllamaBackend("m", headers={"X-Team": "ours"})
        monkeypatch.setenv("OLLAMA_HOST", server.address.removeprefix("http://"))
        monkeypatch.setenv("OLLAMA_API_KEY", KEY + "\n")

        await backend.open()
        await backend.complete(HELLO)
        await backend.aclose()

        headers = server.asked[0].headers
        assert server.asked[0].path == "/api/chat"
        assert headers["Authorization"] == f"Bearer {KEY}"
        assert headers["X-Team"] == "ours"

    @pytest.mark.parametrize(
        ("host", "address"),
        [
            ("", "http://127.0.0.1:11434"),
            ("box", "http://box:11434"),
            ("box:9000", "http://box:9000"),
            (":9000", "http://127.0.0.1:9000"),
            ("http://box", "http://box:80"),
            ("https://box", "https://box:443"),
            ("https://box:9000/under/", "https://box:9000/under"),
            ("[::1]", "http://[::1]:11434"),
        ],
    )
    async def test_hosts_of_all_forms_that_ollama_knows(self, host: str, address: str) -> None:
        assert address_of(host, "ollama") == address

    @pytest.mark.parametrize("host", ["ftp://box", "box:port", "http://user:pw@box", "http://[::1"])
    async def test_a_host_that_is_none_is_refused_on_opening(self, host: str) -> None:
        with pytest.raises(SetupError, match="OLLAMA_HOST"):
            await OllamaBackend("m", host=host).open()

    async def test_the_vendors_own_service_wants_a_key(self) -> None:
        with pytest.raises(KeyMissing, match="OLLAMA_API_KEY"):
            await OllamaBackend("m", host="https://ollama.com").open()

    async def test_one_of_ones_own_needs_none(self, server: ChatServer) -> None:
        async with opened(server, api_key=None) as backend:
            await backend.complete(HELLO)

        assert "Authorization" not in server.asked[0].headers

    async def test_a_proxy_of_the_environment_is_not_asked(
        self, server: ChatServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

        async with opened(server) as backend:
            assert (await backend.complete(HELLO)).text == "Hello."

    async def test_a_default_that_ollama_does_not_know_is_refused_on_opening(self) -> None:
        backend = OllamaBackend("m", defaults=Parameters(extra={"numctx": 4096}))

        with pytest.raises(ParameterUnknown, match="did you mean num_ctx"):
            await backend.open()
        await backend.aclose()


class TestRequests:
    async def test_nothing_is_sent_that_was_not_asked_for(self, server: ChatServer) -> None:
        messages = [{"role": "user", "content": "Hi!"}]

        assert await body_of(server, HELLO) == {"model": "m", "messages": messages, "stream": False}

    async def test_options_go_among_the_options_and_the_rest_beside_them(self, server: ChatServer) -> None:
        defaults = Parameters(temperature=0.1, extra={"num_ctx": 4096, "keep_alive": "5m"})
        parameters = Parameters(
            max_tokens=9,
            frequency_penalty=0.5,
            presence_penalty=-0.5,
            extra={
                "min_p": 0.05,
                "top_k": 7,
                "mirostat": 2,
                "repeat_penalty": 1.2,
                "keep_alive": -1,
                "logprobs": True,
                "top_logprobs": 2,
                "truncate": False,
            },
        )

        body = await body_of(
            server, CompletionRequest(messages=HELLO.messages, parameters=parameters, seed=7), defaults=defaults
        )

        assert body["options"] == {
            "temperature": 0.1,
            "num_ctx": 4096,
            "num_predict": 9,
            "frequency_penalty": 0.5,
            "presence_penalty": -0.5,
            "min_p": 0.05,
            "top_k": 7,
            "mirostat": 2,
            "repeat_penalty": 1.2,
            "seed": 7,
        }
        assert (body["keep_alive"], body["logprobs"], body["top_logprobs"], body["truncate"]) == (-1, True, 2, False)

    async def test_a_seed_of_ones_own_goes_before_the_dialogs(self, server: ChatServer) -> None:
        parameters = Parameters(extra={"seed": 1})

        body = await body_of(server, CompletionRequest(messages=HELLO.messages, parameters=parameters, seed=7))

        assert body["options"] == {"seed": 1}

    @pytest.mark.parametrize("name", ["model", "format", "stream", "n_ctx"])
    async def test_what_is_no_option_is_refused_by_name(self, server: ChatServer, name: str) -> None:
        async with opened(server) as backend:
            with pytest.raises(ParameterUnknown, match=f"no parameter {name}"):
                parameters = Parameters(extra={name: 1})
                await backend.complete(CompletionRequest(messages=HELLO.messages, parameters=parameters))

        assert server.asked == []

    @pytest.mark.parametrize("think", [True, False, "low", "high"])
    async def test_thinking_is_switched_or_measured(self, server: ChatServer, think: Think) -> None:
        assert (await body_of(server, CompletionRequest(messages=HELLO.messages, think=think)))["think"] == think

    async def test_a_tools_schema_arrives_whole_with_all_that_is_nested_in_it(self, server: ChatServer) -> None:
        """The package's own `chat` would cut it (ollama-python's issue 724)."""
        address = {"type": "object", "properties": {"street": {"type": "string"}}, "required": ["street"]}
        schema = {"type": "object", "properties": {"to": address}, "additionalProperties": False}
        tool = ToolSpec("send", "Sends it.", schema)

        body = await body_of(server, CompletionRequest(messages=HELLO.messages, tools=(tool,)))

        function = {"name": "send", "description": "Sends it.", "parameters": schema}
        assert body["tools"] == [{"type": "function", "function": function}]

    async def test_a_tools_answer_says_whose_it_is(self, server: ChatServer) -> None:
        calls = (ToolCall("a", "weather", '{"city": "Oslo"}'), ToolCall("b", "time", "not JSON"))
        answers = (Message("tool", "rain", tool_call_id="a"), Message("tool", "noon", tool_call_id="b"))
        chat = (*HELLO.messages, Message("assistant", "", calls), *answers)

        body = await body_of(server, CompletionRequest(messages=chat))

        assert body["messages"][1:] == [
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"function": {"name": "weather", "arguments": {"city": "Oslo"}}},
                    {"function": {"name": "time", "arguments": {}}},
                ],
            },
            {"role": "tool", "content": "rain", "tool_name": "weather"},
            {"role": "tool", "content": "noon", "tool_name": "time"},
        ]

    async def test_what_json_cannot_hold_is_refused_before_it_is_sent(self, server: ChatServer) -> None:
        request = CompletionRequest(messages=(Message("user", "half an emoji: \ud83d"),))

        async with opened(server) as backend:
            assert isinstance(await failure(backend, request), BackendRefused)

        assert server.asked == []


class TestReplies:
    @pytest.mark.parametrize("is_streamed", [False, True])
    async def test_tool_calls_are_named_by_their_places_and_so_the_same_again(
        self, server: ChatServer, is_streamed: bool
    ) -> None:
        wished = ToolCall("", "weather", '{"city": "Oslo"}')
        server.otherwise = lambda asked: SERVICE.say(Said(text="", tool_calls=(wished, wished)), asked)
        earlier = (Message("assistant", "", (ToolCall("call_3_0", "weather", "{}"),)), Message("tool", "rain"))
        request = CompletionRequest(messages=(*HELLO.messages, *earlier), sequence=4)

        async with opened(server) as backend:
            completion = await (streamed(backend, request) if is_streamed else backend.complete(request))

        assert [call.id for call in completion.tool_calls] == ["call_4_1", "call_4_2"]

    @pytest.mark.parametrize(
        "text",
        ["one\u0085two\u2028three\u2029four", "five\x1csix", "世" * 100_000],
        ids=["line ends", "control", "long"],
    )
    async def test_a_streamed_text_may_hold_what_others_take_for_the_end_of_a_line(
        self, server: ChatServer, text: str
    ) -> None:
        raw = json.dumps({"message": {"role": "assistant", "content": text}, "done": True}, ensure_ascii=False)
        body = raw.encode()
        cut = tuple(body[start : start + 1000] for start in range(0, len(body), 1000))  # within letters, too
        server.script.append(Reply(chunks=cut))

        async with opened(server) as backend:
            assert (await streamed(backend)).text == text

    @pytest.mark.parametrize(("reason", "finish"), [("stop", "stop"), ("length", "length"), ("load", "stop")])
    async def test_the_reason_of_the_end_is_translated(self, server: ChatServer, reason: str, finish: str) -> None:
        server.script.append(Reply(body=piece("Hi.", done=True, done_reason=reason)))

        async with opened(server) as backend:
            assert (await backend.complete(HELLO)).finish == finish

    async def test_a_kept_connection_serves_whole_and_streamed_replies(self, server: ChatServer) -> None:
        async with opened(server) as backend:
            for _ in range(3):
                await backend.complete(HELLO)
                await streamed(backend)

        assert server.connections == 1

    async def test_a_stream_that_is_left_early_leaves_nothing_to_the_collector(self, server: ChatServer) -> None:
        server.otherwise = lambda asked: SERVICE.say(Said(text="word " * 50), asked)
        async with opened(server) as backend:
            with unfinished_generators() as unfinished:
                deltas = backend.stream(HELLO)
                await anext(deltas)
                await deltas.aclose()
                gc.collect()

        assert unfinished == []


class TestFailures:
    @pytest.mark.parametrize("said", ['model "m" not found, try pulling it first', "model 'm' not found"])
    async def test_a_model_that_is_not_there_says_how_to_get_it(self, server: ChatServer, said: str) -> None:
        server.script.append(SERVICE.fail(404, said))

        async with opened(server) as backend:
            error = await failure(backend, CompletionRequest(messages=HELLO.messages, model="llama3.2:1b"))

        assert isinstance(error, BackendRefused)
        assert error.reason == f"HTTP 404: {said}; get it with `ollama pull llama3.2:1b`"

    async def test_a_server_that_does_not_run_says_how_to_start_it(self) -> None:
        backend = OllamaBackend("m", host="127.0.0.1:9")
        await backend.open()

        error = await failure(backend)
        await backend.aclose()

        assert isinstance(error, BackendUnavailable)
        assert "cannot connect to 127.0.0.1:9" in error.reason
        assert "`ollama serve`" in error.reason

    @pytest.mark.parametrize(
        ("said", "kind"),
        [(f"an error was encountered: {KEY}", BackendUnavailable), ({"code": KEY}, ReplyInvalid)],
        ids=["in words", "of another form"],
    )
    async def test_an_error_within_a_stream_is_named(
        self, server: ChatServer, said: object, kind: type[BackendError]
    ) -> None:
        server.script.append(Reply(chunks=(piece("He"), line({"error": said}))))

        async with opened(server) as backend:
            with pytest.raises(kind) as caught:
                await streamed(backend)

        assert KEY not in everything_shown_of(caught.value)

    async def test_a_stream_that_ends_before_it_is_done_was_cut(self, server: ChatServer) -> None:
        server.script.append(Reply(chunks=(piece("He"), piece("llo"))))

        async with opened(server) as backend:
            with pytest.raises(BackendUnavailable, match="broke off"):
                await streamed(backend)

    @pytest.mark.parametrize("is_streamed", [False, True])
    @pytest.mark.parametrize(
        "body",
        [
            f'{{"you": "{KEY}"}}'.encode(),
            f"no JSON, {KEY}".encode(),
            line({"message": {"role": "assistant", "content": 3}}),
            line({"message": {"role": "assistant", "tool_calls": "call"}}),
            line({"message": [KEY]}),
            b"[" * 5000,
        ],
    )
    async def test_what_is_no_reply_of_ollama_is_invalid_and_shows_no_key(
        self, server: ChatServer, body: bytes, is_streamed: bool
    ) -> None:
        server.script.append(Reply(body=body))

        async with opened(server) as backend:
            with pytest.raises(ReplyInvalid) as caught:
                await (streamed(backend) if is_streamed else backend.complete(HELLO))

        assert KEY not in everything_shown_of(caught.value)

    async def test_a_line_beyond_measure_is_invalid(self, server: ChatServer) -> None:
        server.script.append(Reply(chunks=(b"a" * 2**20,) * 33))

        async with opened(server) as backend:
            with pytest.raises(ReplyInvalid, match="32 MiB"):
                await streamed(backend)

    async def test_a_redirect_is_not_followed(self, server: ChatServer) -> None:
        async with ChatServer() as elsewhere, opened(server) as backend:
            server.script.append(Reply(status=307, headers={"Location": f"{elsewhere.address}/api/chat"}))
            error = await failure(backend)

            assert isinstance(error, BackendRefused)
            assert elsewhere.asked == []


@pytest.mark.parametrize("missing", ["ollama", "httptools", "orjson"])
async def test_a_missing_package_is_named_when_it_is_needed(missing: str) -> None:
    """In a fresh interpreter: importing and constructing go well without the extra, opening says what to install."""
    program = f"""
import asyncio, sys
sys.modules[{missing!r}] = None
from playact.backends.ollama import OllamaBackend, address_of
from playact.engine.errors import ExtraMissing
try:
    asyncio.run(OllamaBackend("m", host="127.0.0.1:9").open())
except ExtraMissing as error:
    print(error)
"""
    done = await asyncio.create_subprocess_exec(sys.executable, "-W", "error", "-c", program, stdout=PIPE, stderr=PIPE)
    said, complaint = await done.communicate()

    assert said.decode() == f"ollama needs the package {missing}: pip install 'playact[ollama]'\n"
    assert complaint == b""


async def test_what_the_package_stumbles_over_when_it_is_loaded_is_a_clear_line() -> None:
    """It makes a client at once, out of the environment, whether that is asked for or not."""
    program = """
import asyncio
from playact.backends.ollama import OllamaBackend
from playact.engine.errors import SetupError
try:
    asyncio.run(OllamaBackend("m", host="127.0.0.1:9").open())
except SetupError as error:
    print(error)
"""
    surroundings = {**os.environ, "OLLAMA_HOST": "box:port"}
    done = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=PIPE, env=surroundings)
    said, _ = await done.communicate()

    assert said.decode().startswith("ollama:m cannot be loaded: Port")
