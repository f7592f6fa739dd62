"""What every network backend promises, each asked through its own client and a server that speaks its vendor's wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Literal

import pytest
import pytest_asyncio

from playact.engine.completion import (
    Completion,
    CompletionRequest,
    Message,
    Parameters,
    StreamingBackend,
    TokenLogprob,
    ToolCall,
    ToolSpec,
    Usage,
)
from playact.engine.errors import (
    BackendError,
    BackendOverloaded,
    BackendRefused,
    BackendUnavailable,
    ParameterUnknown,
    PlayactError,
    ReplyInvalid,
)
from tests.backends.calls import HELLO, KEY, everything_shown_of
from tests.backends.dialects import DIALECTS
from tests.servers.chat_server import Asked, ChatServer, Reply
from tests.servers.dialect import Dialect, Heard, Said

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("no_task_is_left")]

How = Literal["whole", "streamed"]
WEATHER = ToolSpec(
    "weather",
    "Tells the weather.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
AGE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"], "additionalProperties": False}


class Service:
    """A vendor's service on this machine, and backends that ask it."""

    def __init__(self, dialect: Dialect, server: ChatServer) -> None:
        self.dialect = dialect
        self.server = server
        self.says(Said())

    def says(self, *said: Said) -> None:
        """One after the other; the last again and again."""
        left = list(said)
        self.server.otherwise = lambda asked: self.dialect.say(left.pop(0) if len(left) > 1 else left[0], asked)

    def fails(self, status: int, message: str, retry_after_s: float | None = None) -> None:
        self.server.otherwise = lambda asked: self.dialect.fail(status, message, retry_after_s)

    def breaks(self, when: Literal["before", "midway"], how: Literal["close", "reset", "hang"]) -> None:
        def reply(asked: Asked) -> Reply:
            whole = self.dialect.say(Said(text="A reply of several words, so that there is a middle to it."), asked)
            return Reply(
                body=whole.body, chunks=whole.chunks, status=whole.status, headers=whole.headers, breaks=when, how=how
            )

        self.server.otherwise = reply

    @property
    def heard(self) -> Heard:
        return self.dialect.hear(self.server.asked[-1])

    @asynccontextmanager
    async def opened(self, **settings: Any) -> AsyncIterator[StreamingBackend]:
        """Once closed it must leave no connection."""
        backend = self.dialect.backend(self.server.address, **settings)
        await backend.open()
        try:
            yield backend
        finally:
            await backend.aclose()
            await self.server.until(lambda: self.server.open_connections == 0)


@pytest_asyncio.fixture(params=list(DIALECTS))
async def service(request: pytest.FixtureRequest, server: ChatServer) -> Service:
    return Service(DIALECTS[request.param](), server)


@pytest.fixture(params=["whole", "streamed"])
def how(request: pytest.FixtureRequest) -> How:
    return "streamed" if request.param == "streamed" else "whole"


async def ask(backend: StreamingBackend, how: How, request: CompletionRequest = HELLO) -> Completion:
    """The completion; of a stream, the deltas must come to the same."""
    if how == "whole":
        return await backend.complete(request)
    text = thinking = ""
    completion: Completion | None = None
    async with aclosing(backend.stream(request)) as deltas:
        async for delta in deltas:
            assert completion is None, "nothing comes after the completion"
            text, thinking, completion = text + delta.text, thinking + delta.thinking, delta.completion
    assert completion is not None
    assert (text, thinking) == (completion.text, completion.thinking)
    return completion


async def failure(backend: StreamingBackend, how: How, request: CompletionRequest = HELLO) -> BackendError:
    with pytest.raises(BackendError) as caught:
        await ask(backend, how, request)
    assert KEY not in everything_shown_of(caught.value)
    return caught.value


