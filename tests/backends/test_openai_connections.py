"""Connections are kept, counted, given up and closed; a kept one that has died is replaced once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from playact.backends.openai import OpenAIBackend
from playact.engine.completion import CompletionRequest, Message
from playact.engine.errors import BackendUnavailable
from tests.backends.calls import HELLO, Opener, Transport, failure
from tests.servers.chat_server import Asked, ChatServer, Reply, say

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("no_task_is_left")]


async def test_one_connection_serves_call_after_call(server: ChatServer, opened: Opener) -> None:
    async with opened() as backend:
        for _ in range(5):
            await backend.complete(HELLO)

    assert server.connections == 1


async def test_connections_are_not_kept_when_told_so(server: ChatServer, opened: Opener) -> None:
    async with opened(keeps_connections=False) as backend:
        for _ in range(3):
            await backend.complete(HELLO)
        await server.until(lambda: server.open_connections == 0)

    assert server.connections == 3


async def test_sixty_four_calls_at_once_each_get_their_own_reply(server: ChatServer, opened: Opener) -> None:
    def echo(asked: Asked) -> Reply:
        return Reply(body=say(asked.body["messages"][-1]["content"]))

    server.otherwise = echo
    server.gate.clear()
    requests = [CompletionRequest(messages=(Message("user", f"I am {n}."),)) for n in range(64)]

    async with opened() as backend, asyncio.TaskGroup() as tasks:
        replies = [tasks.create_task(backend.complete(request)) for request in requests]
        await server.until(lambda: server.busy == 64)
        server.gate.set()

    assert [reply.result().text for reply in replies] == [f"I am {n}." for n in range(64)]
    assert server.connections == 64


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_kept_connection_that_was_closed_silently_is_survived(
    server: ChatServer, opened: Opener, how: Any
) -> None:
    server.script += [Reply(body=say("one")), Reply(breaks="before", how=how), Reply(body=say("two"))]

    async with opened() as backend:
        texts = [(await backend.complete(HELLO)).text for _ in range(2)]

    assert texts == ["one", "two"]
    assert server.connections == 2


async def test_the_second_try_is_the_last(server: ChatServer, opened: Opener) -> None:
    server.script.append(Reply(body=say()))
    server.otherwise = lambda asked: Reply(breaks="before")

    async with opened() as backend:
        await backend.complete(HELLO)
        error = await failure(backend)

    assert isinstance(error, BackendUnavailable)
    assert len(server.asked) == 3


async def test_a_reply_that_had_begun_is_not_asked_for_again(server: ChatServer, opened: Opener) -> None:
    server.script += [Reply(body=say()), Reply(body=say(), breaks="midway")]

    async with opened() as backend:
        await backend.complete(HELLO)
        assert isinstance(await failure(backend), BackendUnavailable)

    assert len(server.asked) == 2


async def test_a_head_that_had_begun_is_not_asked_for_again_either(transport: Transport) -> None:
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        for reply in (
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(say()), say()),
            b"HTTP/1.1 200 OK\r\nCon",
        ):
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
            asked += 1
            writer.write(reply)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        backend = OpenAIBackend("m", base_url=f"http://{host}:{port}", transport=transport)
        await backend.open()
        await backend.complete(HELLO)
        assert isinstance(await failure(backend), BackendUnavailable)
        await backend.aclose()

    assert asked == 2


@pytest.mark.parametrize("breaks", ["before", "midway"])
async def test_cancelling_a_call_aborts_it_on_the_server(server: ChatServer, opened: Opener, breaks: Any) -> None:
    server.script.append(Reply(body=say(), breaks=breaks, how="hang"))

    async with opened() as backend:
        call = asyncio.ensure_future(backend.complete(HELLO))
        await server.until(lambda: server.hanging == 1)
        call.cancel()
        await server.until(lambda: server.aborted == 1)

        with pytest.raises(asyncio.CancelledError):
            await call
        assert server.open_connections == 0


@pytest.mark.parametrize("breaks", ["before", "midway"])
async def test_closing_ends_the_calls_under_way(server: ChatServer, opened: Opener, breaks: Any) -> None:
    server.otherwise = lambda asked: Reply(body=say(), breaks=breaks, how="hang")

    async with opened() as backend:
        calls = [asyncio.ensure_future(failure(backend)) for _ in range(8)]
        await server.until(lambda: server.hanging == 8)
        await backend.aclose()
        errors = [await call for call in calls]
        await server.until(lambda: server.aborted == 8)

    assert {type(error) for error in errors} == {BackendUnavailable}
    assert {error.reason for error in errors} == {"the backend was closed during the call"}


async def test_closing_does_not_wait_for_a_server_that_stopped_reading(transport: Transport) -> None:
    reached, left = asyncio.Event(), asyncio.Event()

    async def stare(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()  # a stream reads 128 KiB ahead, and no more until it is asked
        await left.wait()
        writer.transport.abort()

    async with await asyncio.start_server(stare, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        backend = OpenAIBackend("m", base_url=f"http://{host}:{port}", transport=transport)
        await backend.open()
        long = CompletionRequest(messages=(Message("user", "word " * 4_000_000),))
        call = asyncio.ensure_future(failure(backend, long))
        await reached.wait()
        async with asyncio.timeout(2):
            await backend.aclose()
            error = await call
        left.set()

    assert isinstance(error, BackendUnavailable)
