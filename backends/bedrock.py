"""Amazon Bedrock: its models over Converse and ConverseStream, through the `aioboto3` package."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio

from ..engine.completion import Capabilities, Completion, CompletionRequest, Delta, Parameters
from ..engine.description import Description, absent
from ..engine.errors import (
    BackendError,
    BackendRefused,
    BackendUnavailable,
    ExtraMissing,
    PlayactError,
    ReplyInvalid,
    SetupError,
)
from .bedrock_reply import Gathered, completion_of
from .bedrock_wire import OWNED, arguments_of
from .open_calls import OpenCalls
from .parameters import refuse_unknown

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient

__all__ = ["BedrockBackend"]

T = TypeVar("T")

_NO_DEFAULTS = Parameters()
_CONNECT_S = 30.0
_SAY_REGION = "say which AWS region: set AWS_REGION, or `region` in the profile"
_SAY_CREDENTIALS = (
    "no AWS credentials were found: run `aws configure` or `aws sso login`, or set AWS_PROFILE, "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_BEARER_TOKEN_BEDROCK"
)


class BedrockBackend:
    """Asks `model`, the id or ARN of a model or an inference profile; runs on asyncio.

    What is not given is found as AWS's own tools find it, once, when `open` runs: credentials, the profile by
    AWS_PROFILE, the region by AWS_REGION, AWS_DEFAULT_REGION or the profile, an endpoint of one's own by
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME. Credentials that run out are renewed where their source can.

    `defaults` hold for requests that say nothing else; `timeout_s` limits one call as a whole. `Parameters.extra` takes
    Converse's other arguments by their own names, such as `guardrailConfig`; what a model takes beyond those goes in
    `additionalModelRequestFields`. A schema is asked for as a tool that the model must use. `request.think` is said as
    Claude takes it, in `additionalModelRequestFields.thinking`, over which one of your own goes. Converse knows no
    seed, and no penalties: the former is left out, the latter are refused.
    """

    def __init__(
        self,
        model: str,
        *,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
        timeout_s: float = 300.0,
        in_flight: int | None = None,
        defaults: Parameters = _NO_DEFAULTS,
    ) -> None:
        if not model:
            raise SetupError(
                'aws needs the id of a model after a colon, as in "aws:anthropic.claude-3-5-sonnet-20240620-v1:0"'
            )
        self.name = f"aws:{model}"
        self.capabilities = Capabilities(
            in_flight=in_flight,
            max_tokens=defaults.max_tokens,
            tools=True,
            response_schema=True,
            thinking=True,
            streaming=True,
        )
        self._model = model
        self._region = region
        self._profile = profile
        self._endpoint_url = endpoint_url
        self._timeout_s = timeout_s
        self._defaults = defaults
        self._client: AioBaseClient | None = None
        self._known: frozenset[str] = frozenset()
        self._secrets: Sequence[str] = ()
        self._calls = OpenCalls(self.name, timeout_s)
        self._resources = AsyncExitStack()
        self._state = "not open yet"

    @classmethod
    def from_name(cls, name: str) -> Self:
        """The backend for a model's id, with everything else from AWS's own settings."""
        return cls(name)

    @classmethod
    def describe(cls) -> Description:
        """By the environment; what AWS's own files and the machine's role say shows when it is opened."""
        elsewhere = f"as profile {os.environ.get('AWS_PROFILE') or 'default'} says"
        has_key = os.environ.get("AWS_BEARER_TOKEN_BEDROCK") or os.environ.get("AWS_ACCESS_KEY_ID")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        return Description(
            extra="aws",
            missing=absent("aioboto3"),
            facts={"region": region or elsewhere, "key": "set" if has_key else elsewhere},
        )

    @property
    def defaults(self) -> Parameters:
        """How it samples where a request does not say so; a cache must know."""
        return self._defaults

    async def open(self) -> None:
        """Finds credentials, for which AWS may have to be asked, and the region. Does not connect to Bedrock yet.

        Raises `ExtraMissing`, `ParameterUnknown` for a default that Converse does not know, and `SetupError` when there
        are no credentials, there is no region or no such profile, or the event loop is not asyncio's.
        """
        if self._client is not None:
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError as error:
            raise SetupError(f"{self.name} runs on asyncio only; start the run with asyncio") from error
        try:  # not at the top: it takes a second, and whoever only lists the backends need not have it
            from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

            client = await self._new_client()
        except ModuleNotFoundError as error:
            raise ExtraMissing("aws", "aws", (error.name or "aioboto3").partition(".")[0]) from error
        except ImportError as error:  # it is here, and something it needs is not
            raise SetupError(f"{self.name} cannot be loaded: {error}") from error
        except NoRegionError as error:
            raise SetupError(f"{self.name}: {_SAY_REGION}") from error
        except (
            BotoCoreError,
            ClientError,
            ValueError,
        ) as error:  # no such profile, no such role, an endpoint that is none
            raise SetupError(f"{self.name}: {error}") from error
        operation = client.meta.service_model.operation_model("Converse")
        self._known = frozenset(operation.input_shape.members) - OWNED
        self._refuse_unknown(self._defaults)
        self._client, self._state = client, "open"
        self._calls = OpenCalls(self.name, self._timeout_s)

    async def complete(self, request: CompletionRequest) -> Completion:
        """One call, never retried. Raises `PlayactError` unless the backend is open."""
        client, arguments = self._asked(request)
        reply = await self._at_edge(self._calls.deadline(), partial(client.converse, **arguments))
        try:
            return completion_of(reply, request.response_schema)
        except ValueError as error:
            raise self._invalid(error) from error

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        """As `complete`. A stream that ends before the service has said why counts as cut."""
        client, arguments = self._asked(request)
        gathered, deadline = Gathered(request.response_schema), self._calls.deadline()
        answer = await self._at_edge(deadline, partial(client.converse_stream, **arguments))
        stream = answer["stream"]
        events = aiter(stream)
        try:
            while (event := await self._at_edge(deadline, partial(anext, events, None))) is not None:
                delta = gathered.take(event)
                if delta.text or delta.thinking:
                    yield delta
            if not gathered.is_whole:
                raise BackendUnavailable(self.name, "the reply broke off before its end")
            completion = gathered.completion()
            yield Delta("" if request.response_schema is None else completion.text, completion=completion)
        except ValueError as error:
            raise self._invalid(error) from error
        finally:
            stream.close()
            await _run_out(events)

    async def aclose(self) -> None:
        """Closes every connection; calls under way raise `BackendUnavailable`."""
        self._client, self._state = None, "closed"
        await self._calls.give_up()
        await self._resources.aclose()

    async def _new_client(self) -> AioBaseClient:
        import aioboto3
        from aiobotocore.config import AioConfig

        session = aioboto3.Session(
            region_name=self._region or os.environ.get("AWS_REGION") or None, profile_name=self._profile
        )
        credentials = await session.get_credentials()
        token = os.environ.get("AWS_BEARER_TOKEN_BEDROCK")
        if credentials is None and not token:
            raise SetupError(f"{self.name}: {_SAY_CREDENTIALS}")
        held = () if credentials is None else await credentials.get_frozen_credentials()
        self._secrets = [secret for secret in (token, *held[1:3]) if secret]  # the first is the key's name
        config = AioConfig(
            connect_timeout=min(_CONNECT_S, self._timeout_s),
            read_timeout=self._timeout_s,
            max_pool_connections=0,  # which aiohttp takes for no limit: only the scheduler holds calls back
            retries={"total_max_attempts": 1, "mode": "standard"},
        )
        client = session.client("bedrock-runtime", endpoint_url=self._endpoint_url, config=config)
        return await self._resources.enter_async_context(client)

    def _asked(self, request: CompletionRequest) -> tuple[AioBaseClient, dict[str, Any]]:
        if self._client is None:
            raise PlayactError(f"{self.name} is {self._state}; use it between open() and aclose()")
        self._refuse_unknown(request.parameters)
        try:
            return self._client, arguments_of(request, self._defaults, self._model)
        except (TypeError, ValueError) as error:
            raise BackendRefused(self.name, f"the request cannot be written as JSON: {error}") from error

    def _refuse_unknown(self, parameters: Parameters) -> None:
        penalties = {
            "frequency_penalty": parameters.frequency_penalty,
            "presence_penalty": parameters.presence_penalty,
        }
        given = {name: value for name, value in penalties.items() if value is not None}
        refuse_unknown(self.name, {**given, **parameters.extra}, self._known)

    async def _at_edge(self, deadline: float, call: Callable[[], Awaitable[T]]) -> T:
        """What the call brings; foreign errors become ours here.

        Ours are raised without the foreign ones behind them, which may repeat what a service said of our secrets.
        """
        from .bedrock_failure import failed_call  # by now what it needs is loaded

        try:
            with self._calls.until(deadline):
                return await call()
        except BackendError:
            raise
        except Exception as error:  # botocore lets through whatever a reply makes its parsers stumble over
            failure = failed_call(self.name, error, self._secrets)
        raise failure

    def _invalid(self, error: ValueError) -> ReplyInvalid:
        return ReplyInvalid(self.name, f"the reply is none of Converse: {error}")

    def __repr__(self) -> str:
        return f"<BedrockBackend {self.name} {self._state}>"


async def _run_out(events: AsyncGenerator[Any, None]) -> None:
    """Lets the package's generators end now that their response is closed, instead of whenever they are collected."""
    with anyio.CancelScope(shield=True), suppress(Exception):
        async for _ in events:
            pass