class TestReplies:
    async def test_a_plain_reply_with_its_usage(self, service: Service, how: How) -> None:
        async with service.opened() as backend:
            completion = await ask(backend, how)

        assert (completion.text, completion.finish) == ("Hello.", "stop")
        assert completion.usage == Usage(7, 3)
        assert service.heard.is_streamed == (how == "streamed")
        assert service.heard.model == "m"
        if service.dialect.reports_model:
            assert completion.model

    async def test_tokens_that_were_cached_are_told_apart(self, service: Service, how: How) -> None:
        if "cached" not in service.dialect.can:
            pytest.skip("the service does not tell")
        service.says(Said(usage=Usage(9, 4, 6)))

        async with service.opened() as backend:
            assert (await ask(backend, how)).usage == Usage(9, 4, 6)

    @pytest.mark.parametrize("finish", ["stop", "length", "refused"])
    async def test_why_a_reply_ended(self, service: Service, how: How, finish: Any) -> None:
        if finish == "refused" and "refusal" not in service.dialect.can:
            pytest.skip("the service has no word for it")
        service.says(Said(finish=finish))

        async with service.opened() as backend:
            assert (await ask(backend, how)).finish == finish

    @pytest.mark.parametrize(
        "text", ["Grüße, 世界 👩‍👩‍👧 \u0000\u2028 \\u00e9", "", "line\nline\r\n\r\ndata: x\n", "word " * 20_000]
    )
    async def test_any_text_goes_out_and_comes_back_whole(self, service: Service, how: How, text: str) -> None:
        service.says(Said(text=text))
        said = text or "Say nothing."

        async with service.opened() as backend:
            completion = await ask(backend, how, CompletionRequest(messages=(Message("user", said),)))

        assert completion.text == text
        assert service.heard.messages == (Message("user", said),)

    async def test_thinking_is_told_from_the_text(self, service: Service, how: How) -> None:
        if "thinking" not in service.dialect.can:
            pytest.skip("the service has no field for it")
        service.says(Said(text="Yes.", thinking="Let me see. 🤔"))

        async with service.opened() as backend:
            completion = await ask(backend, how, CompletionRequest(messages=HELLO.messages, think=True))

        assert (completion.text, completion.thinking) == ("Yes.", "Let me see. 🤔")
        assert service.heard.think
        assert backend.capabilities.thinking

    async def test_log_probabilities_come_when_asked_for(self, service: Service, how: How) -> None:
        if "logprobs" not in service.dialect.can:
            assert not service.dialect.backend(service.server.address).capabilities.logprobs
            pytest.skip("the service has none")
        tokens = (TokenLogprob("Hel", -0.5), TokenLogprob("lo.", -0.25))
        service.says(Said(logprobs=tokens))

        async with service.opened() as backend:
            asked = CompletionRequest(messages=HELLO.messages, parameters=Parameters(extra={"logprobs": True}))
            completion = await ask(backend, how, asked)

        assert completion.logprobs == tokens


