"""Chat completions through the openai package: for what only it can do, at several times the cost of the fast wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import openai

from ..engine.completion import Completion
from ..engine.errors import BackendError, BackendUnavailable, ReplyInvalid
from .chat_wire import completion_of, error_of

__all__ = ["SdkTransport"]

_NO_KEY = "none"  # the package insists on a key; an endpoint that wants none ignores it


class SdkTransport:
    """One client of the openai package, over its aiohttp transport where that is installed; it never retries."""

    def __init__(
        self, name: str, base_url: str, api_key: str | None, headers: Mapping[str, str], timeout_s: float
    ) -> None:
        self._name = name
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._client = openai.AsyncOpenAI(
            api_key=api_key or _NO_KEY,
            base_url=base_url,
            default_headers=dict(headers),
            timeout=timeout_s,
            max_retries=0,
            http_client=_http_client(),
        )

    async def post(self, body: Mapping[str, Any]) -> Completion:
        try:
            # `.post` skips the walk over request types that makes `create` slower with every turn of the history.
            reply = await self._client.post("/chat/completions", cast_to=dict[str, Any], body=body)
        except openai.APIStatusError as error:
            raise self._status_error(error) from error
        except openai.APITimeoutError as error:
            raise BackendUnavailable(self._name, f"no answer within {self._timeout_s:g} s") from error
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise BackendUnavailable(self._name, self._without_key(f"{type(cause).__name__}: {cause}")) from error
        except (openai.APIResponseValidationError, ValueError) as error:
            raise ReplyInvalid(self._name, "the reply is not JSON") from error
        return completion_of(reply, self._name)

    async def aclose(self) -> None:
        await self._client.close()

    def _status_error(self, error: openai.APIStatusError) -> BackendError:
        body = error.body if error.body is not None else error.response.text
        return error_of(
            error.status_code, error.response.headers, {"error": body} if isinstance(body, dict) else body, self._name
        )

    def _without_key(self, text: str) -> str:
        return text.replace(self._api_key, "***") if self._api_key else text


def _http_client() -> Any:
    try:
        return openai.DefaultAioHttpClient()
    except (AttributeError, ImportError, RuntimeError):
        return openai.DefaultAsyncHttpxClient()
