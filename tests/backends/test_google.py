"""Gemini through Google's own client, against a server that speaks its format: what only this service has."""

from __future__ import annotations

import json
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from google.oauth2.credentials import Credentials

from playact.backends.google import GoogleBackend
from playact.backends.registry import backend_named
from playact.engine.completion import (
    Completion,
    CompletionRequest,
    Message,
    Parameters,
    Think,
    ToolCall,
    ToolSpec,
    Usage,
)
from playact.engine.errors import (
    BackendOverloaded,
    BackendRefused,
    BackendUnavailable,
    KeyMissing,
    ParameterUnknown,
    ReplyInvalid,
    SetupError,
)
from tests.backends.calls import HELLO, KEY
from tests.servers.chat_server import ChatServer, Reply
from tests.servers.dialect import Said
from tests.servers.gemini_dialect import SIGNATURE, GeminiDialect, piece

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("no_task_is_left")]

GEMINI = GeminiDialect()
USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 2}


@pytest.fixture(autouse=True)
def _no_settings_of_googles_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "GOOGLE_GENAI_USE_VERTEXAI",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_CLOUD_LOCATION",
    ):
        monkeypatch.delenv(variable, raising=False)


@asynccontextmanager
async def opened(
    server: ChatServer, **settings: Any
) -> AsyncIterator[GoogleBackend]:  # the backend's own, as they come
    backend = GoogleBackend("m", base_url=server.address, **{"api_key": KEY, **settings})
    await backend.open()
    try:
        yield backend
    finally:
        await backend.aclose()
        await server.until(lambda: server.open_connections == 0)


def reply(*parts: object, finish: str | None = "STOP", **more: object) -> Reply:
    """What the service says, as JSON."""
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": finish}
    return Reply(body=json.dumps({"candidates": [candidate], "usageMetadata": USAGE, **more}).encode())


async def streamed(backend: GoogleBackend, request: CompletionRequest = HELLO) -> list[str | Completion]:
    async with aclosing(backend.stream(request)) as deltas:
        return [delta.text if delta.completion is None else delta.completion async for delta in deltas]


class TestReplies:
    async def test_a_blocked_prompt_is_a_refusal_without_words(self, server: ChatServer) -> None:
        body = {"promptFeedback": {"blockReason": "JAILBREAK"}, "usageMetadata": {"promptTokenCount": 5}}
        server.script += [Reply(body=json.dumps(body).encode()), Reply(chunks=(piece(body),))]

        async with opened(server) as backend:
            whole = await backend.complete(HELLO)
            pieces = await streamed(backend)

        assert (whole.text, whole.finish, whole.usage) == ("", "refused", Usage(5))
        assert pieces == [whole]

    @pytest.mark.parametrize("finish", ["RECITATION", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"])
    async def test_each_kind_of_refusal_is_one(self, server: ChatServer, finish: str) -> None:
        server.script.append(reply(finish=finish))

        async with opened(server) as backend:
            assert (await backend.complete(HELLO)).finish == "refused"

    async def test_a_call_that_the_model_got_wrong_is_no_reply(self, server: ChatServer) -> None:
        body = {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "print(x"}]}
        server.script.append(Reply(body=json.dumps(body).encode()))

        async with opened(server) as backend:
            with pytest.raises(ReplyInvalid, match=r"MALFORMED_FUNCTION_CALL: print\(x"):
                await backend.complete(HELLO)

    @pytest.mark.parametrize("body", [b"{}", b'{"candidates": []}', b'{"candidates": [{"content": 1}]}', b""])
    async def test_a_reply_without_a_candidate_is_none(self, server: ChatServer, body: bytes) -> None:
        server.script.append(Reply(body=body))

        async with opened(server) as backend:
            with pytest.raises(ReplyInvalid):
                await backend.complete(HELLO)

    async def test_tokens_of_thoughts_and_of_tools_count(self, server: ChatServer) -> None:
        usage = USAGE | {"thoughtsTokenCount": 30, "toolUsePromptTokenCount": 4, "cachedContentTokenCount": 3}
        server.script.append(reply({"text": "Hi."}, usageMetadata=usage))

        async with opened(server) as backend:
            assert (await backend.complete(HELLO)).usage == Usage(9, 32, 3)

    async def test_a_stream_that_ends_well_but_too_early_counts_as_cut(self, server: ChatServer) -> None:
        begun = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hel"}]}}]}
        server.script.append(Reply(chunks=(piece(begun),)))

        async with opened(server) as backend:
            with pytest.raises(BackendUnavailable, match="broke off"):
                await streamed(backend)

    async def test_an_error_in_the_middle_of_a_stream_is_that_error(self, server: ChatServer) -> None:
        begun = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hel"}]}}]}
        error = json.loads(GEMINI.fail(503, "The model is overloaded.").body)
        server.script.append(Reply(chunks=(piece(begun), piece(error))))

        async with opened(server) as backend:
            with pytest.raises(BackendOverloaded, match="The model is overloaded"):
                await streamed(backend)


