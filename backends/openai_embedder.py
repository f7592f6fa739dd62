"""Embeddings from any endpoint that has OpenAI's `/embeddings`: vLLM, llama.cpp, Ollama, text-embeddings-inference."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from ..engine.errors import ExtraMissing, KeyMissing, PlayactError, ReplyInvalid, SetupError
from .http_answer import failure_of
from .openai import VENDORS_HOST, host_of

if TYPE_CHECKING:
    from .http_wire import HttpWire

__all__ = ["OpenAIEmbedder"]

_VENDOR = "https://api.openai.com/v1"


class OpenAIEmbedder:
    """Asks `model` at an endpoint; runs on asyncio.

    What is not given is read from the environment when `open` runs: OPENAI_BASE_URL, OPENAI_API_KEY. Only OpenAI itself
    must have a key. `headers` go with every call, `timeout_s` limits one call as a whole.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not model:
            raise SetupError('say which model embeds, after a colon, as in "openai:text-embedding-3-small"')
        self.name = f"openai:{model}"
        self._model = model
        self._base_url = base_url
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._headers = dict(headers or {})
        self._secrets: tuple[str, ...] = ()
        self._wire: HttpWire | None = None

    @classmethod
    def from_name(cls, name: str) -> Self:
        return cls(name)

    async def open(self) -> None:
        """Connects to nothing yet. Raises `KeyMissing`, `ExtraMissing`, `SetupError` for a base URL that is none."""
        base_url = (self._base_url or os.environ.get("OPENAI_BASE_URL") or _VENDOR).rstrip("/")
        key = (self._api_key or os.environ.get("OPENAI_API_KEY") or "").strip()
        if host_of(base_url, self.name) == VENDORS_HOST and not key:
            raise KeyMissing(self.name, "OPENAI_API_KEY")
        headers = {"content-type": "application/json", "user-agent": "playact"}
        if key:
            headers["authorization"] = f"Bearer {key}"
            self._secrets = (key,)
        try:
            from .http_wire import HttpWire
        except ModuleNotFoundError as error:
            raise ExtraMissing("openai", "openai", error.name or "httptools") from error
        url = f"{base_url}/embeddings"
        self._wire = HttpWire(self.name, url, headers=headers | self._headers, timeout_s=self._timeout_s)

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One call, never retried. Raises as a backend's `complete`, and `PlayactError` unless it is open."""
        import orjson

        if self._wire is None:
            raise PlayactError(f"{self.name} is not open")
        body = orjson.dumps({"model": self._model, "input": list(texts), "encoding_format": "float"})
        answer = await self._wire.post(body)
        if not 200 <= answer.status < 300:
            raise failure_of(self.name, answer, self._secrets)
        try:
            rows = orjson.loads(answer.body)["data"]
            vectors = {int(row["index"]): [float(number) for number in row["embedding"]] for row in rows}
            return [vectors[place] for place in range(len(texts))]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ReplyInvalid(self.name, f"the answer has no embeddings in it: {error!r}") from error

    async def aclose(self) -> None:
        """Closes every connection."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.aclose()

    def __repr__(self) -> str:
        return f"<OpenAIEmbedder {self.name} {'closed' if self._wire is None else 'open'}>"
