"""Streams of chat completions over real sockets, in both ways of getting there, and all that can go wrong in them."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playact.backends.chat_stream import StreamedReply
from playact.backends.openai import OpenAIBackend
from playact.engine.completion import (
    Completion,
    CompletionRequest,
    Delta,
    Message,
    Parameters,
    TokenLogprob,
    ToolCall,
    Usage,
)
from playact.engine.errors import (
    BackendError,
    BackendOverloaded,
    BackendRefused,
    BackendUnavailable,
    PlayactError,
    ReplyInvalid,
)
from tests.backends.calls import HELLO, KEY, Opener, Transport, everything_shown_of
from tests.servers.chat_server import Asked, ChatServer, Reply, fail, say
from tests.servers.dialect import Said
from tests.servers.openai_dialect import OpenAIDialect, event

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("no_task_is_left")]

EVENTS = {"Content-Type": "text/event-stream"}
DONE = b"data: [DONE]\n\n"


def chunk(content: str | None = None, *, finish: str | None = None, **delta: object) -> bytes:
    told = delta if content is None else {"content": content, **delta}
    return event({"model": "m-2026", "choices": [{"index": 0, "delta": told, "finish_reason": finish}]})


def stream(*chunks: bytes, **more: Any) -> Reply:
    return Reply(chunks=chunks, headers=EVENTS, **more)


async def deltas_of(backend: OpenAIBackend, request: CompletionRequest = HELLO) -> list[Delta]:
    async with aclosing(backend.stream(request)) as deltas:
        return [delta async for delta in deltas]


async def streamed(backend: OpenAIBackend, request: CompletionRequest = HELLO) -> Completion:
    last = (await deltas_of(backend, request))[-1].completion
    assert last is not None
    return last


async def failure(backend: OpenAIBackend) -> BackendError:
    with pytest.raises(BackendError) as caught:
        await deltas_of(backend)
    assert KEY not in everything_shown_of(caught.value)
    return caught.value


class TestWhatIsRead:
    async def test_text_comes_in_deltas_and_whole_at_the_end(self, server: ChatServer, opened: Opener) -> None:
        server.script.append(stream(chunk("Hel"), chunk("lo."), chunk(finish="stop"), DONE))

        async with opened() as backend:
            deltas = await deltas_of(backend)

        completion = Completion(text="Hello.", model="m-2026")
        assert deltas == [Delta("Hel"), Delta("lo."), Delta(completion=completion)]

    async def test_the_usage_is_asked_for_and_told(self, server: ChatServer, opened: Opener) -> None:
        usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 6}}
        server.script.append(stream(chunk("Hi.", finish="stop"), event({"choices": [], "usage": usage}), DONE))

        async with opened() as backend:
            completion = await streamed(backend)

        assert completion.usage == Usage(9, 4, 6)
        asked = server.asked[0]
        assert asked.body["stream"] is True
        assert asked.body["stream_options"] == {"include_usage": True}
        assert asked.headers["Accept"] == "text/event-stream"

    @pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
    async def test_thinking_is_told_from_the_text(self, server: ChatServer, opened: Opener, key: str) -> None:
        server.script.append(stream(chunk(**{key: "Let "}), chunk(**{key: "me."}), chunk("Yes."), DONE))

        async with opened() as backend:
            deltas = await deltas_of(backend)

        assert [(delta.text, delta.thinking) for delta in deltas[:-1]] == [("", "Let "), ("", "me."), ("Yes.", "")]
        assert deltas[-1].completion == Completion(text="Yes.", thinking="Let me.", model="m-2026")

    async def test_the_fragments_of_tool_calls_are_joined_by_their_index(
        self, server: ChatServer, opened: Opener
    ) -> None:
        def call(index: int, arguments: str, **more: object) -> dict[str, object]:
            name = {"name": more.pop("name")} if "name" in more else {}
            return {"index": index, **more, "function": {**name, "arguments": arguments}}

        server.script.append(
            stream(
                chunk(tool_calls=[call(0, "", id="a", name="weather")]),
                chunk(tool_calls=[call(0, '{"city":'), call(1, "{", id="b", name="time")]),
                chunk(tool_calls=[call(1, "}")]),
                chunk(tool_calls=[call(0, '"Bonn"}')]),
                chunk(finish="tool_calls"),
                DONE,
            )
        )

        async with opened() as backend:
            completion = await streamed(backend)

        assert completion.tool_calls == (ToolCall("a", "weather", '{"city":"Bonn"}'), ToolCall("b", "time", "{}"))
        assert completion.finish == "tool_calls"

    async def test_tool_calls_without_an_index_are_each_their_own(self, server: ChatServer, opened: Opener) -> None:
        calls = [{"id": id, "function": {"name": "time", "arguments": "{}"}} for id in ("a", "b")]
        server.script.append(stream(chunk(tool_calls=calls), DONE))

        async with opened() as backend:
            assert (await streamed(backend)).tool_calls == (ToolCall("a", "time", "{}"), ToolCall("b", "time", "{}"))

    async def test_a_refusal_is_text_that_says_so(self, server: ChatServer, opened: Opener) -> None:
        server.script.append(stream(chunk(refusal="I will "), chunk(refusal="not."), chunk(finish="stop"), DONE))

        async with opened() as backend:
            deltas = await deltas_of(backend)

        assert "".join(delta.text for delta in deltas) == "I will not."
        assert deltas[-1].completion == Completion(text="I will not.", finish="refused", model="m-2026")

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    async def test_comments_any_line_ends_and_other_fields_are_taken(
        self, server: ChatServer, opened: Opener, end: str
    ) -> None:
        lines = [": hello", "", "event: message", "retry: 7", *chunk("Hi.").decode().split("\n"), ": still here", ""]
        body = end.join([*lines, "data: [DONE]", "", ""]).encode()
        server.script.append(stream(body[:20], body[20:]))

        async with opened() as backend:
            assert (await streamed(backend)).text == "Hi."

    async def test_letters_may_be_cut_in_any_place(self, server: ChatServer, opened: Opener) -> None:
        body = chunk("Grüße, 世界 👩‍👩‍👧") + chunk(finish="stop") + DONE
        server.script.append(stream(*(bytes([byte]) for byte in body)))

        async with opened() as backend:
            assert (await streamed(backend)).text == "Grüße, 世界 👩‍👩‍👧"

    async def test_a_last_word_that_no_empty_line_follows_is_one(self, server: ChatServer, opened: Opener) -> None:
        server.script.append(stream(chunk("Hi.", finish="stop"), b"data: [DONE]"))

        async with opened() as backend:
            assert (await streamed(backend)).text == "Hi."

    async def test_azures_first_chunk_without_choices_is_no_reply_yet(self, server: ChatServer, opened: Opener) -> None:
        filters = event({"model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
        server.script.append(stream(filters, chunk("Hi.", finish="stop"), DONE))

        async with opened() as backend:
            assert await streamed(backend) == Completion(text="Hi.", model="m-2026")

    async def test_a_server_without_streams_answers_in_one_delta(self, server: ChatServer, opened: Opener) -> None:
        server.script.append(Reply(body=say("Hello.", reasoning="Hm.")))

        async with opened() as backend:
            deltas = await deltas_of(backend)

        assert deltas[0] == Delta("Hello.", "Hm.")
        assert deltas[1].completion == Completion(text="Hello.", thinking="Hm.", model="m-2026")

    async def test_connections_are_kept_from_stream_to_stream_and_to_other_calls(
        self, server: ChatServer, opened: Opener
    ) -> None:
        server.script.extend([stream(chunk("a"), DONE), stream(chunk("b"), DONE)])

        async with opened() as backend:
            texts = [(await streamed(backend)).text, (await streamed(backend)).text]
            texts.append((await backend.complete(HELLO)).text)

        assert texts == ["a", "b", "Hello."]
        assert server.connections == 1

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(said=st.builds(Said, text=st.text(max_size=40), thinking=st.text(max_size=20)), is_whole=st.booleans())
    async def test_a_stream_comes_to_what_the_whole_reply_says(self, said: Said, is_whole: bool) -> None:
        body: dict[str, Any] = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
        reply = StreamedReply()

        told = [
            reply.take(json.loads(data.removeprefix(b"data: ")))
            for data in OpenAIDialect().say(said, Asked("/", {}, body)).chunks
            if data.startswith(b"data: {")
        ]

        assert reply.completion() == said.completion("m")
        assert "".join(delta.text for delta in told if delta) == said.text


class TestLogprobs:
    HOW_SURE = Parameters(extra={"logprobs": True, "top_logprobs": 2})

    @pytest.mark.parametrize(
        "logprobs",
        [
            {"content": [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}], "refusal": None},
            {"content": [{"id": 7, "token": "Hi", "logprob": -0.5, "top_logprobs": [{"id": 7, "token": "Hi"}]}]},
            {"tokens": ["Hi"], "token_logprobs": [-0.5], "top_logprobs": [{}], "text_offset": [0]},
        ],
        ids=["openai and vllm", "llama.cpp", "two lists"],
    )
    async def test_they_are_read_whole_and_from_streams(
        self, server: ChatServer, opened: Opener, logprobs: dict[str, object]
    ) -> None:
        choice = {"delta": {"content": "Hi"}, "message": {"content": "Hi"}, "logprobs": logprobs}
        body = json.dumps({"choices": [choice]}).encode()
        server.script.extend([Reply(body=body), stream(b"data: " + body + b"\n\n", DONE)])
        request = CompletionRequest(messages=HELLO.messages, parameters=self.HOW_SURE)

        async with opened() as backend:
            completions = [await backend.complete(request), await streamed(backend, request)]

        assert [completion.logprobs for completion in completions] == [(TokenLogprob("Hi", -0.5),)] * 2
        assert [(asked.body["logprobs"], asked.body["top_logprobs"]) for asked in server.asked] == [(True, 2)] * 2

    async def test_none_asked_for_none_there(self, server: ChatServer, opened: Opener) -> None:
        server.script.append(Reply(body=json.dumps({"choices": [{"message": {}, "logprobs": None}]}).encode()))

        async with opened() as backend:
            assert (await backend.complete(HELLO)).logprobs == ()

    @pytest.mark.parametrize("logprobs", [[1], {"content": [{"token": 1, "logprob": 0}]}, {"content": [{}]}])
    async def test_what_is_none_is_no_reply(self, server: ChatServer, opened: Opener, logprobs: object) -> None:
        server.script.append(Reply(body=json.dumps({"choices": [{"message": {}, "logprobs": logprobs}]}).encode()))

        async with opened() as backend:
            with pytest.raises(ReplyInvalid):
                await backend.complete(HELLO)


class TestFailures:
    @pytest.mark.parametrize(
        ("status", "kind"), [(401, BackendRefused), (429, BackendOverloaded), (500, BackendUnavailable)]
    )
    async def test_an_error_in_place_of_a_stream_is_the_same_as_of_a_whole_reply(
        self, server: ChatServer, opened: Opener, status: int, kind: type[BackendError]
    ) -> None:
        server.script.append(fail(status, f"no: {KEY}", headers={"Retry-After": "7"}))

        async with opened() as backend:
            error = await failure(backend)

        assert type(error) is kind
        assert error.reason == f"HTTP {status}: no: ***"
        assert getattr(error, "retry_after_s", 7) == 7

    @pytest.mark.parametrize(
        ("said", "kind"),
        [
            ({"message": "boom", "type": "server_error"}, BackendUnavailable),
            ({"message": "boom", "code": 500}, BackendUnavailable),
            ({"message": "boom", "code": 503}, BackendOverloaded),
            ({"message": "boom", "code": "429"}, BackendOverloaded),
            ({"message": "boom", "code": "rate_limit_exceeded"}, BackendOverloaded),
            ({"message": "boom", "type": "insufficient_quota"}, BackendRefused),
            ({"message": "boom", "type": "invalid_request_error"}, BackendRefused),
            ({"message": "boom", "type": "BadRequestError", "code": 400}, BackendRefused),
            ("boom", BackendUnavailable),
        ],
    )
    async def test_an_error_in_mid_stream_is_told_by_its_kind(
        self, server: ChatServer, opened: Opener, said: object, kind: type[BackendError]
    ) -> None:
        server.script.append(stream(chunk("Hel"), event({"error": said}), DONE))

        async with opened() as backend:
            error = await failure(backend)

        assert type(error) is kind
        assert "boom" in error.reason

    async def test_no_key_is_in_an_error_in_mid_stream(self, server: ChatServer, opened: Opener) -> None:
        server.script.append(stream(chunk("Hel"), event({"error": {"message": f"bad key {KEY}"}})))

        async with opened() as backend:
            assert "***" in (await failure(backend)).reason

    @pytest.mark.parametrize("how", ["close", "reset"])
    async def test_a_stream_that_is_cut_is_no_reply_and_may_have_cost(
        self, server: ChatServer, opened: Opener, how: Any
    ) -> None:
        chunks = [chunk("Hel"), chunk("lo."), chunk(finish="stop"), DONE]
        server.script.append(stream(*chunks, breaks="midway", how=how))

        async with opened() as backend:
            error = await failure(backend)

        assert isinstance(error, BackendUnavailable)
        assert error.may_have_cost
        assert "cut" in error.reason

    async def test_a_stream_that_ends_before_its_last_word_is_cut_too(self, server: ChatServer, opened: Opener) -> None:
        server.script.append(stream(chunk("Well: data: [DONE]"), chunk("Hel")))

        async with opened() as backend:
            error = await failure(backend)

        assert isinstance(error, BackendUnavailable)
        assert "cut" in error.reason

    @pytest.mark.parametrize(
        "event", [b"data: {nothing\n\n", b"data: 7\n\n", b'data: {"choices": [7]}\n\n', b"data: \xff\n\n"]
    )
    async def test_what_is_no_chunk_is_no_reply(self, server: ChatServer, opened: Opener, event: bytes) -> None:
        server.script.append(stream(chunk("Hel"), event, DONE))

        async with opened() as backend:
            assert isinstance(await failure(backend), ReplyInvalid)

    async def test_the_time_limit_is_that_of_the_stream_as_a_whole(self, server: ChatServer, opened: Opener) -> None:
        server.script.append(stream(chunk("Hel"), chunk("lo."), breaks="midway", how="hang"))

        async with opened(timeout_s=0.3) as backend:
            error = await failure(backend)
            await server.until(lambda: server.aborted == 1)

        assert isinstance(error, BackendUnavailable)
        assert error.reason == "no reply within 0.3 s"

    async def test_a_backend_that_is_not_open_says_so(self, transport: Transport) -> None:
        backend = OpenAIBackend("m", api_key=KEY, transport=transport)

        with pytest.raises(PlayactError, match="not open yet"):
            await deltas_of(backend)


class TestGivingUp:
    async def test_closing_a_stream_early_gives_the_work_up_on_the_server(
        self, server: ChatServer, opened: Opener
    ) -> None:
        server.script.append(stream(chunk("Hel"), chunk("lo."), breaks="midway", how="hang"))

        async with opened() as backend:
            async with aclosing(backend.stream(HELLO)) as deltas:
                assert await anext(deltas) == Delta("Hel")
            await server.until(lambda: server.aborted == 1)
            assert (await backend.complete(HELLO)).text == "Hello."

    async def test_cancelling_a_reader_gives_the_work_up_on_the_server(
        self, server: ChatServer, opened: Opener
    ) -> None:
        server.script.append(stream(chunk("Hel"), chunk("lo."), breaks="midway", how="hang"))

        async with opened() as backend:
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(deltas_of(backend))
                await server.until(lambda: server.hanging == 1)
                task.cancel()
            await server.until(lambda: server.aborted == 1)

    async def test_closing_the_backend_ends_streams_under_way(self, server: ChatServer, opened: Opener) -> None:
        server.script.append(stream(chunk("Hel"), chunk("lo."), breaks="midway", how="hang"))

        async with opened() as backend, aclosing(backend.stream(HELLO)) as deltas:
            await anext(deltas)
            await backend.aclose()
            with pytest.raises(BackendUnavailable, match="closed during the call"):
                await anext(deltas)

    async def test_a_slow_reader_makes_the_server_wait(self, server: ChatServer, opened: Opener) -> None:
        piece = "word " * 10_000
        server.script.append(stream(*[chunk(piece)] * 1000, DONE))

        async with opened() as backend, aclosing(backend.stream(HELLO)) as deltas:
            await anext(deltas)
            for _ in range(300):
                await asyncio.sleep(0)
            assert server.busy == 1  # 50 MB do not fit into what is read ahead
            rest = 0
            with pytest.raises(ReplyInvalid, match="larger than 32 MiB"):
                async for delta in deltas:
                    rest += len(delta.text)

        assert rest > 30_000_000


class TestThink:
    @pytest.mark.parametrize(
        ("think", "asked"),
        [
            (None, {}),
            (True, {"chat_template_kwargs": {"enable_thinking": True}}),
            (False, {"chat_template_kwargs": {"enable_thinking": False}}),
            (
                "low",
                {
                    "chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "low"},
                    "reasoning_effort": "low",
                },
            ),
        ],
    )
    async def test_servers_of_open_models_hear_it_by_the_template(
        self, server: ChatServer, opened: Opener, think: Any, asked: dict[str, object]
    ) -> None:
        async with opened() as backend:
            await backend.complete(CompletionRequest(messages=(Message("user", "Hi!"),), think=think))

        told = server.asked[0].body
        assert {key: told[key] for key in ("chat_template_kwargs", "reasoning_effort") if key in told} == asked
