"""Posts bytes to one address and brings the answers back, over as many connections as there are calls at once.

It knows of no redirects, cookies, proxies or compression: what a chat endpoint is asked needs none of them, and each
would cost every call. There is no second try but one: see `HttpWire.post`.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping
from functools import partial
from urllib.parse import quote, urlsplit

from ..engine.errors import BackendError, BackendUnavailable, ReplyInvalid, SetupError
from .http_answer import Answer, presentable
from .http_connection import BrokenAnswer, HttpConnection, TooLarge
from .http_stream import BodyStream

__all__ = ["HttpWire"]

_CONNECT_S = 30.0
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_PLAIN = "/%:@!$&'()*+,;=?"  # what an address may have as it is; a percent sign is of what was quoted before


class HttpWire:
    """Needs a running asyncio loop. `headers` go with each call; `timeout_s` limits a call as a whole.

    With `keeps_connections` off each call has a connection of its own, for servers that close kept ones unannounced.
    Raises `SetupError` for a header that would break the request's form.
    """

    def __init__(
        self,
        backend: str,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout_s: float,
        keeps_connections: bool = True,
    ) -> None:
        address = urlsplit(url)
        is_secure = address.scheme == "https"
        self._backend = backend
        self._host = address.hostname or ""
        self._port = address.port or (443 if is_secure else 80)
        self._tls = ssl.create_default_context() if is_secure else None
        self._timeout_s = timeout_s
        self._keeps_connections = keeps_connections
        self._idle: list[HttpConnection] = []
        self._busy: set[HttpConnection] = set()
        self._addresses: list[str] = []
        self._look_up = asyncio.Lock()
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        target = quote(address.path + (f"?{address.query}" if address.query else ""), safe=_PLAIN)
        self._fixed = {"host": address.netloc, "connection": "keep-alive" if keeps_connections else "close"}
        self._line = f"POST {target} HTTP/1.1\r\n"
        self._headers = {"accept": "application/json", **headers, **self._fixed}
        self._head = self._written(self._headers)

    async def post(
        self, body: bytes, headers: Mapping[str, str] | None = None, stream: BodyStream | None = None
    ) -> Answer:
        """The answer, whatever its status; cancelling closes the connection.

        A server may close a kept connection just as a request goes out on it (llama.cpp does so without a word); if
        nothing of an answer came, the request is sent once more at once, on a new connection. Raises
        `BackendUnavailable`, and `ReplyInvalid` for what is not HTTP or too large. `stream`: see that method.
        """
        head = self._head if headers is None else self._written({**self._headers, **headers, **self._fixed})
        request = b"%scontent-length: %d\r\n\r\n%s" % (head, len(body), body)
        until = self._loop.time() + self._timeout_s
        try:
            connection = self._kept() or await self._connected(until)
            try:
                return await self._exchange(connection, request, until, stream)
            except ConnectionError:
                if connection.uses == 1 or connection.has_begun_to_answer or self._is_closed:
                    raise
            return await self._exchange(await self._connected(until), request, until, stream)
        except (OSError, BrokenAnswer, TooLarge) as error:
            raise self._failure(error) from error

    async def stream(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer | BodyStream:
        """As `post`, but a successful answer comes as soon as it begins, its body to be read and closed.

        The time limit goes on until then. Closing it before its end closes the connection.
        """
        stream = BodyStream(self._failure)
        answer = await self.post(body, headers, stream)
        return stream if stream.has_begun else answer

    async def aclose(self) -> None:
        """Closes all connections; calls under way raise `BackendUnavailable`."""
        self._is_closed = True
        for connection in (*self._idle, *self._busy):
            connection.fail(ConnectionAbortedError())
        self._idle.clear()
        await asyncio.sleep(0)  # lets the loop close the sockets

    def _kept(self) -> HttpConnection | None:
        while self._idle:
            connection = self._idle.pop()  # the last one used: the others may then grow old and be closed
            if connection.is_open:
                return connection
        return None

    async def _exchange(
        self, connection: HttpConnection, request: bytes, until: float, stream: BodyStream | None
    ) -> Answer:
        if self._is_closed:
            connection.fail(ConnectionAbortedError())
            raise ConnectionAbortedError
        self._busy.add(connection)
        answer = connection.send(request, stream)
        limit = self._loop.call_at(until, connection.fail, TimeoutError())
        goes_on = False
        try:
            reply = await answer
            if stream is not None and stream.has_begun:
                goes_on = True
                stream.when_closed(partial(self._let_go, connection, limit, stream))
            return reply  # noqa: TRY300  # on the hot path, and the same
        except asyncio.CancelledError:
            connection.fail(ConnectionAbortedError())
            raise
        finally:
            if not goes_on:
                limit.cancel()
                self._busy.discard(connection)
                if self._keeps_connections and connection.is_open and not self._is_closed:
                    self._idle.append(connection)

    def _let_go(self, connection: HttpConnection, limit: asyncio.TimerHandle, stream: BodyStream) -> None:
        """The stream is closed."""
        if not stream.is_over:
            connection.fail(ConnectionAbortedError())
        limit.cancel()
        self._busy.discard(connection)
        if self._keeps_connections and connection.is_open and not self._is_closed:
            self._idle.append(connection)

    async def _connected(self, until: float) -> HttpConnection:
        """A new connection, to the first of the host's addresses that answers; each has its share of the time."""
        failure: OSError | None = None
        addresses = await self._resolved()
        limit_s = min(_CONNECT_S, until - self._loop.time()) / max(len(addresses), 1)
        for address in addresses:
            try:
                async with asyncio.timeout(limit_s):
                    return await self._connect(address)
            except OSError as error:
                failure = error
        self._addresses = []  # the service may have moved: look it up again the next time
        if isinstance(failure, TimeoutError):
            failure = ConnectionRefusedError(f"no connection within {limit_s:.3g} s")
        raise failure or ConnectionRefusedError("the host has no address")

    async def _connect(self, address: str) -> HttpConnection:
        name = self._host if self._tls else None
        _, connection = await self._loop.create_connection(
            HttpConnection, address, self._port, ssl=self._tls, server_hostname=name
        )
        return connection

    async def _resolved(self) -> list[str]:
        """The host's addresses, looked up once for all connections."""
        async with self._look_up:
            if not self._addresses:
                found = await self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                self._addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        return self._addresses

    def _written(self, headers: Mapping[str, str]) -> bytes:
        for name, value in headers.items():
            if not _VALUE.fullmatch(value) or not _TOKEN.fullmatch(name):
                raise SetupError(f"{self._backend}: the header {name!r} has a character that no header may have")
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return (self._line + lines).encode("ascii")

    def _failure(self, error: Exception) -> BackendError:
        match error:
            case _ if self._is_closed:
                return BackendUnavailable(self._backend, "the backend was closed during the call")
            case TimeoutError():
                return BackendUnavailable(self._backend, f"no reply within {self._timeout_s:g} s")
            case TooLarge():
                return ReplyInvalid(self._backend, f"the reply is {error}")
            case BrokenAnswer():
                return ReplyInvalid(self._backend, "the server does not answer in HTTP")
            case ConnectionResetError() | BrokenPipeError():
                return BackendUnavailable(self._backend, "the connection was cut before the reply was complete")
        place = f"{self._host}:{self._port}"
        return BackendUnavailable(
            self._backend, presentable(f"cannot connect to {place}: {error}"), may_have_cost=False
        )

    def __repr__(self) -> str:
        return f"<HttpWire {self._host}:{self._port} {'closed' if self._is_closed else 'open'}>"
