"""One POST over a kept-alive connection: bytes go out, an `Answer` comes back, and what breaks is named.

No waiting for a turn, no redirects, no cookies, and no second try but one: see `HttpWire.post`.
"""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import Mapping
from contextvars import ContextVar

import aiohttp

from ..engine.errors import BackendError, BackendUnavailable, ReplyInvalid
from .http_answer import Answer

__all__ = ["HttpWire"]

_CONNECT_S = 30.0
_LARGEST_REPLY = 32 * 1024 * 1024
_LARGEST_WRITTEN_AT_ONCE = 1024 * 1024  # aiohttp warns of more


class HttpWire:
    """Posts to one address for one backend, over as many connections as there are calls at once.

    Needs a running asyncio loop. `headers` go with each call.
    """

    def __init__(self, backend: str, url: str, *, headers: Mapping[str, str], timeout_s: float) -> None:
        self._backend = backend
        self._url = aiohttp.client.URL(url)
        self._timeout_s = timeout_s
        self._dialled: ContextVar[list[aiohttp.AddrInfoType]] = ContextVar("dialled")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, socket_factory=self._dial),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, connect=_CONNECT_S),
        )

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer, whatever its status; cancelling closes the connection.

        A server may close a kept connection just as a request goes out on it (llama.cpp does so without a word); if
        nothing of a reply came, the request is sent once more at once. A connection made for this very request gets
        no second try. Raises `BackendUnavailable`, and `ReplyInvalid` for what is not HTTP or too large.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(body, headers)
        except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
            failure, cause = self._failure(error), _without_headers(error)
        raise failure from cause

    async def aclose(self) -> None:
        """Closes all connections; calls under way raise `BackendUnavailable`."""
        await self._session.close()

    async def _exchange(self, body: bytes, headers: Mapping[str, str] | None) -> Answer:
        dialled: list[aiohttp.AddrInfoType] = []
        self._dialled.set(dialled)
        try:
            response = await self._send(body, headers)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            if dialled or _reply_began(error) or self._session.closed:
                raise
            response = await self._send(body, headers)
        async with response:
            return Answer(response.status, response.headers, await self._read(response))

    async def _send(self, body: bytes, headers: Mapping[str, str] | None) -> aiohttp.ClientResponse:
        data = body if len(body) <= _LARGEST_WRITTEN_AT_ONCE else io.BytesIO(body)
        return await self._session.post(self._url, data=data, headers=headers, allow_redirects=False)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > _LARGEST_REPLY:
                raise ReplyInvalid(self._backend, f"the reply is larger than {_LARGEST_REPLY // 1024**2} MiB")
        return b"".join(chunks)

    def _dial(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """Makes a connection's socket, and so tells a new connection from a kept one, which aiohttp's errors do not."""
        self._dialled.get().append(address)
        family, kind, protocol, *_ = address
        return socket.socket(family, kind, protocol)

    def _failure(self, error: Exception) -> BackendError:
        match error:
            case _ if self._session.closed:
                return BackendUnavailable(self._backend, "the backend was closed during the call")
            case aiohttp.ConnectionTimeoutError():
                return BackendUnavailable(self._backend, f"no connection within {_CONNECT_S:g} s")
            case TimeoutError():
                return BackendUnavailable(self._backend, f"no reply within {self._timeout_s:g} s")
            case aiohttp.ClientConnectorError():
                return BackendUnavailable(
                    self._backend, f"cannot connect to {error.host}:{error.port}: {error.strerror}"
                )
            case aiohttp.ClientResponseError():
                return ReplyInvalid(self._backend, "the server does not answer in HTTP")
        return BackendUnavailable(self._backend, "the connection was cut before the reply was complete")

    def __repr__(self) -> str:
        return f"<HttpWire {self._url.origin()} {'closed' if self._session.closed else 'open'}>"


def _reply_began(error: aiohttp.ClientError) -> bool:
    """aiohttp puts the part of a reply's head that came, if any did, in place of the message."""
    return isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)