class TestRequests:
    async def test_parameters_and_seed_arrive(self, service: Service, how: How) -> None:
        parameters = Parameters(temperature=0.0, top_p=0.5, max_tokens=9, stop=("\n", "END"))

        async with service.opened() as backend:
            await ask(backend, how, CompletionRequest(messages=HELLO.messages, parameters=parameters, seed=7))

        heard = service.heard
        assert (heard.temperature, heard.top_p, heard.max_tokens, heard.stop) == (0.0, 0.5, 9, ("\n", "END"))
        assert heard.seed == (7 if "seed" in service.dialect.can else None)
        assert backend.capabilities.seed == ("seed" in service.dialect.can)

    async def test_nothing_is_asked_that_was_not_said(self, service: Service, how: How) -> None:
        async with service.opened() as backend:
            await ask(backend, how)

        heard = service.heard
        assert (heard.temperature, heard.top_p, heard.stop, heard.seed, heard.tools) == (None, None, (), None, ())
        assert (heard.schema, heard.think) == (None, None)

    async def test_the_models_name_in_a_request_goes_before_the_backends_own(self, service: Service) -> None:
        async with service.opened() as backend:
            await backend.complete(CompletionRequest(messages=HELLO.messages, model="m2"))

        assert service.heard.model == "m2"

    async def test_the_whole_chat_arrives_in_its_order(self, service: Service, how: How) -> None:
        chat = (
            Message("system", "Be brief."),
            Message("user", "Hi!"),
            Message("assistant", "Hello."),
            Message("user", "Who are you?"),
        )

        async with service.opened() as backend:
            await ask(backend, how, CompletionRequest(messages=chat))

        assert service.heard.messages == chat

    @pytest.mark.parametrize(
        "chat",
        [
            (Message("system", "Be brief."),),
            (Message("assistant", "Good morning!"),),
            (Message("system", "Be brief."), Message("assistant", "Good morning!"), Message("user", "Morning.")),
            (Message("user", "Hi!"), Message("user", "Anyone?")),
            (Message("user", "Hi!"), Message("assistant", "Yes?"), Message("assistant", "Hello?")),
            (
                Message("user", "Hi!"),
                Message("system", "Now be brief."),
                Message("assistant", "OK."),
                Message("user", "?"),
            ),
            (Message("system", ""), Message("user", ""), Message("assistant", ""), Message("user", "Well?")),
        ],
        ids=["no user", "assistant only", "assistant first", "user twice", "assistant last", "system within", "empty"],
    )
    async def test_an_unusual_order_is_asked_all_the_same_and_loses_no_word(
        self, service: Service, how: How, chat: tuple[Message, ...]
    ) -> None:
        async with service.opened() as backend:
            completion = await ask(backend, how, CompletionRequest(messages=chat))

        assert completion.text == "Hello."
        heard = "\n".join(message.text for message in service.heard.messages)
        places = [heard.find(message.text) for message in chat if message.role != "system"]
        assert -1 not in places
        assert all(message.text in heard for message in chat)

    async def test_a_tool_is_called_and_its_answer_taken(self, service: Service, how: How) -> None:
        call = ToolCall("call-1", "weather", '{"city": "Zürich"}')
        service.says(Said(text="", tool_calls=(call,)), Said(text="It rains."))
        first = CompletionRequest(messages=(Message("user", "Does it rain?"),), tools=(WEATHER,))

        async with service.opened() as backend:
            wish = await ask(backend, how, first)
            offered = service.heard.tools
            chat = (
                *first.messages,
                Message("assistant", "", tool_calls=wish.tool_calls),
                Message("tool", "rain, 4 °C", tool_call_id=wish.tool_calls[0].id),
            )
            answer = await ask(backend, how, CompletionRequest(messages=chat, tools=(WEATHER,)))

        assert wish.finish == "tool_calls"
        assert offered == ("weather",)
        assert wish.tool_calls[0].name == "weather"
        assert json.loads(wish.tool_calls[0].arguments) == {"city": "Zürich"}
        assert wish.tool_calls[0].id == "call-1" if service.dialect.has_ids else wish.tool_calls[0].id
        assert answer.text == "It rains."
        asked, told = service.heard.messages[1:3]
        assert (asked.role, asked.tool_calls[0].name, json.loads(asked.tool_calls[0].arguments)) == (
            "assistant",
            "weather",
            {"city": "Zürich"},
        )
        assert (told.role, told.text) == ("tool", "rain, 4 °C")
        assert backend.capabilities.tools

    async def test_two_tools_at_once_keep_their_answers_apart(self, service: Service, how: How) -> None:
        calls = tuple(ToolCall(f"call-{city}", "weather", json.dumps({"city": city})) for city in ("Rome", "Oslo"))
        service.says(Said(text="", tool_calls=calls), Said())
        first = CompletionRequest(messages=(Message("user", "Does it rain?"),), tools=(WEATHER,))

        async with service.opened() as backend:
            wish = await ask(backend, how, first)
            told = tuple(
                Message("tool", f"answer {place}", tool_call_id=call.id) for place, call in enumerate(wish.tool_calls)
            )
            chat = (*first.messages, Message("assistant", "", tool_calls=wish.tool_calls), *told)
            await ask(backend, how, CompletionRequest(messages=chat, tools=(WEATHER,)))

        assert [json.loads(call.arguments)["city"] for call in wish.tool_calls] == ["Rome", "Oslo"]
        assert len({call.id for call in wish.tool_calls}) == 2
        heard = service.heard.messages
        assert [message.text for message in heard if message.role == "tool"] == ["answer 0", "answer 1"]

    async def test_a_schema_arrives_and_the_reply_is_the_value(self, service: Service, how: How) -> None:
        if "schema" not in service.dialect.can:
            pytest.skip("the service has no way to ask for it")
        service.says(Said(text='{"age": 7}'))

        async with service.opened() as backend:
            request = CompletionRequest(messages=HELLO.messages, response_schema=AGE)
            completion = await ask(backend, how, request)

        assert service.heard.schema is not None
        assert service.heard.schema["properties"] == AGE["properties"]
        assert json.loads(completion.text) == {"age": 7}
        assert completion.finish == "stop"
        assert completion.tool_calls == ()
        assert backend.capabilities.response_schema


