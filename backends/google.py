"""Google's Gemini models, over the Gemini API or Vertex AI, through the `google-genai` package."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any, Self

from ..engine.completion import Capabilities, Completion, CompletionRequest, Delta, Parameters
from ..engine.description import Description, absent
from ..engine.errors import BackendUnavailable, ExtraMissing, KeyMissing, PlayactError, SetupError
from .google_reply import Gathered
from .google_wire import OWNED, body_of, config_of
from .parameters import refuse_unknown

if TYPE_CHECKING:
    from .google_client import GoogleClient

__all__ = ["GoogleBackend"]

_NO_DEFAULTS = Parameters()


class GoogleBackend:
    """Asks `model`, such as "gemini-2.5-flash"; runs on asyncio.

    What is not given is read from the environment once, when `open` runs: GEMINI_API_KEY or GOOGLE_API_KEY; for Vertex
    AI GOOGLE_GENAI_USE_VERTEXAI, GOOGLE_CLOUD_PROJECT, GOOGLE_CLOUD_LOCATION and the machine's own credentials, unless
    `credentials` (of google-auth) are given. `defaults` hold for requests that say nothing else; `timeout_s` limits one
    call as a whole.

    `Parameters.extra` takes every field of the package's `GenerateContentConfig` by its own name, such as `top_k` or
    `safety_settings`, but for those that a request says in its own words. A system message in the middle of a chat
    joins the one at its beginning, since the service knows only one.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: str | None = None,
        vertexai: bool | None = None,
        project: str | None = None,
        location: str | None = None,
        credentials: Any = None,  # of google-auth, which is imported later
        base_url: str | None = None,
        api_version: str | None = None,
        timeout_s: float = 300.0,
        in_flight: int | None = None,
        defaults: Parameters = _NO_DEFAULTS,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not model:
            raise SetupError('google needs the name of a model after a colon, as in "google:gemini-2.5-flash"')
        self.name = f"google:{model}"
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
        self._api_key = api_key
        self._vertexai = vertexai
        self._project = project
        self._location = location
        self._credentials = credentials
        self._base_url = base_url
        self._api_version = api_version
        self._timeout_s = timeout_s
        self._defaults = defaults
        self._headers = dict(headers or {})
        self._client: GoogleClient | None = None
        self._state = "not open yet"

    @classmethod
    def from_name(cls, name: str) -> Self:
        """The backend for a model's name, with everything else from the environment."""
        return cls(name)

    @classmethod
    def describe(cls) -> Description:
        """By the environment."""
        missing, key = absent("google.genai"), "set" if _key_set() else "not set"
        if not _is_vertex_meant():
            wants = "" if _key_set() else "set GEMINI_API_KEY"
            return Description(extra="google", missing=missing, facts={"key": key}, wants=wants)
        project = os.environ.get("GOOGLE_CLOUD_PROJECT") or "as Google's own settings say"
        location = os.environ.get("GOOGLE_CLOUD_LOCATION") or "global"
        facts = {"service": "Vertex AI", "project": project, "location": location}
        return Description(extra="google", missing=missing, facts=facts)

    @property
    def defaults(self) -> Parameters:
        """How it samples where a request does not say so; a cache must know."""
        return self._defaults

    async def open(self) -> None:
        """Connects to nothing yet: a wrong key or address shows at the first call.

        Raises `KeyMissing`, `ExtraMissing`, `ParameterUnknown` for a default that the package does not know, and
        `SetupError` for settings that it will not take or an event loop that is not asyncio's.
        """
        if self._client is not None:
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError as error:
            raise SetupError(f"{self.name} runs on asyncio only; start the run with asyncio") from error
        key = (self._api_key or _key_set()).strip()
        vertexai = _is_vertex_meant() if self._vertexai is None else self._vertexai
        if not vertexai and not key:
            raise KeyMissing(self.name, "GEMINI_API_KEY")
        try:  # not at the top: it takes a second, and whoever only lists the backends need not have it
            from .google_client import GoogleClient
        except ModuleNotFoundError as error:
            raise ExtraMissing("google", "google", error.name or "google-genai") from error
        except ImportError as error:  # it is here, and something it needs is not
            raise SetupError(f"{self.name} cannot be loaded: {error}") from error
        client = GoogleClient(self.name, timeout_s=self._timeout_s)
        try:
            refuse_unknown(self.name, self._defaults.extra, client.fields - OWNED)
            client.set_up(
                vertexai=vertexai,
                # On Vertex AI a key that is only in the environment gives way to a project, as the package has it.
                api_key=(self._api_key if vertexai else key) or None,
                project=self._project,
                location=self._location,
                credentials=self._credentials,
                base_url=self._base_url,
                api_version=self._api_version or (None if vertexai else "v1beta"),
                headers=self._headers,
            )
        except SetupError:
            await client.aclose()
            raise
        self._client = client
        self._state = "open"

    async def complete(self, request: CompletionRequest) -> Completion:
        """One call, never retried. Raises `PlayactError` unless the backend is open."""
        client, asked = self._asked(request)
        body = await client.generate(*asked)
        gathered = Gathered(request.sequence)
        try:
            gathered.take(json.loads(body or "null"))
            return gathered.completion()
        except (ValueError, RecursionError) as error:
            raise client.invalid(f"the reply is no answer of Gemini's ({error}): {body[:4096]}") from error

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        """As `complete`. A stream that ends before the service has said why counts as cut."""
        client, asked = self._asked(request)
        gathered = Gathered(request.sequence)
        pieces = client.stream(*asked)
        try:
            async for piece in pieces:
                delta = gathered.take(piece)
                if delta.text or delta.thinking:
                    yield delta
            if not gathered.is_whole:
                raise BackendUnavailable(self.name, "the reply broke off before its end")
            yield Delta(completion=gathered.completion())
        except ValueError as error:
            raise client.invalid(f"the reply is no answer of Gemini's: {error}") from error
        finally:
            await pieces.aclose()

    async def aclose(self) -> None:
        """Closes every connection; calls under way raise `BackendUnavailable`."""
        client, self._client = self._client, None
        self._state = "closed"
        if client is not None:
            await client.aclose()

    def _asked(self, request: CompletionRequest) -> tuple[GoogleClient, tuple[str, dict[str, Any], dict[str, Any]]]:
        if self._client is None:
            raise PlayactError(f"{self.name} is {self._state}; use it between open() and aclose()")
        refuse_unknown(self.name, request.parameters.extra, self._client.fields - OWNED)
        model = request.model or self._model
        return self._client, (model, body_of(request, model), config_of(request, self._defaults, model))

    def __repr__(self) -> str:
        return f"<GoogleBackend {self.name} {self._state}>"


def _key_set() -> str:
    return (os.environ.get("GEMINI_API_KEY") or os.environ.get("GOOGLE_API_KEY") or "").strip()


def _is_vertex_meant() -> bool:
    return os.environ.get("GOOGLE_GENAI_USE_VERTEXAI", "").lower() in ("1", "true")
