"""The way through the `openai` package: its client makes the call, our `HttpWire` carries it.

The package's own transports put no cap on a reply's size and do not tell a kept connection from a new one. So both
ways share one wire, and with it the headers, time limits, second tries and closing.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping

import httpx2
import openai

from .chat_reply import Json
from .chat_transport import STREAM_HEADERS, NotStreamed, is_event_stream
from .http_answer import Answer
from .http_stream import BodyStream
from .http_wire import HttpWire

__all__ = ["SdkTransport"]

_PLACEHOLDER = "none"  # the package wants a key, even where there is none; the wire knows the real one
_LEFT_TO_THE_WIRE = frozenset(("host", "content-length", "accept-encoding", "authorization"))
_UNDONE_BY_THE_WIRE = frozenset(("content-length", "content-encoding", "transfer-encoding"))
# No text within an event has a line of its own, so this is the stream's last word and nothing else.
_DONE = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\][\r\n]*$")
_LONGEST_DONE = 32


class SdkTransport:
    """Posts chat completions with an `openai.AsyncOpenAI` that never tries again, over a wire that it owns.

    Of the headers that the package would send, those `named` are left to the wire, which has its own.
    """

    def __init__(self, wire: HttpWire, *, base_url: str, named: Iterable[str]) -> None:
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=_PLACEHOLDER,
            http_client=httpx2.AsyncClient(transport=_OverWire(wire, _LEFT_TO_THE_WIRE.union(named)), trust_env=False),
            max_retries=0,
            timeout=None,
        )

    async def post(self, body: bytes) -> Answer:
        """The answer, whatever its status. Raises as `HttpWire.post` does."""
        try:
            response = await self._client.post("/chat/completions", cast_to=httpx2.Response, content=body)
        except openai.APIStatusError as error:
            response = error.response
        return _answer(response)

    async def events(self, body: bytes) -> AsyncGenerator[Json, None]:
        """As `Transport.events`."""
        failed: Answer | None = None
        try:
            stream = await self._client.post(
                "/chat/completions",
                cast_to=object,
                content=body,
                options={"headers": STREAM_HEADERS},
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )
        except openai.APIStatusError as error:
            failed = _answer(error.response)
        if failed is not None:
            raise NotStreamed(failed)  # not from the package's error, which repeats what the server said
        async with stream:
            if not is_event_stream(stream.response.headers.get("content-type", "")):
                await stream.response.aread()
                raise NotStreamed(_answer(stream.response))
            said: object = None
            try:
                async for event in stream:
                    yield event
            except openai.APIError as error:  # the package has read what the event says of an error
                said = error.body
            if said is not None:
                yield {"error": said}

    async def aclose(self) -> None:
        await self._client.close()


class _OverWire(httpx2.AsyncBaseTransport):
    def __init__(self, wire: HttpWire, left_to_the_wire: frozenset[str]) -> None:
        self._wire = wire
        self._left_to_the_wire = left_to_the_wire

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = {name: text for name, text in request.headers.items() if name not in self._left_to_the_wire}
        if headers.get("accept") == STREAM_HEADERS["accept"]:
            stream = await self._wire.stream(request.content, headers)
            if isinstance(stream, BodyStream):
                kept = _kept(stream.headers)
                return httpx2.Response(stream.status, headers=kept, stream=_Body(stream), request=request)
            answer = stream
        else:
            answer = await self._wire.post(request.content, headers)
        return httpx2.Response(answer.status, headers=_kept(answer.headers), content=answer.body, request=request)

    async def aclose(self) -> None:
        await self._wire.aclose()


class _Body(httpx2.AsyncByteStream):
    """The package takes the end of a body for the end of the stream, also where its last word has not come."""

    def __init__(self, stream: BodyStream) -> None:
        self._stream = stream
        self._may_be_cut = is_event_stream(stream.headers.get("content-type", ""))
        self._last = b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if not self._may_be_cut:
            yield (await self._stream.whole()).body
            return
        while piece := await self._stream.next():
            self._last = (self._last + piece)[-_LONGEST_DONE:]
            yield piece
        if not _DONE.search(self._last):
            raise self._stream.cut()

    async def aclose(self) -> None:
        self._stream.close()


def _answer(response: httpx2.Response) -> Answer:
    return Answer(response.status_code, response.headers, response.content)


def _kept(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, text) for name, text in headers.items() if name.lower() not in _UNDONE_BY_THE_WIRE]
