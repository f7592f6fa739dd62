"""One HTTP/1.1 connection, one request at a time: bytes out, an answer back, at a sixth of a general client's cost."""

from __future__ import annotations

import asyncio
from typing import cast

import httptools

from .http_answer import LARGEST_BODY, Answer, TooLarge
from .http_stream import BodyStream

__all__ = ["BrokenAnswer", "HttpConnection", "TooLarge"]

_LARGEST_HEAD = 256 * 1024


class BrokenAnswer(Exception):
    """What came back is not HTTP."""


class HttpConnection(asyncio.Protocol):
    """Made by an event loop's `create_connection`. `uses` counts the requests sent on it."""

    def __init__(self) -> None:
        self.uses = 0
        self.has_begun_to_answer = False
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._stream: BodyStream | None = None
        self._is_open = True
        self._begin()

    @property
    def is_open(self) -> bool:
        """Whether another request may be sent on it."""
        return self._is_open and not self._transport.is_closing()

    def send(self, request: bytes, stream: BodyStream | None = None) -> asyncio.Future[Answer]:
        """Sends a whole request. The answer fails with `ConnectionError`, `BrokenAnswer` or `TooLarge`.

        A successful answer goes to `stream`, if there is one, and is given as soon as its head is there.
        """
        self.uses += 1
        self.has_begun_to_answer = False
        self._answer = asyncio.get_running_loop().create_future()
        self._stream = stream
        self._transport.write(request)
        return self._answer

    def fail(self, error: Exception) -> None:
        """Gives up: whoever waits for the answer gets the error, the other side sees the connection close."""
        self._is_open = False
        self._transport.abort()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.end(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None and not self._is_streamed:  # nothing was asked: a server's farewell, or worse
            self._is_open = False
            self._transport.abort()
            return
        self.has_begun_to_answer = True
        self._head_size += 0 if self._has_head else len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            self.fail(error.__context__ if isinstance(error.__context__, TooLarge) else BrokenAnswer(str(error)))
        except httptools.HttpParserError as error:
            self.fail(BrokenAnswer(str(error)))
        if self._head_size > _LARGEST_HEAD and not self._has_head:
            self.fail(TooLarge())

    def connection_lost(self, error: Exception | None) -> None:
        self._is_open = False
        is_awaited = self._answer is not None or self._is_streamed
        if is_awaited and self._has_head and self._ends_with_the_connection and error is None:
            self.on_message_complete()
        self.fail(ConnectionResetError("the connection was closed"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._has_head = True
        if self._stream is not None:
            self._begin_stream(self._stream)

    def on_body(self, data: bytes) -> None:
        if self._stream is not None and self._is_streamed:
            self._stream.add(data)
            return
        self._body.append(data)
        self._body_size += len(data)
        if self._body_size > LARGEST_BODY:
            raise TooLarge

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # "go on" and the like; the answer itself is still to come
            self._begin()
            return
        if self._ends_with_the_connection or not self._parser.should_keep_alive():
            self._is_open = False
            self._transport.close()
        if self._is_streamed:
            stream, self._stream = self._stream, None
            if stream is not None:
                stream.end()
            self._begin()
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        answer, self._answer = self._answer, None
        if answer is None:  # more than was asked for
            self._is_open = False
        elif not answer.done():
            answer.set_result(Answer(status, self._headers, body))
        self._begin()

    @property
    def _ends_with_the_connection(self) -> bool:
        return "content-length" not in self._headers and "transfer-encoding" not in self._headers

    def _begin_stream(self, stream: BodyStream) -> None:
        status = self._parser.get_status_code()
        answer = self._answer
        if 200 <= status < 300 and answer is not None and not answer.done():
            self._is_streamed = True
            self._answer = None
            stream.begin(status, self._headers, self._transport)
            answer.set_result(Answer(status, self._headers, b""))

    def _begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._body_size = 0
        self._head_size = 0
        self._has_head = False
        self._is_streamed = False
