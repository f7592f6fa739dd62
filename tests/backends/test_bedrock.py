"""What only Bedrock has: AWS's settings, Converse's forms and events, and its client's own ways."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from playact.backends.bedrock import BedrockBackend
from playact.backends.registry import backend_named
from playact.engine.completion import Completion, CompletionRequest, Message, Parameters, Think, ToolCall, ToolSpec
from playact.engine.errors import (
    BackendError,
    BackendOverloaded,
    BackendRefused,
    BackendUnavailable,
    ParameterUnknown,
    ReplyInvalid,
    SetupError,
)
from tests.backends.calls import HELLO, KEY, everything_shown_of, unfinished_generators
from tests.servers.bedrock_dialect import BedrockDialect, frame
from tests.servers.chat_server import Asked, ChatServer, Reply
from tests.servers.dialect import Said

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("no_task_is_left")]

SONNET = "anthropic.claude-3-5-sonnet-20240620-v1:0"
SERVICE = BedrockDialect()
WEATHER = ToolSpec("weather", "Tells the weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
SCORE = {"type": "object", "properties": {"score": {"type": "integer"}}}
EVENTS = {"Content-Type": "application/vnd.amazon.eventstream"}
COUNTS = {"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, "metrics": {"latencyMs": 1}}


@pytest.fixture
def server(server: ChatServer) -> ChatServer:
    server.otherwise = lambda asked: SERVICE.say(Said(), asked)
    return server


@asynccontextmanager
async def opened(server: ChatServer, **settings: Any) -> AsyncIterator[BedrockBackend]:  # the backend's own settings
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


async def failure(backend: BedrockBackend, request: CompletionRequest = HELLO) -> BackendError:
    with pytest.raises(BackendError) as caught:
        await backend.complete(request)
    return caught.value


async def streamed(backend: BedrockBackend, request: CompletionRequest = HELLO) -> Completion:
    completion: Completion | None = None
    async for delta in backend.stream(request):
        completion = delta.completion
    assert completion is not None
    return completion


def say(*content: object, stop: object = "end_turn", **more: object) -> Reply:
    message = {"role": "assistant", "content": content}
    reply = {"output": {"message": message}, "stopReason": stop, **COUNTS, **more}
    return Reply(body=json.dumps(reply).encode())


class TestNames:
    @pytest.mark.parametrize("prefix", ["aws", "amazon"])
    async def test_a_models_id_may_hold_colons(self, prefix: str) -> None:
        assert backend_named(f"{prefix}:{SONNET}").name == f"aws:{SONNET}"

    @pytest.mark.parametrize(
        "model", [SONNET, "arn:aws:bedrock:us-east-1:123:inference-profile/us.amazon.nova-lite-v1:0"]
    )
    async def test_an_id_or_an_arn_arrives_as_it_is(self, server: ChatServer, model: str) -> None:
        async with opened(server) as backend:
            await backend.complete(CompletionRequest(messages=HELLO.messages, model=model))

        assert server.asked[0].path == f"/model/{model}/converse"

    async def test_a_model_must_be_named(self) -> None:
        with pytest.raises(SetupError, match=r"aws:anthropic\.claude"):
            BedrockBackend.from_name("")


class TestSettings:
    async def test_no_credentials_is_a_clear_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

        with pytest.raises(SetupError, match="no AWS credentials were found: run `aws configure`"):
            await BedrockBackend("m", region="us-east-1").open()

    async def test_half_of_the_credentials_is_a_clear_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

        with pytest.raises(SetupError, match="aws:m: Partial credentials"):
            await BedrockBackend("m", region="us-east-1").open()

    async def test_no_region_is_a_clear_line(self) -> None:
        with pytest.raises(SetupError, match="say which AWS region: set AWS_REGION"):
            await BedrockBackend("m").open()

    async def test_a_profile_that_is_not_there_is_a_clear_line(self) -> None:
        with pytest.raises(SetupError, match="profile \\(nobody\\) could not be found"):
            await BedrockBackend("m", profile="nobody", region="us-east-1").open()

    @pytest.mark.parametrize("endpoint_url", ["localhost", "http://a b"])
    async def test_an_endpoint_that_is_none_is_a_clear_line(self, endpoint_url: str) -> None:
        with pytest.raises(SetupError, match="aws:m: "):
            await BedrockBackend("m", region="us-east-1", endpoint_url=endpoint_url).open()

    @pytest.mark.parametrize(
        ("variables", "setting", "region"),
        [
            ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, None, "eu-west-1"),
            ({"AWS_DEFAULT_REGION": "eu-west-2"}, None, "eu-west-2"),
            ({"AWS_PROFILE": "there"}, None, "eu-west-3"),
            ({"AWS_REGION": "eu-west-1"}, "eu-north-1", "eu-north-1"),
        ],
    )
    async def test_where_the_region_comes_from(
        self,
        server: ChatServer,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        variables: dict[str, str],
        setting: str | None,
        region: str,
    ) -> None:
        profiles = tmp_path / "config"
        profiles.write_text("[profile there]\nregion = eu-west-3\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(profiles))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

        async with opened(server, region=setting) as backend:
            await backend.complete(HELLO)

        assert f"/{region}/bedrock/aws4_request" in server.asked[0].headers["Authorization"]

    async def test_a_profile_brings_its_credentials(
        self, server: ChatServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        profiles = tmp_path / "credentials"
        profiles.write_text("[there]\naws_access_key_id = AKIATHERE\naws_secret_access_key = x\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profiles))

        async with opened(server, profile="there") as backend:
            await backend.complete(HELLO)

        assert "Credential=AKIATHERE/" in server.asked[0].headers["Authorization"]

    async def test_an_api_key_of_bedrock_will_do(self, server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
        server.script.append(SERVICE.fail(403, f"no, {KEY} will not do"))

        async with opened(server) as backend:
            error = await failure(backend)

        assert server.asked[0].headers["Authorization"] == f"Bearer {KEY}"
        assert KEY not in everything_shown_of(error)

    async def test_settings_show_no_secret(self, server: ChatServer) -> None:
        async with opened(server) as backend:
            assert repr(backend) == "<BedrockBackend aws:m open>"

    async def test_a_default_that_converse_does_not_know_is_refused_on_opening(self) -> None:
        backend = BedrockBackend("m", region="us-east-1", defaults=Parameters(extra={"top_k": 4}))

        with pytest.raises(ParameterUnknown, match="knows no parameter top_k"):
            await backend.open()
        await backend.aclose()


class TestRequests:
    async def test_nothing_is_sent_that_was_not_asked_for(self, server: ChatServer) -> None:
        assert await body_of(server, HELLO) == {"messages": [{"role": "user", "content": [{"text": "Hi!"}]}]}

    async def test_a_seed_is_not_pretended(self, server: ChatServer) -> None:
        body = await body_of(server, CompletionRequest(messages=HELLO.messages, seed=7))

        assert "seed" not in str(body)
        assert not BedrockBackend("m").capabilities.seed

    async def test_other_arguments_go_by_their_own_names_over_the_defaults(self, server: ChatServer) -> None:
        defaults = Parameters(
            max_tokens=9,
            extra={"performanceConfig": {"latency": "standard"}, "additionalModelRequestFields": {"top_k": 4, "a": 1}},
        )
        parameters = Parameters(
            temperature=0.5,
            extra={
                "performanceConfig": {"latency": "optimized"},
                "additionalModelRequestFields": {"top_k": 5},
                "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
                "requestMetadata": {"team": "ours"},
            },
        )

        body = await body_of(
            server, CompletionRequest(messages=HELLO.messages, parameters=parameters), defaults=defaults
        )

        assert body["inferenceConfig"] == {"temperature": 0.5, "maxTokens": 9}
        assert body["performanceConfig"] == {"latency": "optimized"}
        assert body["additionalModelRequestFields"] == {"top_k": 5, "a": 1}
        assert body["guardrailConfig"] == {"guardrailIdentifier": "g", "guardrailVersion": "1"}
        assert body["requestMetadata"] == {"team": "ours"}

    @pytest.mark.parametrize(
        "parameters",
        [Parameters(frequency_penalty=0.5), Parameters(extra={"toolConfig": {}}), Parameters(extra={"modelId": "m2"})],
        ids=["a penalty", "what tools say", "what model says"],
    )
    async def test_what_converse_does_not_take_that_way_is_refused_by_name(
        self, server: ChatServer, parameters: Parameters
    ) -> None:
        async with opened(server) as backend:
            with pytest.raises(ParameterUnknown, match=r"frequency_penalty|toolConfig|modelId"):
                await backend.complete(CompletionRequest(messages=HELLO.messages, parameters=parameters))

        assert server.asked == []

    async def test_an_argument_of_the_wrong_form_is_refused_before_it_is_sent(self, server: ChatServer) -> None:
        request = CompletionRequest(messages=HELLO.messages, parameters=Parameters(extra={"guardrailConfig": {"x": 1}}))

        async with opened(server) as backend:
            error = await failure(backend, request)

        assert isinstance(error, BackendRefused)
        assert "guardrailConfig" in error.reason
        assert server.asked == []

    async def test_what_json_cannot_hold_is_refused_before_it_is_sent(self, server: ChatServer) -> None:
        parameters = Parameters(extra={"additionalModelRequestFields": {"top_k": 1j}})

        async with opened(server) as backend:
            error = await failure(backend, CompletionRequest(messages=HELLO.messages, parameters=parameters))

        assert isinstance(error, BackendRefused)
        assert server.asked == []

    async def test_the_chat_takes_turns_begins_and_ends_with_the_user_and_has_no_blanks(
        self, server: ChatServer
    ) -> None:
        chat = (
            Message("system", "You are Ada."),
            Message("assistant", "Hello?"),
            Message("user", "Hi!"),
            Message("system", "Be brief."),
            Message("user", " "),
            Message("user", "Who is there?"),
            Message("assistant", "Ada."),
        )

        body = await body_of(server, CompletionRequest(messages=chat))

        assert body["system"] == [{"text": "You are Ada."}, {"text": "Be brief."}]
        assert body["messages"] == [
            {"role": "user", "content": [{"text": "(Go on.)"}]},
            {"role": "assistant", "content": [{"text": "Hello?"}]},
            {"role": "user", "content": [{"text": "Hi!"}, {"text": "Who is there?"}]},
            {"role": "assistant", "content": [{"text": "Ada."}]},
            {"role": "user", "content": [{"text": "(Go on.)"}]},
        ]


class TestTools:
    CALLS = (ToolCall("one", "weather", '{"city": "Oslo"}'), ToolCall("two", "weather", "not JSON"))
    CHAT = (
        *HELLO.messages,
        Message("assistant", "Let me look.", CALLS),
        Message("tool", "rain", tool_call_id="one"),
        Message("tool", "", tool_call_id="two"),
    )

    async def test_uses_and_answers_are_blocks_of_their_own(self, server: ChatServer) -> None:
        body = await body_of(server, CompletionRequest(messages=self.CHAT, tools=(WEATHER,)))

        assert body["messages"][1]["content"] == [
            {"text": "Let me look."},
            {"toolUse": {"toolUseId": "one", "name": "weather", "input": {"city": "Oslo"}}},
            {"toolUse": {"toolUseId": "two", "name": "weather", "input": {}}},
        ]
        assert body["messages"][2] == {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "one", "content": [{"text": "rain"}]}},
                {"toolResult": {"toolUseId": "two", "content": []}},
            ],
        }
        spec = {"name": "weather", "description": "Tells the weather.", "inputSchema": {"json": WEATHER.parameters}}
        assert body["toolConfig"] == {"tools": [{"toolSpec": spec}]}

    async def test_a_chat_about_tools_names_them_also_when_none_is_on_offer(self, server: ChatServer) -> None:
        body = await body_of(server, CompletionRequest(messages=self.CHAT))

        spec = {"name": "weather", "inputSchema": {"json": {"type": "object"}}}
        assert body["toolConfig"] == {"tools": [{"toolSpec": spec}]}

    async def test_a_tool_without_input_has_an_empty_object(self, server: ChatServer) -> None:
        events = (
            frame("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "1", "name": "t"}}}),
            frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": ""}}}),
            frame("messageStop", {"stopReason": "tool_use"}),
        )
        server.script.append(Reply(chunks=events, headers=EVENTS))

        async with opened(server) as backend:
            completion = await streamed(backend)

        assert completion.tool_calls == (ToolCall("1", "t", "{}"),)

    async def test_input_that_was_cut_off_is_kept_as_it_was_written(self, server: ChatServer) -> None:
        events = (
            frame("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "1", "name": "t"}}}),
            frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": '{"city": "Os'}}}),
            frame("messageStop", {"stopReason": "max_tokens"}),
        )
        server.script.append(Reply(chunks=events, headers=EVENTS))

        async with opened(server) as backend:
            completion = await streamed(backend)

        assert completion.tool_calls == (ToolCall("1", "t", '{"city": "Os'),)
        assert completion.finish == "length"


class TestSchemas:
    async def test_a_schema_is_a_tool_that_must_be_used(self, server: ChatServer) -> None:
        server.otherwise = lambda asked: SERVICE.say(Said(text='{"score": 3}'), asked)

        body = await body_of(server, CompletionRequest(messages=HELLO.messages, response_schema=SCORE))

        assert body["toolConfig"]["toolChoice"] == {"tool": {"name": "structured_reply"}}
        assert [tool["toolSpec"]["inputSchema"]["json"] for tool in body["toolConfig"]["tools"]] == [SCORE]

    async def test_beside_other_tools_any_must_be_used(self, server: ChatServer) -> None:
        call = ToolCall("one", "weather", '{"city": "Oslo"}')
        server.otherwise = lambda asked: SERVICE.say(Said(text="", tool_calls=(call,)), asked)
        request = CompletionRequest(messages=HELLO.messages, tools=(WEATHER,), response_schema=SCORE)

        async with opened(server) as backend:
            completion = await backend.complete(request)

        config = server.asked[0].body["toolConfig"]
        assert config["toolChoice"] == {"any": {}}
        assert [tool["toolSpec"]["name"] for tool in config["tools"]] == ["weather", "structured_reply"]
        assert (completion.tool_calls, completion.finish) == ((call,), "tool_calls")

    @pytest.mark.parametrize("is_streamed", [False, True])
    @pytest.mark.parametrize(
        "schema",
        [
            {"type": "array", "items": {"$ref": "#/$defs/name"}, "$defs": {"name": {"type": "string"}}},
            {"anyOf": [{"type": "array"}, {"type": "null"}]},
            {},
        ],
        ids=["list", "choice", "anything"],
    )
    async def test_a_value_that_need_be_no_object_comes_out_of_one(
        self, server: ChatServer, is_streamed: bool, schema: dict[str, Any]
    ) -> None:
        server.otherwise = lambda asked: SERVICE.say(Said(text='{"value": ["Zoë"]}'), asked)
        request = CompletionRequest(messages=HELLO.messages, response_schema=schema)

        async with opened(server) as backend:
            completion = await (streamed(backend, request) if is_streamed else backend.complete(request))

        sent = server.asked[0].body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]
        assert (sent["type"], sent["properties"], sent["required"]) == ("object", {"value": schema}, ["value"])
        assert sent.get("$defs") == schema.get("$defs")
        assert (completion.text, completion.finish) == ('["Zoë"]', "stop")

    async def test_who_thinks_is_not_forced(self, server: ChatServer) -> None:
        request = CompletionRequest(messages=HELLO.messages, response_schema=SCORE, think=True)

        body = await body_of(server, request)

        assert "toolChoice" not in body["toolConfig"]


class TestThinking:
    @pytest.mark.parametrize(
        ("think", "max_tokens", "budget"),
        [("low", None, 1024), (True, None, 4096), ("high", None, 16384), ("high", 4000, 2000), (True, 100, 1024)],
    )
    async def test_how_much_it_may_think(
        self, server: ChatServer, think: Think, max_tokens: int | None, budget: int
    ) -> None:
        parameters = Parameters(max_tokens=max_tokens)

        body = await body_of(server, CompletionRequest(messages=HELLO.messages, think=think, parameters=parameters))

        thinking = {"type": "enabled", "budget_tokens": budget}
        assert body["additionalModelRequestFields"] == {"thinking": thinking}

    async def test_what_is_said_by_name_goes_before_that(self, server: ChatServer) -> None:
        own = {"thinking": {"type": "adaptive"}}
        parameters = Parameters(extra={"additionalModelRequestFields": own})

        body = await body_of(server, CompletionRequest(messages=HELLO.messages, think=True, parameters=parameters))

        assert body["additionalModelRequestFields"] == own

    @pytest.mark.parametrize("think", [None, False])
    async def test_it_does_not_think_unasked(self, server: ChatServer, think: Think | None) -> None:
        body = await body_of(server, CompletionRequest(messages=HELLO.messages, think=think))

        assert "additionalModelRequestFields" not in body

    async def test_a_tools_answer_is_taken_without_thinking_again(self, server: ChatServer) -> None:
        request = CompletionRequest(messages=TestTools.CHAT, tools=(WEATHER,), think=True)

        assert "additionalModelRequestFields" not in await body_of(server, request)


class TestReplies:
    async def test_tokens_put_into_the_cache_were_part_of_the_prompt(self, server: ChatServer) -> None:
        usage = {"inputTokens": 2, "outputTokens": 3, "totalTokens": 5}
        usage |= {"cacheReadInputTokens": 10, "cacheWriteInputTokens": 100}
        server.script.append(say({"text": "Hi."}, usage=usage))

        async with opened(server) as backend:
            completion = await backend.complete(HELLO)

        assert (completion.usage.prompt_tokens, completion.usage.cached_tokens) == (112, 10)

    async def test_a_router_tells_which_model_it_chose(self, server: ChatServer) -> None:
        server.script.append(say({"text": "Hi."}, trace={"promptRouter": {"invokedModelId": SONNET}}))

        async with opened(server) as backend:
            assert (await backend.complete(HELLO)).model == SONNET

    @pytest.mark.parametrize(
        ("stop", "finish"),
        [
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("max_tokens", "length"),
            ("model_context_window_exceeded", "length"),
            ("content_filtered", "refused"),
            ("something new", "stop"),
        ],
    )
    async def test_the_stop_reason_is_translated(self, server: ChatServer, stop: str, finish: str) -> None:
        server.script.append(say({"text": "Hi."}, stop=stop))

        async with opened(server) as backend:
            assert (await backend.complete(HELLO)).finish == finish

    async def test_content_of_a_kind_that_is_not_known_is_passed_over(self, server: ChatServer) -> None:
        server.script.append(say({"hologram": {"depth": 3}}, {"text": "Hi."}))

        async with opened(server) as backend:
            assert (await backend.complete(HELLO)).text == "Hi."

    @pytest.mark.parametrize(
        "reply",
        [
            say({"text": 3}),
            say("words"),
            say({"text": "Hi."}, usage={"inputTokens": "nine"}),
            say({"text": "Hi."}, stop=[]),
            Reply(body=b'{"stopReason": "end_turn"}'),
            Reply(body=b"[" * 100_000),
        ],
    )
    async def test_what_is_no_reply_of_converse_is_invalid(self, server: ChatServer, reply: Reply) -> None:
        server.script.append(reply)

        async with opened(server) as backend:
            assert isinstance(await failure(backend), ReplyInvalid)


class TestStreams:
    @pytest.mark.parametrize(
        ("exception", "kind"),
        [
            ("throttlingException", BackendOverloaded),
            ("serviceUnavailableException", BackendOverloaded),
            ("internalServerException", BackendUnavailable),
            ("modelStreamErrorException", BackendUnavailable),
            ("validationException", BackendRefused),
            ("somethingNewException", BackendUnavailable),
        ],
    )
    async def test_an_error_within_a_stream_is_named(
        self, server: ChatServer, exception: str, kind: type[BackendError]
    ) -> None:
        events = (
            frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "He"}}),
            frame(exception, {"message": f"no more, {KEY}"}, kind="exception"),
        )
        server.script.append(Reply(chunks=events, headers=EVENTS))

        async with opened(server) as backend:
            with pytest.raises(kind) as caught:
                await streamed(backend)

        assert KEY not in everything_shown_of(caught.value)

    async def test_a_frame_that_was_tampered_with_is_invalid(self, server: ChatServer) -> None:
        good = frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "He"}})
        server.script.append(Reply(chunks=(good, good[:-9] + b"x" + good[-8:]), headers=EVENTS))

        async with opened(server) as backend:
            with pytest.raises(ReplyInvalid):
                await streamed(backend)

    async def test_a_stream_that_ends_without_a_reason_was_cut(self, server: ChatServer) -> None:
        events = (frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "He"}}),)
        server.script.append(Reply(chunks=events, headers=EVENTS))

        async with opened(server) as backend:
            with pytest.raises(BackendUnavailable, match="broke off"):
                await streamed(backend)

    async def test_an_event_of_a_kind_that_is_not_known_is_passed_over(self, server: ChatServer) -> None:
        events = (frame("hologram", {"depth": 3}), frame("messageStop", {"stopReason": "end_turn"}))
        server.script.append(Reply(chunks=events, headers=EVENTS))

        async with opened(server) as backend:
            assert (await streamed(backend)).text == ""

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
    @pytest.mark.parametrize(
        ("code", "status", "kind", "may_have_cost"),
        [
            ("ModelNotReadyException", 429, BackendOverloaded, False),
            ("ModelTimeoutException", 408, BackendUnavailable, True),
            ("ModelErrorException", 424, BackendUnavailable, True),
            ("InternalServerException", 500, BackendUnavailable, False),
            ("ServiceQuotaExceededException", 400, BackendRefused, False),
        ],
    )
    async def test_errors_are_told_apart_by_their_names(
        self, server: ChatServer, code: str, status: int, kind: type[BackendError], may_have_cost: bool
    ) -> None:
        server.script.append(
            Reply(status=status, body=b'{"message": "oh no"}', headers={"x-amzn-ErrorType": f"{code}:http://x/"})
        )

        async with opened(server) as backend:
            error = await failure(backend)

        assert type(error) is kind
        assert error.reason == f"HTTP {status}: {code}: oh no"
        assert error.may_have_cost is may_have_cost

    async def test_credentials_that_ran_out_say_what_to_do(self, server: ChatServer) -> None:
        headers = {"x-amzn-ErrorType": "ExpiredTokenException"}
        server.script.append(Reply(status=403, body=b'{"message": "The token is expired"}', headers=headers))

        async with opened(server) as backend:
            error = await failure(backend)

        assert isinstance(error, BackendRefused)
        assert "aws sso login" in error.reason

    @pytest.mark.parametrize("body", [b"<html>busy</html>", b"", b"[]", b"\xff"])
    async def test_a_gateways_error_of_any_shape_is_named(self, server: ChatServer, body: bytes) -> None:
        server.otherwise = lambda asked: Reply(status=502, body=body, headers={"Content-Type": "text/html"})

        async with opened(server) as backend:
            error = await failure(backend)

        assert isinstance(error, BackendUnavailable | ReplyInvalid)
        assert len(server.asked) == 1

    async def test_an_error_without_words_has_those_of_its_status(self, server: ChatServer) -> None:
        server.script.append(Reply(status=404, body=b"{}"))

        async with opened(server) as backend:
            assert (await failure(backend)).reason == "HTTP 404: Not Found"

    @pytest.mark.parametrize("status", [429, 500, 503])
    async def test_the_client_never_tries_again_whatever_the_environment_says(
        self, server: ChatServer, monkeypatch: pytest.MonkeyPatch, status: int
    ) -> None:
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
        monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
        server.otherwise = lambda asked: SERVICE.fail(status, "slow down")

        async with opened(server) as backend:
            await failure(backend)

        assert len(server.asked) == 1

    async def test_a_wrong_answer_to_one_call_harms_no_other(self, server: ChatServer) -> None:
        def answer(asked: Asked) -> Reply:
            text = asked.body["messages"][0]["content"][0]["text"]
            return Reply(body=b"{") if text == "bad" else SERVICE.say(Said(text=text), asked)

        server.otherwise = answer
        async with opened(server) as backend:
            bad = CompletionRequest(messages=(Message("user", "bad"),))
            error, good = await asyncio.gather(failure(backend, bad), backend.complete(HELLO))

        assert isinstance(error, ReplyInvalid)
        assert good.text == "Hi!"


@pytest.mark.parametrize("missing", ["aioboto3", "botocore", "aiobotocore"])
async def test_a_missing_package_is_named_when_it_is_needed(missing: str) -> None:
    """In a fresh interpreter: importing and constructing go well without the extra, opening says what to install."""
    program = f"""
import asyncio, sys
sys.modules[{missing!r}] = None
from playact.backends.bedrock import BedrockBackend
from playact.engine.errors import ExtraMissing
try:
    asyncio.run(BedrockBackend("m", region="us-east-1").open())
except ExtraMissing as error:
    print(error)
"""
    done = await asyncio.create_subprocess_exec(sys.executable, "-W", "error", "-c", program, stdout=PIPE, stderr=PIPE)
    said, complaint = await done.communicate()

    assert said.decode() == f"aws needs the package {missing}: pip install 'playact[aws]'\n"
    assert complaint == b""
