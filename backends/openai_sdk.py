"""The way through the `openai` package: its client makes the call, our `HttpWire` carries it.

The package's own transports put no cap on a reply's size and do not tell a kept connection from a new one. So both
ways share one wire, and with it the headers, time limits, second tries and closing.
"""

from __future__ import annotations

from collections.abc import Iterable

import httpx2
import openai

from .http_answer import Answer
from .http_wire import HttpWire

__all__ = ["SdkTransport"]

_PLACEHOLDER = "none"  # the package wants a key, even where there is none; the wire knows the real one
_LEFT_TO_THE_WIRE = frozenset(("host", "content-length", "accept-encoding", "authorization"))
_UNDONE_BY_THE_WIRE = frozenset(("content-length", "content-encoding", "transfer-encoding"))


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
        return Answer(response.status_code, response.headers, response.content)

    async def aclose(self) -> None:
        await self._client.close()


class _OverWire(httpx2.AsyncBaseTransport):
    def __init__(self, wire: HttpWire, left_to_the_wire: frozenset[str]) -> None:
        self._wire = wire
        self._left_to_the_wire = left_to_the_wire

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = {name: text for name, text in request.headers.items() if name not in self._left_to_the_wire}
        answer = await self._wire.post(request.content, headers)
        kept = [(name, text) for name, text in answer.headers.items() if name.lower() not in _UNDONE_BY_THE_WIRE]
        return httpx2.Response(answer.status, headers=kept, content=answer.body, request=request)

    async def aclose(self) -> None:
        await self._wire.aclose()