class TestTools:
    async def test_calls_of_one_reply_go_back_together_with_their_signature(self, server: ChatServer) -> None:
        """Gemini 3 refuses them in turns, or without what it signed them with."""
        calls = tuple(ToolCall("", "weather", json.dumps({"city": city})) for city in ("Rome", "Oslo"))
        server.otherwise = lambda asked: GEMINI.say(Said(text="", tool_calls=calls), asked)
        tool = ToolSpec("weather", "Tells the weather.", {"type": "object", "properties": {}})

        async with opened(server) as backend:
            wish = await backend.complete(CompletionRequest(messages=HELLO.messages, tools=(tool,), sequence=4))
            chat = list(HELLO.messages)
            for call in wish.tool_calls:  # as an agent remembers them
                chat += (Message("assistant", "", (call,)), Message("tool", f"dry in {call.id}", (), call.id))
            again = await backend.complete(CompletionRequest(messages=tuple(chat), tools=(tool,), sequence=5))

        wished, told = server.asked[-1].body["contents"][1:]
        assert [part["functionCall"]["args"]["city"] for part in wished["parts"]] == ["Rome", "Oslo"]
        assert ["thoughtSignature" in part for part in wished["parts"]] == [True, False]
        assert [part["functionResponse"]["name"] for part in told["parts"]] == ["weather", "weather"]
        assert [call.id for call in wish.tool_calls] == [f"4.0:#{SIGNATURE}", "4.1"]
        assert again.tool_calls[0].id != wish.tool_calls[0].id

    @pytest.mark.parametrize(
        ("model", "signature"),
        [("gemini-2.5-flash", {}), ("gemini-3-pro", {"thoughtSignature": "skip_thought_signature_validator"})],
    )
    async def test_calls_of_another_services_model_are_understood(
        self, server: ChatServer, model: str, signature: dict[str, str]
    ) -> None:
        server.otherwise = lambda asked: Reply(body=reply({"text": "Dry."}).body)
        chat = (
            *HELLO.messages,
            Message("assistant", "Let me see.", (ToolCall("call_1", "weather", "not JSON"),)),
            Message("tool", "dry", tool_call_id="call_1"),
            Message("tool", "of a call that nobody knows", tool_call_id="call_2"),
        )

        async with opened(server) as backend:
            await backend.complete(CompletionRequest(messages=chat, model=model))

        roles = [content["role"] for content in server.asked[-1].body["contents"]]
        assert roles == ["user", "model", "user"]
        wished = server.asked[-1].body["contents"][1]["parts"][1]
        assert wished == {"functionCall": {"name": "weather", "args": {}}, **signature}


