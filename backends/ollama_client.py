"""The way through the `ollama` package: its client makes the call and reads the reply, our `HttpWire` carries it.

The package's own transport manages a fifth of the calls a second at 64 at once, and loses when to come back.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress

import httpx
import ollama

from ..engine.errors import BackendError, BackendRefused, BackendUnavailable, ReplyInvalid
from .http_answer import Answer, failure_of
from .http_stream import BodyStream
from .http_wire import HttpWire

__all__ = ["OllamaClient"]

_LINES = "playact.lines"  # says that a reply is to be streamed, and where to
_JSON = {"content-type": "application/json"}
_LARGEST_LINE = 32 * 2**20
# The client's reading of lines stops at these as well, which a text may hold as they are.
_NO_LINE_ENDS = {ord(letter): f"\\u{ord(letter):04x}" for letter in "\u0085\u2028\u2029"}


class OllamaClient(ollama.AsyncClient):
    """An `ollama.AsyncClient` over a wire that it owns.

    A request's body goes as it is written: the package's `chat` would cut all but the outermost of a tool's schema
    (ollama-python's issue 724), and does not know every field that the server knows. Its calls raise our errors for
    what goes wrong on the way, and `ollama.ResponseError` for what goes wrong within a stream.
    """

    def __init__(self, backend: str, wire: HttpWire, *, address: str, secrets: Sequence[str]) -> None:
        self._backend = backend
        transport = _OverWire(backend, wire, secrets)
        # Without trust_env, or a proxy's transport would come before ours.
        super().__init__(address, transport=transport, trust_env=False, follow_redirects=False)

    async def chat_as_written(self, body: bytes) -> ollama.ChatResponse:
        return await self._request(ollama.ChatResponse, "POST", "/api/chat", content=body)

    async def chat_streamed(self, body: bytes) -> AsyncGenerator[ollama.ChatResponse, None]:
        """The pieces as they come. To be closed, also when it was not read to its end."""
        lines = _Lines(self._backend)
        pieces = await self._request(
            ollama.ChatResponse, "POST", "/api/chat", content=body, stream=True, extensions={_LINES: lines}
        )
        try:
            async for piece in pieces:
                yield piece
        finally:
            await lines.aclose()
            with suppress(Exception):  # the package's generators end now, instead of whenever they are collected
                async for _ in pieces:
                    pass

    async def aclose(self) -> None:
        """Closes the wire; calls under way raise `BackendUnavailable`."""
        await self._client.aclose()


class _OverWire(httpx.AsyncBaseTransport):
    def __init__(self, backend: str, wire: HttpWire, secrets: Sequence[str]) -> None:
        self._backend = backend
        self._wire = wire
        self._secrets = secrets

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            lines: _Lines | None = request.extensions.get(_LINES)
            ask = self._wire.post if lines is None else self._wire.stream
            answer = await ask(request.content)
        except BackendUnavailable as error:
            if error.may_have_cost:
                raise
            reason = f"{error.reason}; is Ollama running? start it with `ollama serve`, or set OLLAMA_HOST"
            raise BackendUnavailable(self._backend, reason, may_have_cost=False) from error
        if lines is not None and isinstance(answer, BodyStream):
            lines.begin(answer)
            return httpx.Response(answer.status, headers=_JSON, stream=lines, request=request)
        assert isinstance(answer, Answer)
        if not 200 <= answer.status < 300:
            raise self._failure(answer, request.content)
        return httpx.Response(answer.status, headers=_JSON, content=answer.body, request=request)

    async def aclose(self) -> None:
        await self._wire.aclose()

    def _failure(self, answer: Answer, body: bytes) -> BackendError:
        failure = failure_of(self._backend, answer, self._secrets)
        if answer.status == 404 and "not found" in failure.reason:
            model = json.loads(body)["model"]
            return BackendRefused(self._backend, f"{failure.reason}; get it with `ollama pull {model}`")
        return failure


class _Lines(httpx.AsyncByteStream):
    """A streamed body, line by line."""

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._body: BodyStream | None = None

    def begin(self, body: BodyStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert self._body is not None
        rest: list[bytes] = []  # not joined yet: a long line in many pieces would be copied for each
        size = 0
        while piece := await self._body.next():
            head, end, tail = piece.rpartition(b"\n")
            size += len(piece)
            if end:
                yield _in_one_line(b"".join((*rest, head, end)))
                rest, size = [tail], len(tail)
            else:
                rest.append(piece)
            if size > _LARGEST_LINE:
                raise ReplyInvalid(self._backend, f"a line of the reply is larger than {_LARGEST_LINE // 2**20} MiB")
        yield _in_one_line(b"".join(rest))

    async def aclose(self) -> None:
        if self._body is not None:
            self._body.close()


def _in_one_line(lines: bytes) -> bytes:
    if lines.isascii():
        return lines
    return lines.decode(errors="surrogateescape").translate(_NO_LINE_ENDS).encode(errors="surrogateescape")
