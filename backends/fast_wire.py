"""Chat completions over aiohttp, at the least cost a call: one session, no limit on connections but the run's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from ..engine.completion import Completion
from ..engine.errors import BackendUnavailable, ReplyInvalid
from .chat_wire import completion_of, error_of

__all__ = ["FastTransport"]

_LARGEST_REPLY = 32 * 2**20
_CONNECT_TIMEOUT_S = 30.0


class FastTransport:
    """One session to one endpoint. Cancelling a call closes its connection, which gives it up on the other side too."""

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: str | None,
        headers: Mapping[str, str],
        timeout_s: float,
        *,
        keeps_connections: bool = True,
    ) -> None:
        self._name = name
        self._url = f"{base_url}/chat/completions"
        self._api_key = api_key
        self._timeout_s = timeout_s
        authorization = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=not keeps_connections),
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_TIMEOUT_S),
            headers={"Content-Type": "application/json", **authorization, **headers},
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "User-Agent"),
        )

    async def post(self, body: Mapping[str, Any]) -> Completion:
        data = orjson.dumps(body)
        try:
            status, headers, content = await self._exchange(data)
        except TimeoutError as error:
            raise BackendUnavailable(self._name, f"no answer within {self._timeout_s:g} s") from error
        except aiohttp.ClientError as error:
            raise BackendUnavailable(self._name, self._without_key(f"{type(error).__name__}: {error}")) from error
        try:
            reply = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            if status == 200:
                raise ReplyInvalid(self._name, "the reply is not JSON") from error
            reply = content.decode("utf-8", "replace")
        if status == 200:
            return completion_of(reply, self._name)
        failure = error_of(status, headers, reply, self._name)
        failure.reason = self._without_key(failure.reason)
        failure.args = (failure.args[0], failure.reason, *failure.args[2:])
        raise failure

    async def aclose(self) -> None:
        await self._session.close()

    async def _exchange(self, data: bytes) -> tuple[int, Mapping[str, str], bytes]:
        async with self._session.post(self._url, data=data, allow_redirects=False) as response:
            if (response.content_length or 0) > _LARGEST_REPLY:
                raise ReplyInvalid(self._name, f"the reply is larger than {_LARGEST_REPLY} bytes")
            if response.content_length is not None:
                return response.status, response.headers, await response.read()
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > _LARGEST_REPLY:
                    raise ReplyInvalid(self._name, f"the reply is larger than {_LARGEST_REPLY} bytes")
            return response.status, response.headers, bytes(content)

    def _without_key(self, text: str) -> str:
        return text.replace(self._api_key, "***") if self._api_key else text
