"""Chat completions over real sockets, in both ways of getting there: what is asked, what is understood, what is set."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE

import pytest

from playact.backends.openai import OpenAIBackend
from playact.engine.completion import CompletionRequest, Message, Parameters, ToolCall, ToolSpec, Usage
from playact.engine.errors import BackendRefused, KeyMissing, PlayactError, SetupError
from tests.backends.calls import HELLO, KEY, Opener, Transport, failure
from tests.servers.chat_server import ChatServer, Reply, say

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("no_task_is_left")]

WEATHER = ToolSpec("weather", "Tells the weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


class TestRepliesAreRead:
    async def test_a_plain_reply(self, server: ChatServer, opened: Opener) -> None:
        async with opened() as backend:
            completion = await backend.complete(HELLO)

        assert (completion.text, completion.finish, completion.model) == ("Hello.", "stop", "m-2026")
        assert completion.usage == Usage()

    async def test_usage_counts_the_tokens_that_were_cached(self, server: ChatServer, opened: Opener) -> None:
        usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 6}}
        server.script.append(Reply(body=say(usage=usage)))

        async with opened() as backend:
            completion = await backend.complete(HELLO)

        assert completion.usage == Usage(9, 4, 6)

    @pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
    async def test_thinking_is_told_from_the_text(self, server: ChatServer, opened: Opener, key: str) -> None:
        server.script.append(Reply(body=say("Yes.", **{key: "Let me see."})))

        async with opened() as backend:
            completion = await backend.complete(HELLO)

        assert (completion.text, completion.thinking) == ("Yes.", "Let me see.")

    @pytest.mark.parametrize("text", ["Grüße, 世界 👩‍👩‍👧", "", "word " * 400_000], ids=["emoji", "empty", "2 MB"])
    async def test_any_text_goes_out_and_comes_back_whole(self, server: ChatServer, opened: Opener, text: str) -> None:
        server.script.append(Reply(body=say(text)))

        async with opened() as backend:
            completion = await backend.complete(CompletionRequest(messages=(Message("user", text),)))

        assert completion.text == text
        assert server.asked[0].body["messages"] == [{"role": "user", "content": text}]

    async def test_null_content_is_an_empty_text(self, server: ChatServer, opened: Opener) -> None:
        server.script.append(Reply(body=say(None)))

        async with opened() as backend:
            assert (await backend.complete(HELLO)).text == ""

    @pytest.mark.parametrize(
        ("said", "finish"),
        [
            ("stop", "stop"),
            ("length", "length"),
            ("tool_calls", "tool_calls"),
            ("content_filter", "refused"),
            ("something new", "stop"),
        ],
    )
    async def test_the_finish_reason_is_translated(
        self, server: ChatServer, opened: Opener, said: str, finish: str
    ) -> None:
        server.script.append(Reply(body=say(finish=said)))

        async with opened() as backend:
            assert (await backend.complete(HELLO)).finish == finish

    async def test_a_refusal_in_words_is_refused_and_keeps_the_words(self, server: ChatServer, opened: Opener) -> None:
        server.script.append(Reply(body=say(None, refusal="I would rather not.")))

        async with opened() as backend:
            completion = await backend.complete(HELLO)

        assert (completion.text, completion.finish) == ("I would rather not.", "refused")


class TestRequestsAreWritten:
    async def test_nothing_is_sent_that_was_not_asked_for(self, server: ChatServer, opened: Opener) -> None:
        async with opened() as backend:
            await backend.complete(HELLO)

        assert server.asked[0].path == "/v1/chat/completions"
        assert server.asked[0].body == {"model": "m", "messages": [{"role": "user", "content": "Hi!"}]}

    async def test_parameters_go_over_defaults_and_extra_goes_by_name(self, server: ChatServer, opened: Opener) -> None:
        defaults = Parameters(temperature=0.1, max_tokens=9, extra={"min_p": 0.05})
        parameters = Parameters(
            temperature=0.0,
            top_p=0.9,
            stop=("\n",),
            frequency_penalty=0.5,
            presence_penalty=-0.5,
            extra={"repeat_penalty": 1.1},
        )
        request = CompletionRequest(messages=HELLO.messages, model="m2", parameters=parameters, seed=7)

        async with opened(defaults=defaults) as backend:
            await backend.complete(request)

        assert server.asked[0].body == {
            "model": "m2",
            "messages": [{"role": "user", "content": "Hi!"}],
            "temperature": 0.0,
            "top_p": 0.9,
            "max_tokens": 9,
            "stop": ["\n"],
            "frequency_penalty": 0.5,
            "presence_penalty": -0.5,
            "min_p": 0.05,
            "repeat_penalty": 1.1,
            "seed": 7,
        }

    async def test_tools_make_the_round_trip(self, server: ChatServer, opened: Opener) -> None:
        wired = {"id": "call-1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
        call = ToolCall("call-1", "weather", '{"city":"Oslo"}')
        server.script.append(Reply(body=say(None, finish="tool_calls", tool_calls=[wired])))
        answered = (Message("assistant", "", (call,)), Message("tool", "rain", tool_call_id="call-1"))

        async with opened() as backend:
            wish = await backend.complete(CompletionRequest(messages=HELLO.messages, tools=(WEATHER,)))
            await backend.complete(CompletionRequest(messages=(*HELLO.messages, *answered)))

        assert (wish.tool_calls, wish.finish) == ((call,), "tool_calls")
        function = {"name": "weather", "description": "Tells the weather.", "parameters": WEATHER.parameters}
        assert server.asked[0].body["tools"] == [{"type": "function", "function": function}]
        assert server.asked[1].body["messages"][1:] == [
            {"role": "assistant", "tool_calls": [wired]},
            {"role": "tool", "content": "rain", "tool_call_id": "call-1"},
        ]

    async def test_a_response_schema_is_sent_as_a_strict_one(self, server: ChatServer, opened: Opener) -> None:
        schema = {"type": "object", "properties": {"score": {"type": "integer"}}}

        async with opened() as backend:
            await backend.complete(CompletionRequest(messages=HELLO.messages, response_schema=schema))

        named = {"name": "reply", "strict": True, "schema": schema}
        assert server.asked[0].body["response_format"] == {"type": "json_schema", "json_schema": named}

    async def test_thinking_is_switched_only_on_request(self, server: ChatServer, opened: Opener) -> None:
        async with opened() as backend:
            await backend.complete(CompletionRequest(messages=HELLO.messages, think=False))

        assert server.asked[0].body["chat_template_kwargs"] == {"enable_thinking": False}

    async def test_what_json_cannot_hold_is_refused_before_it_is_sent(self, server: ChatServer, opened: Opener) -> None:
        request = CompletionRequest(messages=(Message("user", "half an emoji: \ud83d"),))

        async with opened() as backend:
            assert isinstance(await failure(backend, request), BackendRefused)

        assert server.asked == []


class TestSettings:
    async def test_the_environment_is_read_when_the_backend_is_opened(
        self, server: ChatServer, transport: Transport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backend = OpenAIBackend("m", transport=transport)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url + "/")
        monkeypatch.setenv("OPENAI_API_KEY", KEY + "\n")
        monkeypatch.setenv("OPENAI_ORG_ID", "our-org")
        monkeypatch.setenv("OPENAI_PROJECT_ID", "our-project")

        await backend.open()
        await backend.complete(HELLO)
        await backend.aclose()

        headers = server.asked[0].headers
        assert headers["Authorization"] == f"Bearer {KEY}"
        assert headers["OpenAI-Organization"] == "our-org"
        assert headers["OpenAI-Project"] == "our-project"
        assert headers["Content-Type"] == "application/json"

    async def test_headers_go_with_every_call_over_our_own(self, server: ChatServer, opened: Opener) -> None:
        async with opened(headers={"X-Team": "ours", "authorization": "Basic abc", "User-Agent": "cafe"}) as backend:
            await backend.complete(HELLO)

        headers = server.asked[0].headers
        assert (headers["X-Team"], headers["Authorization"], headers["User-Agent"]) == ("ours", "Basic abc", "cafe")

    @pytest.mark.parametrize(
        "headers", [{"X-Team": "a\r\nb: c"}, {"X-Team": "\0"}, {"X\r\nTeam": "a"}, {"X-Team": "\u00e9"}]
    )
    async def test_a_header_that_would_break_a_request_is_refused(
        self, server: ChatServer, transport: Transport, headers: dict[str, str]
    ) -> None:
        if transport == "sdk":
            pytest.skip("the vendor's own client refuses them in its own words")

        with pytest.raises(SetupError, match="has a character that no header may have"):
            await OpenAIBackend("m", transport=transport, base_url=server.base_url, headers=headers).open()

    async def test_an_address_may_have_letters_of_any_language(self, server: ChatServer, opened: Opener) -> None:
        async with opened(base_url=f"{server.base_url}/café/a%20b") as backend:
            await backend.complete(HELLO)

        assert server.asked[0].path == "/v1/café/a b/chat/completions"

    async def test_openai_wants_a_key(self, transport: Transport) -> None:
        with pytest.raises(KeyMissing, match="OPENAI_API_KEY"):
            await OpenAIBackend("m", transport=transport).open()

    async def test_a_server_of_ones_own_needs_no_key(self, server: ChatServer, opened: Opener) -> None:
        async with opened(api_key=None) as backend:
            await backend.complete(HELLO)

        assert "Authorization" not in server.asked[0].headers

    @pytest.mark.parametrize(
        "base_url",
        [
            "localhost:8000/v1",
            "ftp://host/v1",
            "http://",
            "http://user:pw@host/v1",
            "http://h:99999/v1",
            "http://[::1/v1",
        ],
    )
    async def test_a_base_url_that_is_none_is_refused_on_opening(self, base_url: str) -> None:
        with pytest.raises(SetupError, match="http://host:port/v1"):
            await OpenAIBackend("m", base_url=base_url, api_key=KEY).open()

    async def test_a_model_must_be_named(self) -> None:
        with pytest.raises(SetupError, match=r"openai:gpt-4\.1"):
            OpenAIBackend.from_name("")

    async def test_a_backend_works_only_while_it_is_open(self, server: ChatServer, transport: Transport) -> None:
        backend = OpenAIBackend("m", base_url=server.base_url, transport=transport)

        with pytest.raises(PlayactError, match="not open yet"):
            await backend.complete(HELLO)
        await backend.open()
        assert repr(backend) == "<OpenAIBackend openai:m open>"
        await backend.aclose()
        await backend.aclose()
        with pytest.raises(PlayactError, match="closed"):
            await backend.complete(HELLO)

    async def test_a_label_names_the_backend_that_wraps_this_one(self) -> None:
        backend = OpenAIBackend("m", label="embedded", in_flight=4)

        assert backend.name == "embedded:m"
        assert backend.capabilities.in_flight == 4


@pytest.mark.parametrize("missing", ["httptools", "orjson", "openai"])
async def test_a_missing_package_is_named_when_it_is_needed(missing: str) -> None:
    """In a fresh interpreter: importing and constructing go well without the extra, opening says what to install."""
    program = f"""
import asyncio, sys
sys.modules[{missing!r}] = None
from playact.backends.openai import OpenAIBackend
from playact.engine.errors import ExtraMissing
backend = OpenAIBackend("m", base_url="http://127.0.0.1:1", transport="sdk")
try:
    asyncio.run(backend.open())
except ExtraMissing as error:
    print(error)
"""
    done = await asyncio.create_subprocess_exec(sys.executable, "-W", "error", "-c", program, stdout=PIPE, stderr=PIPE)
    said, complaint = await done.communicate()

    assert said.decode() == f"openai needs the package {missing}: pip install 'playact[openai]'\n"
    assert complaint == b""
