"""The `google-genai` package's client, used so that nothing happens behind our back, and its errors in our words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
from google import genai
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError
from google.genai import errors, types
from google.genai.models import AsyncModels

from ..engine.errors import (
    BackendError,
    BackendOverloaded,
    BackendRefused,
    BackendUnavailable,
    PlayactError,
    ReplyInvalid,
    SetupError,
)
from .http_answer import Answer, failure_of, presentable

__all__ = ["GoogleClient"]

T = TypeVar("T")
_LONGEST_ERROR = 2**20
_INSTEAD = "."  # the package wants a chat; ours is put in its place
_NO_CREDENTIALS = "needs Google Cloud credentials: run `gcloud auth application-default login`, or set GOOGLE_API_KEY"


@dataclass(slots=True)
class _Call:
    """One request under way: its answer, as soon as the headers are there."""

    response: aiohttp.ClientResponse | None = None


_CALL: ContextVar[_Call] = ContextVar("call")  # the package hands nothing through to the session


class GoogleClient:
    """Asks for content, whole or in pieces, each piece as the service's JSON. Never asks twice."""

    def __init__(self, backend: str, *, timeout_s: float) -> None:
        self.fields = frozenset(types.GenerateContentConfig.model_fields)
        self._backend = backend
        self._timeout_s = timeout_s
        self._secrets: tuple[str, ...] = ()
        self._under_way: set[asyncio.Timeout] = set()
        self._is_closed = False
        # Ours, so that an error is seen as it was sent, no call waits for a connection, and closing closes them all.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), trust_env=True, middlewares=(self._carry,)
        )
        self._client: genai.Client | None = None

    def set_up(self, *, base_url: str | None, api_version: str | None, headers: Mapping[str, str], **who: Any) -> None:
        """`who` is asking, as `genai.Client` wants to know it. Raises `SetupError` for settings that it will not take.

        The client is to be closed then too.
        """
        options = types.HttpOptions(
            base_url=base_url,
            api_version=api_version,
            headers=dict(headers),
            aiohttp_client=self._session,
            retry_options=types.HttpRetryOptions(attempts=1),  # without any it tries again after some errors
        )
        self._secrets = tuple(secret for secret in (who.get("api_key"), *headers.values()) if secret)
        try:
            self._client = genai.Client(http_options=options, **who)
        except DefaultCredentialsError as error:
            raise SetupError(f"{self._backend} {_NO_CREDENTIALS}") from error
        except ValueError as error:
            reason = presentable(str(error), self._secrets)
            raise SetupError(f"{self._backend} cannot be set up: {reason}") from error

    async def generate(self, model: str, body: dict[str, Any], config: dict[str, Any]) -> str:
        """The body of the answer; `body` is that of the request, to which the package adds what is in `config`."""
        # As it came: the package's reading of it would take longer than all the rest of a call.
        asked = _config(body, config) | {"should_return_http_response": True}
        work = self._models.generate_content(model=model, contents=_INSTEAD, config=asked)
        answer = await self._within(_Call(), self._deadline(), work)
        response = answer.sdk_http_response
        return "" if response is None else response.body or ""

    async def stream(
        self, model: str, body: dict[str, Any], config: dict[str, Any]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The pieces of the answer, as they come."""
        call, deadline = _Call(), self._deadline()
        opening = self._models.generate_content_stream(model=model, contents=_INSTEAD, config=_config(body, config))
        pieces: Any = await self._within(call, deadline, opening)
        try:
            while True:
                try:
                    piece = await self._within(call, deadline, anext(pieces))
                except StopAsyncIteration:
                    return
                yield piece.model_dump(mode="json", by_alias=True, exclude_none=True)
        finally:
            if call.response is not None:
                call.response.close()  # when left early: the package's own generators would let it run on a while
            await pieces.aclose()

    def invalid(self, reason: str) -> ReplyInvalid:
        return ReplyInvalid(self._backend, presentable(reason, self._secrets))

    async def aclose(self) -> None:
        """Ends the calls under way too."""
        self._is_closed = True
        for limit in self._under_way:
            limit.reschedule(0.0)  # whoever reads a body would wait for ever: aiohttp closes, and wakes no reader
        await self._session.close()
        if self._client is not None:
            self._client.close()
            await self._client.aio.aclose()

    @property
    def _models(self) -> AsyncModels:
        assert self._client is not None
        return self._client.aio.models

    def _unwritable(self, error: Exception) -> BackendRefused:
        return BackendRefused(
            self._backend, presentable(f"the request cannot be written as the service has it: {error}", self._secrets)
        )

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._timeout_s

    async def _within(self, call: _Call, deadline: float, work: Awaitable[T]) -> T:
        limit = asyncio.timeout_at(0.0 if self._is_closed else deadline)
        token = _CALL.set(call)
        self._under_way.add(limit)
        try:
            async with limit:
                return await work
        except (StopAsyncIteration, PlayactError):
            raise
        except TimeoutError as error:
            reason = "the backend was closed" if self._is_closed else f"no answer within {self._timeout_s:g} s"
            raise BackendUnavailable(self._backend, reason) from error
        except Exception as error:
            raise self._in_our_words(error, call) from error
        finally:
            self._under_way.discard(limit)
            _CALL.reset(token)

    async def _carry(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Sends a request of the package's; redirects are not followed, for the key would go with them."""
        response = await handler(request)
        if (call := _CALL.get(None)) is not None:
            call.response = response
        if not 200 <= response.status < 300:
            body = await response.content.read(_LONGEST_ERROR)
            response.close()
            raise self._failure(Answer(response.status, response.headers, body))
        return response

    def _failure(self, answer: Answer) -> BackendError:
        try:
            said = json.loads(answer.body)
        except (ValueError, RecursionError):
            said = None
        if isinstance(said, list) and len(said) == 1:  # as it is where a stream was asked for
            answer = answer._replace(body=json.dumps(said[0]).encode())
            said = said[0]
        error = failure_of(self._backend, answer, self._secrets)
        if isinstance(error, BackendOverloaded) and (delay_s := _retry_delay_s(said)) is not None:
            return BackendOverloaded(self._backend, error.reason, delay_s)
        return error

    def _in_our_words(self, error: Exception, call: _Call) -> PlayactError:
        match error:
            case errors.APIError():  # in the middle of a stream
                return self._failure(Answer(error.code or 500, {}, json.dumps(error.details).encode()))
            case DefaultCredentialsError():
                return SetupError(f"{self._backend} {_NO_CREDENTIALS}")
            case RefreshError():
                return BackendRefused(self._backend, presentable(f"the credentials are refused: {error}"))
            case aiohttp.ClientConnectorError() | GoogleAuthError():
                reason = presentable(str(error) or type(error).__name__, self._secrets)
                return BackendUnavailable(self._backend, reason, may_have_cost=False)
            case aiohttp.ClientError() | OSError() | RuntimeError():  # the last: the session is closed
                return BackendUnavailable(self._backend, presentable(f"{type(error).__name__}: {error}", self._secrets))
            case _ if call.response is None:
                return self._unwritable(error)
        return self.invalid(f"the reply is no answer of Gemini's: {error}")


def _config(body: dict[str, Any], config: dict[str, Any]) -> Any:  # a TypedDict of the package's
    """The package writes `body` as it is: its own writing of a chat takes 0.2 ms a message."""
    return config | {"http_options": {"extra_body": body}, "automatic_function_calling": {"disable": True}}


def _retry_delay_s(said: Any) -> float | None:
    """How long to stay away, where the details of an error say it, as "37s"."""
    try:
        for detail in said["error"]["details"]:
            if detail["@type"].endswith("RetryInfo"):
                return max(float(detail["retryDelay"].removesuffix("s")), 0.0)
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    return None