class TestFailures:
    @pytest.mark.parametrize("retry_after_s", [None, 7.0])
    async def test_too_many_requests_is_overload_that_may_say_when_to_come_back(
        self, service: Service, how: How, retry_after_s: float | None
    ) -> None:
        service.fails(429, "slow down", retry_after_s)

        async with service.opened() as backend:
            error = await failure(backend, how)

        assert isinstance(error, BackendOverloaded)
        assert error.retry_after_s == retry_after_s
        assert "slow down" in error.reason
        assert len(service.server.asked) == 1, "no client tries again by itself"

    async def test_service_unavailable_is_overload(self, service: Service, how: How) -> None:
        service.fails(503, "try later")

        async with service.opened() as backend:
            assert isinstance(await failure(backend, how), BackendOverloaded)

        assert len(service.server.asked) == 1

    @pytest.mark.parametrize("status", [500, 504])
    async def test_a_fault_of_the_server_is_worth_another_try_of_ours_not_of_the_clients(
        self, service: Service, how: How, status: int
    ) -> None:
        service.fails(status, "oh no")

        async with service.opened() as backend:
            error = await failure(backend, how)

        assert isinstance(error, BackendUnavailable)
        assert len(service.server.asked) == 1

    @pytest.mark.parametrize(
        ("status", "message"),
        [(400, "bad temperature"), (401, "wrong key"), (403, "not yours"), (404, "no such model")],
    )
    async def test_what_another_try_cannot_mend_is_refused_in_the_services_words(
        self, service: Service, how: How, status: int, message: str
    ) -> None:
        service.fails(status, f"{message}: {KEY}")

        async with service.opened() as backend:
            error = await failure(backend, how)

        assert isinstance(error, BackendRefused)
        assert message in error.reason
        assert "\n" not in str(error)

    @pytest.mark.parametrize("when", ["before", "midway"])
    @pytest.mark.parametrize("end", ["close", "reset"])
    async def test_a_connection_that_is_cut_is_worth_another_try(
        self, service: Service, how: How, when: Any, end: Any
    ) -> None:
        service.breaks(when, end)

        async with service.opened() as backend:
            error = await failure(backend, how)

        assert isinstance(error, BackendUnavailable)

    @pytest.mark.parametrize(
        "body", [b"<html>busy</html>", b"{", b"[]", b'"text"', b"null", b'{"choices": 7}', b"\xff"]
    )
    async def test_what_is_no_reply_is_invalid(self, service: Service, how: How, body: bytes) -> None:
        service.server.otherwise = lambda asked: Reply(body=body, headers=service.dialect.say(Said(), asked).headers)

        async with service.opened() as backend:
            error = await failure(backend, how)

        assert isinstance(error, ReplyInvalid | BackendUnavailable)
        assert "\n" not in str(error)

    @pytest.mark.parametrize("when", ["before", "midway"])
    async def test_a_reply_that_takes_too_long_is_given_up(self, service: Service, how: How, when: Any) -> None:
        service.breaks(when, "hang")

        async with service.opened(timeout_s=0.2) as backend:
            error = await failure(backend, how)
            await service.server.until(lambda: service.server.aborted == 1)

        assert isinstance(error, BackendUnavailable)
        assert "0.2 s" in error.reason

    async def test_where_nobody_listens_is_unavailable(self, service: Service, how: How) -> None:
        backend = service.dialect.backend("http://127.0.0.1:9")
        await backend.open()

        error = await failure(backend, how)
        await backend.aclose()

        assert isinstance(error, BackendUnavailable)
        assert not error.may_have_cost

    async def test_a_parameter_that_it_does_not_know_is_refused_by_name(self, service: Service, how: How) -> None:
        if "any parameter" in service.dialect.can:
            pytest.skip("each such server knows others")

        async with service.opened() as backend:
            with pytest.raises(ParameterUnknown, match="tempratur"):
                asked = Parameters(extra={"tempratur": 1})
                await ask(backend, how, CompletionRequest(messages=HELLO.messages, parameters=asked))

        assert service.server.asked == []

    async def test_it_is_used_between_opening_and_closing_only(self, service: Service, how: How) -> None:
        backend = service.dialect.backend(service.server.address)

        with pytest.raises(PlayactError, match="open"):
            await ask(backend, how)
        await backend.open()
        await backend.aclose()
        await backend.aclose()
        with pytest.raises(PlayactError, match="closed"):
            await ask(backend, how)


