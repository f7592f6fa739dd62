"""Whatever goes wrong with a call has one name, says why in one line and never shows the key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from playact.backends.openai import OpenAIBackend
from playact.engine.errors import BackendOverloaded, BackendRefused, BackendUnavailable, ReplyInvalid
from tests.backends.calls import KEY, Opener, Transport, everything_shown_of, failure
from tests.servers.chat_server import ChatServer, Reply, fail, say

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("no_task_is_left")]


class TestFailuresAreNamed:
    @pytest.mark.parametrize(
        ("headers", "retry_after_s"),
        [({"Retry-After": "7"}, 7.0), ({"Retry-After-Ms": "250", "Retry-After": "7"}, 0.25), ({}, None)]
        + [({"Retry-After": said}, None) for said in ("soon", "nan", "inf")],
    )
    @pytest.mark.parametrize("status", [429, 503, 529])
    async def test_overload_says_when_to_come_back(
        self, server: ChatServer, opened: Opener, status: int, headers: dict[str, str], retry_after_s: float | None
    ) -> None:
        server.script.append(fail(status, "slow down", headers=headers))

        async with opened() as backend:
            error = await failure(backend)

        assert isinstance(error, BackendOverloaded)
        assert error.reason == f"HTTP {status}: slow down"
        assert error.retry_after_s == retry_after_s

    @pytest.mark.parametrize(("ahead_s", "least", "most"), [(60, 50, 60), (-60, 0, 0)])
    async def test_overload_may_give_a_date(
        self, server: ChatServer, opened: Opener, ahead_s: int, least: float, most: float
    ) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead_s), usegmt=True)
        server.script.append(fail(429, "slow down", headers={"Retry-After": date}))

        async with opened() as backend:
            error = await failure(backend)

        assert isinstance(error, BackendOverloaded)
        assert error.retry_after_s is not None
        assert least <= error.retry_after_s <= most

    async def test_a_quota_that_is_used_up_is_no_overload(self, server: ChatServer, opened: Opener) -> None:
        server.script.append(fail(429, "You exceeded your current quota.", code="insufficient_quota"))

        async with opened() as backend:
            error = await failure(backend)

        assert isinstance(error, BackendRefused)
        assert "quota" in error.reason

    @pytest.mark.parametrize("status", [408, 409, 500, 502, 504, 599])
    async def test_a_fault_of_the_server_is_worth_another_try(
        self, server: ChatServer, opened: Opener, status: int
    ) -> None:
        server.script.append(fail(status, "oh no"))

        async with opened() as backend:
            error = await failure(backend)

        assert isinstance(error, BackendUnavailable)
        assert len(server.asked) == 1

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (401, "Incorrect API key provided."),
            (404, "The model `m` does not exist."),
            (400, "temperature is too high"),
            (403, "not in your country"),
            (422, "bad tools"),
            (415, "Content-Type must be application/json"),
        ],
    )
    async def test_a_refusal_carries_the_servers_own_words(
        self, server: ChatServer, opened: Opener, status: int, message: str
    ) -> None:
        server.script.append(fail(status, message))

        async with opened() as backend:
            error = await failure(backend)

        assert isinstance(error, BackendRefused)
        assert str(error) == f"openai:m: HTTP {status}: {message}"

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b'{"error": "no such route"}', "HTTP 400: no such route"),
            (b'{"object": "error", "message": "too long", "code": 400}', "HTTP 400: too long"),
            (b'{"detail": "Not Found"}', "HTTP 400: Not Found"),
            (b"<html>\n <b>\x1b[31mBad</b>\n</html>", "HTTP 400: <html> <b> [31mBad</b> </html>"),
            (b"", "HTTP 400: Bad Request"),
            (b"[" * 5000, "HTTP 400: " + "[" * 289 + "…"),
        ],
    )
    async def test_errors_of_any_shape_become_one_short_line(
        self, server: ChatServer, opened: Opener, body: bytes, reason: str
    ) -> None:
        server.script.append(Reply(status=400, body=body))

        async with opened() as backend:
            assert (await failure(backend)).reason == reason

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"null",
            b"[]",
            b"{}",
            b'{"choices": []}',
            b'{"choices": {}}',
            b'{"choices": [{"message": 3}]}',
            b'{"error": {"message": "overloaded"}}',
            b"<html>welcome</html>",
            b'\xff\xfe"',
        ],
    )
    async def test_what_is_no_completion_is_invalid(self, server: ChatServer, opened: Opener, body: bytes) -> None:
        server.script.append(Reply(body=body))

        async with opened() as backend:
            assert isinstance(await failure(backend), ReplyInvalid)

    @pytest.mark.parametrize(
        "body",
        [
            say(3),  # type: ignore[arg-type]  # the wrong type is the point, as below
            say(usage={"prompt_tokens": "nine"}),
            say(usage=[1]),
            say(tool_calls=[{"function": {"name": 3}}]),
            say(tool_calls="call"),
            say(reasoning=["hm"]),
            say(finish=[]),  # type: ignore[arg-type]
        ],
    )
    async def test_a_completion_with_wrong_types_is_invalid(
        self, server: ChatServer, opened: Opener, body: bytes
    ) -> None:
        server.script.append(Reply(body=body))

        async with opened() as backend:
            assert isinstance(await failure(backend), ReplyInvalid)

    async def test_a_reply_beyond_measure_is_invalid(self, server: ChatServer, opened: Opener) -> None:
        server.script.append(Reply(body=say("a" * 33 * 1024**2)))

        async with opened() as backend:
            error = await failure(backend)

        assert isinstance(error, ReplyInvalid)
        assert "32 MiB" in error.reason

    async def test_a_redirect_is_not_followed(self, server: ChatServer, opened: Opener) -> None:
        async with ChatServer() as elsewhere, opened() as backend:
            location = f"{elsewhere.base_url}/chat/completions"
            server.script.append(Reply(status=307, headers={"Location": location}))
            error = await failure(backend)

            assert isinstance(error, BackendRefused)
            assert location in error.reason
            assert elsewhere.asked == []

    async def test_who_does_not_speak_http_is_invalid(self, transport: Transport) -> None:
        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"SSH-2.0-OpenSSH_9\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(babble, "127.0.0.1", 0) as babbler:
            host, port = babbler.sockets[0].getsockname()
            backend = OpenAIBackend("m", base_url=f"http://{host}:{port}", api_key=KEY, transport=transport)
            await backend.open()
            error = await failure(backend)
            await backend.aclose()

        assert isinstance(error, ReplyInvalid)
        assert KEY not in everything_shown_of(error)


class TestTheWayThereFails:
    @pytest.mark.parametrize("how", ["close", "reset"])
    @pytest.mark.parametrize("breaks", ["before", "midway"])
    async def test_a_cut_connection_is_unavailable_and_not_tried_again(
        self, server: ChatServer, opened: Opener, breaks: Any, how: Any
    ) -> None:
        server.script.append(Reply(body=say(), breaks=breaks, how=how))

        async with opened() as backend:
            error = await failure(backend)

        assert isinstance(error, BackendUnavailable)
        assert "cut" in error.reason
        assert len(server.asked) == 1

    @pytest.mark.parametrize("breaks", ["before", "midway"])
    async def test_a_server_that_hangs_is_unavailable_in_time(
        self, server: ChatServer, opened: Opener, breaks: Any
    ) -> None:
        server.script.append(Reply(body=say(), breaks=breaks, how="hang"))

        async with opened(timeout_s=0.1) as backend:
            error = await failure(backend)
            await server.until(lambda: server.aborted == 1)

        assert isinstance(error, BackendUnavailable)
        assert error.reason == "no reply within 0.1 s"

    @pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid"], ids=["refused", "unknown host"])
    async def test_a_server_that_is_not_there_is_unavailable(self, opened: Opener, host: str) -> None:
        async with opened(base_url=f"http://{host}/v1") as backend:
            error = await failure(backend)

        assert isinstance(error, BackendUnavailable)
        assert host.partition(":")[0] in error.reason


class TestTheKeyStaysSecret:
    @pytest.fixture(autouse=True)
    def _nothing_logs_it(self, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        caplog.set_level(logging.DEBUG)
        yield
        assert KEY not in caplog.text

    @pytest.mark.parametrize(
        "reply",
        [
            fail(401, f"Incorrect API key provided: {KEY}."),
            fail(500, "x" * 290 + KEY),
            Reply(status=400, body=f"no, {KEY} will not do".encode()),
            Reply(status=302, headers={"Location": f"https://elsewhere/?key={KEY}"}),
            Reply(body=f'{{"you": "{KEY}"}}'.encode()),
            Reply(body=f"not JSON, {KEY}".encode()),
            Reply(body=say(), breaks="before"),
            Reply(body=say(), breaks="midway", how="reset"),
            Reply(body=say(), breaks="before", how="hang"),
        ],
        ids=["401", "500 cut in the key", "text", "redirect", "no completion", "no JSON", "cut", "reset", "timeout"],
    )
    async def test_no_error_shows_it(self, server: ChatServer, opened: Opener, reply: Reply) -> None:
        server.script.append(reply)

        async with opened(timeout_s=0.2) as backend:
            error = await failure(backend)

            assert KEY not in everything_shown_of(error)
            assert KEY[:20] not in str(error)
            assert KEY not in repr(backend)

    async def test_a_server_that_is_not_there_does_not_bring_it_up(self, opened: Opener) -> None:
        async with opened(base_url="http://127.0.0.1:1") as backend:
            assert KEY not in everything_shown_of(await failure(backend))

    async def test_a_key_in_another_header_is_one_too(self, server: ChatServer, opened: Opener) -> None:
        server.script.append(fail(401, f"bad api-key {KEY}"))

        async with opened(api_key=None, headers={"api-key": KEY}) as backend:
            assert (await failure(backend)).reason == "HTTP 401: bad api-key ***"
