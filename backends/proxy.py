"""A system under test in the place of a model: a chat endpoint, asked over HTTP as its own users would ask it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from ..engine.completion import Capabilities, Completion, CompletionRequest
from ..engine.description import Description, absent
from ..engine.errors import ExtraMissing, PlayactError, ReplyInvalid, SetupError
from .endpoint import Endpoint

if TYPE_CHECKING:
    from .http_wire import HttpWire
    from .openai import OpenAIBackend

__all__ = ["ProxyBackend"]


class ProxyBackend:
    """Sends what was said to an endpoint, and answers with what it says; runs on asyncio.

    Nothing that agents are told goes there: no instructions, no persona, no parameters. Each dialog is a session of
    its own, by its id.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.name = f"proxy:{endpoint.place}"
        self.capabilities = Capabilities(in_flight=endpoint.in_flight)
        self._endpoint = self._filled = endpoint  # the second with the values of variables, once it is open
        self._wire: HttpWire | None = None
        self._chat: OpenAIBackend | None = None
        self._secrets: tuple[str, ...] = ()

    @classmethod
    def from_name(cls, name: str) -> Self:
        """By its URL, or by the fields of an `Endpoint` as JSON. Raises `SetupError`."""
        return cls(Endpoint.parse(name))

    @classmethod
    def describe(cls) -> Description:
        return Description(
            extra="openai",
            missing=absent("httptools", "orjson"),
            wants="say whose address, as in proxy:http://127.0.0.1:8080/chat",
        )

    async def open(self) -> None:
        """Connects to nothing yet. Raises `SetupError` for a variable that is not set, `ExtraMissing`."""
        try:
            asyncio.get_running_loop()
        except RuntimeError as error:
            raise SetupError(f"{self.name} runs on asyncio only; start the run with asyncio") from error
        headers = self._endpoint.filled_headers()
        endpoint, values = self._endpoint.filled()
        self._filled = endpoint
        in_headers = [text.rpartition(" ")[2] for name, text in headers.items() if "$" in _own(endpoint, name)]
        self._secrets = (*in_headers, *values)
        try:
            if endpoint.api == "openai":
                await self._open_chat(endpoint, headers)
            else:
                from .http_wire import HttpWire

                headers = {"content-type": "application/json", "user-agent": "playact", **headers}
                self._wire = HttpWire(self.name, endpoint.address, headers=headers, timeout_s=endpoint.timeout_s)
        except ModuleNotFoundError as error:
            raise ExtraMissing(self.name, "openai", error.name or "httptools") from error

    async def complete(self, request: CompletionRequest) -> Completion:
        """One call, never retried. Raises `PlayactError` unless the backend is open."""
        if self._chat is not None:
            seen = tuple(m for m in request.messages if m.role in ("user", "assistant") and m.text)
            bare = CompletionRequest(messages=seen, dialog=request.dialog, sequence=request.sequence, age=request.age)
            return replace(await self._chat.complete(bare), tool_calls=())
        if self._wire is None:
            raise PlayactError(f"{self.name} is not open; use it between open() and aclose()")
        return Completion(text=await self._asked(self._wire, request), model=self.name)

    async def aclose(self) -> None:
        """Closes every connection; calls under way raise `BackendUnavailable`."""
        wire, chat, self._wire, self._chat = self._wire, self._chat, None, None
        if wire is not None:
            await wire.aclose()
        if chat is not None:
            await chat.aclose()

    async def _open_chat(self, endpoint: Endpoint, headers: dict[str, str]) -> None:
        from .openai import OpenAIBackend

        self._chat = OpenAIBackend(
            endpoint.model,
            base_url=endpoint.url,
            api_key=headers.get("authorization", "").rpartition(" ")[2] or None,
            headers=headers,
            timeout_s=endpoint.timeout_s,
            label="proxy",
        )
        self._chat.name = self.name
        await self._chat.open()

    async def _asked(self, wire: HttpWire, request: CompletionRequest) -> str:
        from .http_answer import failure_of, presentable

        body = json.dumps(self._filled.body_of(request), ensure_ascii=False)
        answer = await wire.post(body.encode("utf-8", "replace"))
        if not 200 <= answer.status < 300:
            raise failure_of(self.name, answer, self._secrets)
        try:
            text = answer.body.decode()
            return self._endpoint.words_of(json.loads(text)) if self._endpoint.reply else text
        except RecursionError as error:
            raise ReplyInvalid(self.name, "the reply is nested without end") from error
        except json.JSONDecodeError as error:
            raise ReplyInvalid(
                self.name, f'its answer is no JSON ({error}); if it is the words, say reply=""'
            ) from error
        except (ValueError, LookupError) as error:
            raise ReplyInvalid(self.name, presentable(str(error), self._secrets)) from error

    def __repr__(self) -> str:
        return f"<ProxyBackend {self.name}>"


def _own(endpoint: Endpoint, name: str) -> str:
    """The header as it was written down."""
    return next(text for own, text in endpoint.headers.items() if own.lower() == name)