class TestManyAtOnce:
    async def test_sixty_four_calls_at_once_each_get_their_own_reply(self, service: Service, how: How) -> None:
        def echo(asked: Asked) -> Reply:
            return service.dialect.say(Said(text=service.dialect.hear(asked).messages[-1].text), asked)

        service.server.otherwise = echo

        async with service.opened() as backend:
            requests = [CompletionRequest(messages=(Message("user", f"number {n}"),)) for n in range(64)]
            async with asyncio.TaskGroup() as tasks:
                calls = [tasks.create_task(ask(backend, how, request)) for request in requests]

        assert [call.result().text for call in calls] == [f"number {n}" for n in range(64)]

    async def test_no_client_holds_calls_back(self, service: Service, how: How) -> None:
        service.breaks("before", "hang")

        async with service.opened() as backend:
            calls = [asyncio.ensure_future(ask(backend, how)) for _ in range(128)]
            await service.server.until(lambda: service.server.hanging == 128)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    @pytest.mark.parametrize("when", ["before", "midway"])
    async def test_cancelling_a_call_aborts_it_on_the_server(self, service: Service, how: How, when: Any) -> None:
        service.breaks(when, "hang")

        async with service.opened() as backend:
            call = asyncio.ensure_future(ask(backend, how))
            await service.server.until(lambda: service.server.hanging == 1)
            call.cancel()
            await service.server.until(lambda: service.server.aborted == 1)

            with pytest.raises(asyncio.CancelledError):
                await call

    async def test_leaving_a_stream_early_aborts_it_on_the_server(self, service: Service) -> None:
        service.breaks("midway", "hang")

        async with service.opened() as backend:
            async with aclosing(backend.stream(HELLO)) as deltas:
                async for _ in deltas:
                    break
            await service.server.until(lambda: service.server.aborted == 1)

    @pytest.mark.parametrize("when", ["before", "midway"])
    async def test_closing_ends_the_calls_under_way(self, service: Service, how: How, when: Any) -> None:
        service.breaks(when, "hang")

        async with service.opened() as backend:
            calls = [asyncio.ensure_future(failure(backend, how)) for _ in range(8)]
            await service.server.until(lambda: service.server.hanging == 8)
            await backend.aclose()
            errors = [await call for call in calls]
            await service.server.until(lambda: service.server.aborted == 8)

        assert {type(error) for error in errors} == {BackendUnavailable}
