"""How a body gets to a chat endpoint, and its answer back: whole, or as the events of a stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

import orjson

from .chat_reply import Json
from .http_answer import Answer
from .http_wire import HttpWire
from .sse import EventReader

__all__ = ["STREAM_HEADERS", "FastTransport", "NotStreamed", "Transport", "is_event_stream"]


STREAM_HEADERS = {"accept": "text/event-stream"}


class NotStreamed(Exception):
    """The answer is no stream: an error, or a reply as a whole from a server that has no streams."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Transport(Protocol):
    """Carries a body to the service and brings back its answer, of whatever status."""

    async def post(self, body: bytes) -> Answer: ...

    def events(self, body: bytes) -> AsyncGenerator[Json, None]:
        """The events of a streamed answer, until it says that it is done; closing it early closes the connection.

        Raises `NotStreamed`, `ValueError` for what is no JSON, `BackendUnavailable` when the stream is cut before its
        end, and as `post` does.
        """
        ...

    async def aclose(self) -> None: ...


class FastTransport(HttpWire):
    """Our own thin wire, and our own reader of events."""

    async def events(self, body: bytes) -> AsyncGenerator[Json, None]:
        stream = await self.stream(body, STREAM_HEADERS)
        if isinstance(stream, Answer):
            raise NotStreamed(stream)
        try:
            if not is_event_stream(stream.headers.get("content-type", "")):
                raise NotStreamed(await stream.whole())
            reader = EventReader()
            while piece := await stream.next():
                for data in reader.feed(piece):
                    if data == b"[DONE]":
                        await stream.farewell()
                        return
                    yield orjson.loads(data)
            if reader.rest() != [b"[DONE]"]:
                raise stream.cut()
        finally:
            stream.close()


def is_event_stream(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"