class TestRequests:
    @pytest.mark.parametrize(
        ("model", "think", "sent"),
        [
            ("gemini-2.5-flash", True, {"include_thoughts": True}),
            ("gemini-2.5-flash", False, {"thinking_budget": 0}),
            ("models/gemini-2.5-pro", "low", {"include_thoughts": True, "thinking_budget": 1024}),
            ("gemini-3-flash", "high", {"include_thoughts": True, "thinking_level": "HIGH"}),
            ("gemini-3-flash", False, {"thinking_level": "MINIMAL"}),
        ],
    )
    async def test_how_much_to_think_is_said_as_the_model_knows_it(
        self, server: ChatServer, model: str, think: Think, sent: object
    ) -> None:
        server.script.append(reply({"text": "Hi."}))

        async with opened(server) as backend:
            await backend.complete(CompletionRequest(messages=HELLO.messages, model=model, think=think))

        assert server.asked[-1].body["generationConfig"]["thinkingConfig"] == sent

    async def test_whatever_the_package_knows_goes_through_and_a_request_goes_before_the_defaults(
        self, server: ChatServer
    ) -> None:
        server.script.append(reply({"text": "Hi."}))
        harm = {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}
        extra = {"top_k": 4, "safety_settings": [harm], "labels": {"team": "a"}, "logprobs": 3}
        parameters = Parameters(extra=extra, temperature=0.0, presence_penalty=0.5, frequency_penalty=-0.5)

        async with opened(server, defaults=Parameters(temperature=1.0, extra={"top_k": 9})) as backend:
            await backend.complete(CompletionRequest(messages=HELLO.messages, parameters=parameters))

        body = server.asked[-1].body
        assert body["safetySettings"] == [harm]
        assert body["generationConfig"] == {
            "temperature": 0.0,
            "topK": 4.0,
            "responseLogprobs": True,
            "logprobs": 3,
            "presencePenalty": 0.5,
            "frequencyPenalty": -0.5,
        }

    @pytest.mark.parametrize("name", ["topk", "stop_sequences", "http_options"])
    async def test_what_it_does_not_know_or_says_in_other_words_is_refused(self, server: ChatServer, name: str) -> None:
        async with opened(server) as backend:
            with pytest.raises(ParameterUnknown, match=name):
                asked = Parameters(extra={name: 1})
                await backend.complete(CompletionRequest(messages=HELLO.messages, parameters=asked))

        with pytest.raises(ParameterUnknown, match=name):
            await GoogleBackend("m", api_key=KEY, defaults=Parameters(extra={name: 1})).open()
        assert server.asked == []

    @pytest.mark.parametrize("extra", [{"top_k": "many"}, {"routing_config": {"auto_mode": {}}}])
    async def test_what_cannot_be_sent_is_refused_in_one_line(
        self, server: ChatServer, extra: dict[str, object]
    ) -> None:
        request = CompletionRequest(messages=HELLO.messages, parameters=Parameters(extra=extra))

        async with opened(server) as backend:
            with pytest.raises(BackendRefused, match="cannot be written") as caught:
                await backend.complete(request)
            with pytest.raises(BackendRefused, match="cannot be written"):
                await streamed(backend, request)

        assert "\n" not in str(caught.value)
        assert server.asked == []

    async def test_a_redirect_is_not_followed_for_the_key_would_go_with_it(self, server: ChatServer) -> None:
        server.script.append(Reply(status=307, headers={"Location": f"{server.address}/elsewhere"}))

        async with opened(server) as backend:
            with pytest.raises(BackendRefused, match="redirects"):
                await backend.complete(HELLO)

        assert len(server.asked) == 1

    @pytest.mark.parametrize("how", ["header", "details", "list"])
    async def test_the_time_to_stay_away_is_found_wherever_it_stands(self, server: ChatServer, how: str) -> None:
        refusal = GEMINI.fail(429, "Quota exceeded.", 37.5)
        if how == "header":
            refusal = Reply(status=429, body=GEMINI.fail(429, "Quota exceeded.").body, headers={"Retry-After": "37.5"})
        elif how == "list":
            refusal = Reply(status=429, body=b"[%s]" % refusal.body)
        server.script.append(refusal)

        async with opened(server) as backend:
            with pytest.raises(BackendOverloaded, match=r"HTTP 429: Quota exceeded\.") as caught:
                await backend.complete(HELLO)

        assert caught.value.retry_after_s == 37.5


class TestSettings:
    @pytest.mark.parametrize("variable", ["GEMINI_API_KEY", "GOOGLE_API_KEY"])
    async def test_the_key_comes_from_the_environment(
        self, server: ChatServer, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        monkeypatch.setenv(variable, KEY)
        server.script.append(reply({"text": "Hi."}))

        async with opened(server, api_key=None, headers={"X-Team": "a"}) as backend:
            await backend.complete(HELLO)

        asked = server.asked[0]
        assert (asked.headers["x-goog-api-key"], asked.headers["X-Team"]) == (KEY, "a")
        assert asked.path == "/v1beta/models/m:generateContent"

    async def test_without_a_key_it_says_which_to_set(self) -> None:
        with pytest.raises(KeyMissing, match="GEMINI_API_KEY"):
            await backend_named("google:gemini-2.5-flash").open()

    async def test_vertex_ai_is_asked_in_the_projects_name(
        self, server: ChatServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
        monkeypatch.setenv("GEMINI_API_KEY", "not-for-vertex")
        server.script += [reply({"text": "Hi."}), Reply(chunks=(piece(json.loads(reply({"text": "Ho."}).body)),))]
        credentials: Any = Credentials(token="token-of-a-user")  # type: ignore[no-untyped-call]

        async with opened(
            server, api_key=None, project="p", location="europe-west4", credentials=credentials
        ) as backend:
            whole = await backend.complete(HELLO)
            pieces = await streamed(backend)

        assert (whole.text, pieces[0]) == ("Hi.", "Ho.")
        asked = server.asked[0]
        assert asked.headers["Authorization"] == "Bearer token-of-a-user"
        assert asked.path == "/v1beta1/projects/p/locations/europe-west4/publishers/google/models/m:generateContent"

    async def test_vertex_ai_without_credentials_says_how_to_get_some(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))

        with pytest.raises(SetupError, match="gcloud auth application-default login"):
            await GoogleBackend("m", vertexai=True).open()

    async def test_settings_that_do_not_fit_are_one_clear_line(self) -> None:
        with pytest.raises(SetupError, match="does not support project/location"):
            await GoogleBackend("m", api_key=KEY, project="p").open()

    async def test_importing_it_imports_nothing_of_googles(self) -> None:
        code = (
            "import sys, playact.backends.google; sys.exit('google.genai' in sys.modules or 'aiohttp' in sys.modules)"
        )
        process = await create_subprocess_exec(sys.executable, "-c", code, stderr=PIPE)

        assert await process.wait() == 0
