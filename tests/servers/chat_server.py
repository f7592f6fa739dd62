"""A real HTTP server on 127.0.0.1 that speaks chat completions, and misbehaves on demand, one request at a time."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from aiohttp import web

__all__ = ["Asked", "ChatServer", "Reply", "fail", "say"]

Breaks = Literal["never", "before", "midway"]
How = Literal["close", "reset", "hang"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server does with one request; it may break off before the reply or midway through its body.

    `chunks` is a body that is sent piece by piece, as streams are; it breaks off after half of the pieces.
    """

    body: bytes = b""
    chunks: tuple[bytes, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    latency_s: float = 0.0
    breaks: Breaks = "never"
    how: How = "close"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]  # JSON; tests know what they sent
    query: str = ""


def say(text: str | None = "Hello.", *, finish: str = "stop", usage: object = None, **message: object) -> bytes:
    """The body of a reply; `message` is added to what the assistant says."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
    reply = {"id": "chatcmpl-1", "object": "chat.completion", "model": "m-2026", "choices": [choice], "usage": usage}
    return json.dumps(reply).encode()


def fail(status: int, message: str, *, code: str | None = None, headers: Mapping[str, str] | None = None) -> Reply:
    """An error as OpenAI writes it."""
    body = {"error": {"message": message, "type": "error", "code": code}}
    return Reply(status=status, body=json.dumps(body).encode(), headers=headers or {})


class ChatServer:
    """Replies from `script`, in order, and by `otherwise` when that is used up.

    Counts `connections` ever made and those still open; requests `busy`, of them `hanging` for good, and those that the
    client `aborted`. While its `gate` is not set no reply goes out.
    """

    def __init__(self) -> None:
        self.script: deque[Reply] = deque()
        self.otherwise: Callable[[Asked], Reply] = lambda asked: Reply(body=say())
        self.asked: list[Asked] = []
        self.aborted = 0
        self.busy = 0
        self.hanging = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self._transports: list[asyncio.BaseTransport] = []
        self._server = web.Server(self._handle, handler_cancellation=True)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=0.1)
        self._address = ""

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port, *_ = self._runner.addresses[0]
        self._address = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._runner.cleanup()

    @property
    def address(self) -> str:
        return self._address

    @property
    def base_url(self) -> str:
        return f"{self._address}/v1"

    @property
    def connections(self) -> int:
        return len(self._transports)

    @property
    def open_connections(self) -> int:
        return len(self._server.connections)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits for what only the client's side of a connection can bring about, at most five seconds."""
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110  # aiohttp's server tells nobody when a connection goes
                await asyncio.sleep(0.002)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        if not any(transport is request.transport for transport in self._transports):
            self._transports.append(request.transport)
        self.busy += 1
        try:
            body = json.loads(await request.content.read())
            self.asked.append(Asked(request.path, request.headers, body, request.query_string))
            return await self._play(request, self.script.popleft() if self.script else self.otherwise(self.asked[-1]))
        except asyncio.CancelledError:
            self.aborted += 1
            raise
        finally:
            self.busy -= 1

    async def _play(self, request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
        await self.gate.wait()
        await asyncio.sleep(reply.latency_s)
        headers = {"Content-Type": "application/json", **reply.headers}
        if reply.breaks == "never" and not reply.chunks:
            return web.Response(body=reply.body, status=reply.status, headers=headers)
        response = web.StreamResponse(status=reply.status, headers=headers)
        if reply.chunks and reply.breaks != "before":
            await response.prepare(request)
            sent = reply.chunks if reply.breaks == "never" else reply.chunks[: len(reply.chunks) // 2]
            for chunk in sent:
                await response.write(chunk)
                await asyncio.sleep(0)  # so that each is a packet of its own
            if reply.breaks == "never":
                return response
        elif reply.breaks == "midway":
            response.content_length = len(reply.body)
            await response.prepare(request)
            await response.write(reply.body[: len(reply.body) // 2])
        await self._break_off(request, reply.how)
        return response

    async def _break_off(self, request: web.BaseRequest, how: How) -> None:
        assert isinstance(request.transport, asyncio.Transport)
        match how:
            case "close":
                request.transport.close()
            case "reset":
                request.transport.abort()
            case "hang":
                self.hanging += 1
                await asyncio.Event().wait()
