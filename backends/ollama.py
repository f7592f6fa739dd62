"""Ollama: models on this machine, on another, or at ollama.com, through the `ollama` package."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from ..engine.completion import Capabilities, Completion, CompletionRequest, Delta, Parameters
from ..engine.description import Description, absent
from ..engine.errors import (
    BackendError,
    BackendRefused,
    BackendUnavailable,
    ExtraMissing,
    KeyMissing,
    PlayactError,
    ReplyInvalid,
    SetupError,
)
from .http_answer import presentable
from .ollama_wire import FIELDS, Gathered, body_of
from .parameters import refuse_unknown

if TYPE_CHECKING:
    from .ollama_client import OllamaClient

__all__ = ["OllamaBackend", "address_of"]

_NO_DEFAULTS = Parameters()
_PORT = 11434
_CLOUD = "ollama.com"
_OPTIONS_NOT_OF_THE_PACKAGE = frozenset(("min_p",))  # the server has it all the same
# What the client stumbles over: other JSON, none, or too deep; pydantic's errors are ValueErrors.
_UNREADABLE = (AttributeError, RecursionError, TypeError, ValueError)


class OllamaBackend:
    """Asks `model`, such as "llama3.2:1b"; runs on asyncio.

    What is not given is read from the environment once, when `open` runs: OLLAMA_HOST, as "host", "host:port" or a URL,
    and OLLAMA_API_KEY, which only ollama.com must have. `defaults` hold for requests that say nothing else, `headers`
    go with every call, `timeout_s` limits one call as a whole, and loading the model is part of the first.

    `Parameters.extra` takes every option of Ollama by its own name, such as `num_ctx` or `repeat_penalty`, and
    `keep_alive`, `truncate`, `shift`, `logprobs` and `top_logprobs`.
    """

    def __init__(
        self,
        model: str,
        *,
        host: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 600.0,
        in_flight: int | None = None,
        defaults: Parameters = _NO_DEFAULTS,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not model:
            raise SetupError('ollama needs the name of a model after a colon, as in "ollama:llama3.2:1b"')
        self.name = f"ollama:{model}"
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
        self._host = host
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._defaults = defaults
        self._headers = {name.lower(): text for name, text in (headers or {}).items()}
        self._client: OllamaClient | None = None
        self._known: frozenset[str] = frozenset()
        self._secrets: tuple[str, ...] = ()
        self._state = "not open yet"

    @classmethod
    def from_name(cls, name: str) -> Self:
        """The backend for a model's name, which may hold colons, with everything else from the environment."""
        return cls(name)

    @classmethod
    def describe(cls) -> Description:
        """By the environment. Raises `SetupError` for a host that is none."""
        address = urlsplit(address_of(os.environ.get("OLLAMA_HOST") or "", "ollama"))
        has_key = bool(os.environ.get("OLLAMA_API_KEY", "").strip())
        return Description(
            extra="ollama",
            missing=absent("ollama", "httptools", "orjson"),
            facts={"host": f"{address.hostname}:{address.port}", "key": "set" if has_key else "not set"},
            wants="set OLLAMA_API_KEY" if address.hostname == _CLOUD and not has_key else "",
        )

    @property
    def defaults(self) -> Parameters:
        """How it samples where a request does not say so; a cache must know."""
        return self._defaults

    async def open(self) -> None:
        """Connects to nothing yet: whether the server is there shows at the first call.

        Raises `KeyMissing`, `ExtraMissing`, `ParameterUnknown` for a default that Ollama does not know, and
        `SetupError` for a host that is none or an event loop that is not asyncio's.
        """
        if self._client is not None:
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError as error:
            raise SetupError(f"{self.name} runs on asyncio only; start the run with asyncio") from error
        self._client = self._new_client()
        self._state = "open"

    async def complete(self, request: CompletionRequest) -> Completion:
        """One call, never retried. Raises `PlayactError` unless the backend is open."""
        client, body = self._asked(request, is_streamed=False)
        gathered = Gathered(request)
        try:
            gathered.take(await client.chat_as_written(body))
            failure = None
        except _UNREADABLE as error:
            failure = self._invalid(error)
        if failure is not None:
            raise failure  # not from the package's error, which repeats what the server said
        return gathered.completion()

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        """As `complete`. A stream that ends before the server has said that it is done counts as cut."""
        from ollama import ResponseError  # by now it is loaded

        client, body = self._asked(request, is_streamed=True)
        gathered = Gathered(request)
        failure: BackendError | None = None
        async with aclosing(client.chat_streamed(body)) as pieces:
            try:
                async for piece in pieces:
                    delta = gathered.take(piece)
                    if delta.text or delta.thinking:
                        yield delta
            except ResponseError as error:  # in place of a piece: the model failed while it spoke
                failure = BackendUnavailable(self.name, presentable(str(error.error), self._secrets))
            except _UNREADABLE as error:
                failure = self._invalid(error)
        if failure is None and not gathered.is_whole:
            failure = BackendUnavailable(self.name, "the reply broke off before its end")
        if failure is not None:
            raise failure
        yield Delta(completion=gathered.completion())

    async def aclose(self) -> None:
        """Closes every connection; calls under way raise `BackendUnavailable`."""
        client, self._client = self._client, None
        self._state = "closed"
        if client is not None:
            await client.aclose()

    def _asked(self, request: CompletionRequest, *, is_streamed: bool) -> tuple[OllamaClient, bytes]:
        import orjson  # by now it is loaded

        if self._client is None:
            raise PlayactError(f"{self.name} is {self._state}; use it between open() and aclose()")
        refuse_unknown(self.name, request.parameters.extra, self._known)
        body = body_of(request, self._defaults, self._model, is_streamed=is_streamed)
        try:
            return self._client, orjson.dumps(body, default=dict)  # a Mapping need not be a dict
        except orjson.JSONEncodeError as error:
            raise BackendRefused(self.name, f"the request cannot be written as JSON: {error}") from error

    def _new_client(self) -> OllamaClient:
        address = address_of(self._host or os.environ.get("OLLAMA_HOST") or "", self.name)
        headers = {"content-type": "application/json", "user-agent": "playact"}
        if key := (self._api_key or os.environ.get("OLLAMA_API_KEY") or "").strip():
            headers["authorization"] = f"Bearer {key}"
        headers |= self._headers
        if urlsplit(address).hostname == _CLOUD and "authorization" not in headers:
            raise KeyMissing(self.name, "OLLAMA_API_KEY")
        try:  # not at the top: whoever only lists the backends need not have these packages
            import ollama
            import orjson  # noqa: F401  # bodies are written with it

            from .http_wire import HttpWire
            from .ollama_client import OllamaClient
        except ModuleNotFoundError as error:
            raise ExtraMissing("ollama", "ollama", error.name or "ollama") from error
        except (ImportError, ValueError) as error:  # what it needs is not here, or OLLAMA_HOST is none: it reads that
            raise SetupError(f"{self.name} cannot be loaded: {error}") from error
        self._known = frozenset(ollama.Options.model_fields) | _OPTIONS_NOT_OF_THE_PACKAGE | FIELDS
        refuse_unknown(self.name, self._defaults.extra, self._known)
        self._secrets = tuple(text.rpartition(" ")[2] for name, text in headers.items() if name == "authorization")
        wire = HttpWire(self.name, f"{address}/api/chat", headers=headers, timeout_s=self._timeout_s)
        return OllamaClient(self.name, wire, address=address, secrets=self._secrets)

    def _invalid(self, error: Exception) -> ReplyInvalid:
        reason = f"the reply is none of Ollama's chat: {type(error).__name__}: {error}"
        return ReplyInvalid(self.name, presentable(reason, self._secrets))

    def __repr__(self) -> str:
        return f"<OllamaBackend {self.name} {self._state}>"


def address_of(host: str, name: str) -> str:
    """The server's URL, of what OLLAMA_HOST may be. Raises `SetupError` for anything else."""
    scheme, _, rest = host.strip().rpartition("://")
    try:
        address = urlsplit(f"{scheme or 'http'}://{rest}")
        port = address.port or {"http": 80, "https": 443}.get(scheme, _PORT)
        is_good = scheme in ("", "http", "https") and "@" not in address.netloc
    except ValueError:  # a port that is none, a bracket that is not closed
        is_good = False
    if not is_good:
        raise SetupError(f'{name} needs a host like "127.0.0.1:11434" or "https://ollama.com"; see OLLAMA_HOST')
    host = address.hostname or "127.0.0.1"
    return f"{address.scheme}://{f'[{host}]' if ':' in host else host}:{port}{address.path.rstrip('/')}"
