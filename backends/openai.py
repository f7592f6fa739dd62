"""OpenAI, and every service and engine that speaks its chat completions: vLLM, llama.cpp, SGLang, OpenRouter, ..."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlsplit

from ..engine.completion import Capabilities, Completion, CompletionRequest, Delta, Parameters
from ..engine.description import Description, absent
from ..engine.errors import ExtraMissing, KeyMissing, PlayactError, SetupError
from .azure import AzureAccess

if TYPE_CHECKING:
    from .chat_transport import Transport
    from .chat_wire import ChatWire

__all__ = ["OpenAIBackend", "VENDORS_HOST", "host_of"]

_VENDOR = "https://api.openai.com/v1"
VENDORS_HOST = "api.openai.com"
_NO_SECRETS = frozenset(("content-type", "user-agent", "openai-organization", "openai-project"))
_ALWAYS = {"content-type": "application/json", "user-agent": "playact"}
_NO_DEFAULTS = Parameters()


class OpenAIBackend:
    """Asks `model` at an OpenAI-compatible endpoint; runs on asyncio.

    What is not given is read from the environment once, when `open` runs: OPENAI_BASE_URL, OPENAI_API_KEY,
    OPENAI_ORG_ID, OPENAI_PROJECT_ID. Only OpenAI itself must have a key; another server is sent one if one is set.
    `defaults` hold for requests that say nothing else, `headers` go with every call, `timeout_s` limits one call as a
    whole. `keeps_connections=False` is for servers that close kept ones without a word.

    With AZURE_OPENAI_ENDPOINT set, and neither OPENAI_BASE_URL nor OPENAI_API_KEY nor their parameters here, it is
    Azure's: `model` is a deployment there, the key is AZURE_OPENAI_API_KEY, and OPENAI_API_VERSION chooses a dated
    interface in the place of "v1".

    `request.think` is `reasoning_effort` for OpenAI's own models, True as "medium" and False as "none"; others hear it
    as `chat_template_kwargs.enable_thinking`, and a level as `reasoning_effort` besides. What `Parameters.extra` says
    goes first. `extra={"logprobs": True, "top_logprobs": 5}` asks for log-probabilities, of which the chosen tokens'
    are in the completion.

    `transport="sdk"` goes through the `openai` package: the same behaviour for several times the processor time.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 300.0,
        transport: Literal["fast", "sdk"] = "fast",
        in_flight: int | None = None,
        defaults: Parameters = _NO_DEFAULTS,
        headers: Mapping[str, str] | None = None,
        keeps_connections: bool = True,
        label: str = "openai",
    ) -> None:
        if not model:
            raise SetupError(f'{label} needs the name of a model after a colon, as in "openai:gpt-4.1"')
        self.name = f"{label}:{model}"
        self.capabilities = Capabilities(
            in_flight=in_flight,
            max_tokens=defaults.max_tokens,
            tools=True,
            response_schema=True,
            seed=True,
            thinking=True,
            streaming=True,
            logprobs=True,
        )
        self._model = model
        self._base_url = base_url
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._transport = transport
        self._defaults = defaults
        self._headers = {name.lower(): text for name, text in (headers or {}).items()}
        self._keeps_connections = keeps_connections
        self._wire: ChatWire | None = None
        self._state = "not open yet"

    @classmethod
    def from_name(cls, name: str) -> Self:
        """The backend for a model's name, with everything else from the environment."""
        return cls(name)

    @classmethod
    def describe(cls) -> Description:
        """By the environment. Raises `SetupError` for an address that is none."""
        azure = AzureAccess.told_by(os.environ)
        if azure is None:
            host = host_of(os.environ.get("OPENAI_BASE_URL") or _VENDOR, "openai")
            has_key, variable = bool(os.environ.get("OPENAI_API_KEY", "").strip()), "OPENAI_API_KEY"
        else:
            host = host_of(azure.endpoint, "openai", "AZURE_OPENAI_ENDPOINT")
            has_key, variable = bool(azure.headers), "AZURE_OPENAI_API_KEY"
        wants_key = not has_key and (azure is not None or host == VENDORS_HOST)
        return Description(
            extra="openai",
            missing=absent("httptools", "orjson"),
            facts={"host": host, "key": "set" if has_key else "not set"},
            wants=f"set {variable}" if wants_key else "",
        )

    @property
    def defaults(self) -> Parameters:
        """How it samples where a request does not say so; a cache must know."""
        return self._defaults

    async def open(self) -> None:
        """Connects to nothing yet: a wrong key or address shows at the first call.

        Raises `KeyMissing`, `ExtraMissing`, and `SetupError` for a base URL that is none or an event loop that is not
        asyncio's.
        """
        if self._wire is not None:
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError as error:
            raise SetupError(f"{self.name} runs on asyncio only; start the run with asyncio") from error
        self._wire = self._new_wire()
        self._state = "open"

    async def complete(self, request: CompletionRequest) -> Completion:
        """One call, never retried. Raises `PlayactError` unless the backend is open."""
        if self._wire is None:
            raise self._not_open()
        return await self._wire.complete(request)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        """As `complete`, while the reply comes; closing the generator early closes the connection."""
        if self._wire is None:
            raise self._not_open()
        async with aclosing(self._wire.stream(request)) as deltas:
            async for delta in deltas:
                yield delta

    async def aclose(self) -> None:
        """Closes every connection; calls under way raise `BackendUnavailable`."""
        wire, self._wire = self._wire, None
        self._state = "closed"
        if wire is not None:
            await wire.aclose()

    def _not_open(self) -> PlayactError:
        return PlayactError(f"{self.name} is {self._state}; use it between open() and aclose()")

    def _new_wire(self) -> ChatWire:
        azure = None if self._base_url or self._api_key else AzureAccess.told_by(os.environ)
        if azure is None:
            base_url = (self._base_url or os.environ.get("OPENAI_BASE_URL") or _VENDOR).rstrip("/")
            vendor = host_of(base_url, self.name) == VENDORS_HOST
            headers = self._all_headers()
        else:
            base_url, vendor = azure.base_url(self._model), True
            host_of(base_url, self.name, "AZURE_OPENAI_ENDPOINT")
            headers = {**_ALWAYS, **azure.headers, **self._headers}
        if vendor and not headers.keys() & {"authorization", "api-key"}:
            raise KeyMissing(self.name, "OPENAI_API_KEY" if azure is None else "AZURE_OPENAI_API_KEY")
        try:  # not at the top: whoever only lists the backends need not have these packages
            from .chat_wire import ChatWire

            transport = self._new_transport(base_url, "" if azure is None else azure.query, headers)
        except ModuleNotFoundError as error:
            raise ExtraMissing("openai", "openai", error.name or "openai") from error
        except ImportError as error:  # it is here, and something it needs is not
            raise SetupError(f"{self.name} cannot be loaded: {error}") from error
        secrets = [text.rpartition(" ")[2] for name, text in headers.items() if name not in _NO_SECRETS]
        return ChatWire(
            self.name,
            transport,
            model=self._model,
            defaults=self._defaults,
            vendor=vendor,
            has_one_model=azure is not None and azure.is_by_deployment,
            secrets=secrets,
        )

    def _all_headers(self) -> dict[str, str]:
        headers = dict(_ALWAYS)
        key = (self._api_key or os.environ.get("OPENAI_API_KEY") or "").strip()
        if key:
            headers["authorization"] = f"Bearer {key}"
        for name, variable in (("openai-organization", "OPENAI_ORG_ID"), ("openai-project", "OPENAI_PROJECT_ID")):
            if value := os.environ.get(variable):
                headers[name] = value
        return headers | self._headers

    def _new_transport(self, base_url: str, query: str, headers: Mapping[str, str]) -> Transport:
        from .chat_transport import FastTransport

        if self._transport == "sdk":
            from .openai_sdk import SdkTransport  # before the wire, which would stay open if this failed
        wire = FastTransport(
            self.name,
            f"{base_url}/chat/completions{query}",
            headers=headers,
            timeout_s=self._timeout_s,
            keeps_connections=self._keeps_connections,
        )
        return SdkTransport(wire, base_url=base_url, named=headers) if self._transport == "sdk" else wire

    def __repr__(self) -> str:
        return f"<OpenAIBackend {self.name} {self._state}>"


def host_of(base_url: str, name: str, variable: str = "OPENAI_BASE_URL") -> str:
    """The host; raises `SetupError` for what is no address of a web service."""
    try:
        address = urlsplit(base_url)
        is_good = address.scheme in ("http", "https") and "@" not in address.netloc and address.port != 0
        host = address.hostname
    except ValueError:  # a port that is none, a bracket that is not closed
        is_good, host = False, None
    if not is_good or not host:
        raise SetupError(f'{name} needs a base URL like "http://host:port/v1"; see {variable}')
    return host
