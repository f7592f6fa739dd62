"""Any endpoint that speaks OpenAI's chat completions: OpenAI itself, vLLM's server, llama.cpp's, and many more."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal, Protocol, Self

from ..engine.completion import Capabilities, Completion, CompletionRequest, Parameters
from ..engine.errors import ExtraMissing, KeyMissing, PlayactError, SetupError
from .chat_wire import body_of

__all__ = ["OpenAIBackend", "Transport"]

_VENDOR_URL = "https://api.openai.com/v1"


class Transport(Protocol):
    """Carries one body to the endpoint and brings the completion back, or raises the error that it means."""

    async def post(self, body: Mapping[str, Any]) -> Completion: ...

    async def aclose(self) -> None: ...


class OpenAIBackend:
    """Chat completions over HTTP.

    base_url, api_key: by default what OPENAI_BASE_URL and OPENAI_API_KEY say when it is opened; OPENAI_ORG_ID and
        OPENAI_PROJECT_ID are sent along. An endpoint other than the vendor's may go without a key.
    timeout_s: for a whole call.
    transport: "fast" is our own way over aiohttp; "sdk" goes through the openai package, at several times the cost.
    in_flight: the most calls at once; None leaves it to the endpoint to refuse.
    defaults: parameters for requests that do not say otherwise.
    keeps_connections: whether connections are used again; off for servers that close them without a word.
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
        defaults: Parameters | None = None,
        headers: Mapping[str, str] | None = None,
        keeps_connections: bool = True,
        label: str = "openai",
    ) -> None:
        if not model:
            raise SetupError(f'{label} needs the name of a model, as in "{label}:gpt-4.1"')
        self.name = f"{label}:{model}"
        self.capabilities = Capabilities(
            in_flight=in_flight, tools=True, response_schema=True, seed=True, thinking=True
        )
        self._model = model
        self._base_url = base_url
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._kind = transport
        self._defaults = defaults or Parameters()
        self._keeps_connections = keeps_connections
        self._headers = dict(headers or {})
        self._transport: Transport | None = None

    @classmethod
    def from_name(cls, name: str) -> Self:
        """The backend of "openai:NAME"."""
        return cls(name)

    async def open(self) -> None:
        """Raises `KeyMissing`, `ExtraMissing` for packages that are not installed, `SetupError` for a wrong URL."""
        if self._transport is not None:
            return
        base_url = (self._base_url or os.environ.get("OPENAI_BASE_URL") or _VENDOR_URL).rstrip("/")
        api_key = self._api_key or os.environ.get("OPENAI_API_KEY") or None
        if api_key is None and base_url == _VENDOR_URL:
            raise KeyMissing(self.name, "OPENAI_API_KEY")
        if not base_url.startswith(("http://", "https://")):
            raise SetupError(f"{self.name}: the base URL must begin with http:// or https://, not {base_url!r}")
        self._transport = self._made(base_url, api_key)

    async def complete(self, request: CompletionRequest) -> Completion:
        transport = self._transport
        if transport is None:
            raise PlayactError(f"{self.name} is not open")
        return await transport.post(body_of(request, self._model, self._defaults))

    async def aclose(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    def _made(self, base_url: str, api_key: str | None) -> Transport:
        headers = {
            name: value
            for name, variable in (("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID"))
            if (value := os.environ.get(variable))
        } | self._headers
        try:
            if self._kind == "sdk":
                from .openai_sdk import SdkTransport

                return SdkTransport(self.name, base_url, api_key, headers, self._timeout_s)
            from .fast_wire import FastTransport

            return FastTransport(
                self.name, base_url, api_key, headers, self._timeout_s, keeps_connections=self._keeps_connections
            )
        except ImportError as error:
            raise ExtraMissing(self.name, "openai", error.name or str(error)) from error

    def __repr__(self) -> str:
        return f"<OpenAIBackend {self.name} {self._kind} {'closed' if self._transport is None else 'open'}>"
