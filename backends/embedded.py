"""The default model: a small real one that runs inside this process, without key, GPU or server to start.

It is llama.cpp's own server, in threads of ours, asked over loopback HTTP like any other endpoint: its slots work on
many dialogs at once, and each finds again what it has computed of a dialog's earlier turns.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Self

import anyio.to_thread

from ..engine.completion import Capabilities, Completion, CompletionRequest, Delta, Parameters
from ..engine.description import Description, absent
from ..engine.errors import ExtraMissing, PlayactError, SetupError, WeightsMissing
from .llama_server import LlamaServer
from .openai import OpenAIBackend
from .sentences import WholeSentences, whole_sentences
from .weights import SMOLLM2, find_weights

__all__ = ["EmbeddedBackend"]

# Usual values for chat, read over in a dozen dialogs, not tuned. The repeat penalty and `min_p` are there because a
# model of this size soon loops or strays. Short replies suit talk, and keep many dialogs moving.
_SAMPLING = Parameters(
    temperature=0.7,
    top_p=0.9,
    max_tokens=48,
    stop=("\n",),  # what follows a line's end is a second speaker, or a list
    extra={"min_p": 0.05, "repeat_penalty": 1.1, "cache_prompt": True},
)


class EmbeddedBackend:
    """SmolLM2-135M-Instruct, or another GGUF file, on this machine's processors.

    slots: how many requests are worked on at once. context_tokens: of each slot, for prompt and reply together; a
        longer prompt is refused. threads: processors to use, all by default.

    With the same seed a request that is alone gets the same words again; among others the arithmetic of the batch may
    differ in the last digit, and with it, now and then, a word. A reply cut off at its token limit ends with its last
    whole sentence.
    """

    def __init__(
        self,
        weights: Path | None = None,
        *,
        slots: int = 32,
        context_tokens: int = 2048,
        threads: int | None = None,
        timeout_s: float = 600.0,
    ) -> None:
        self.name = f"embedded:{weights.stem}" if weights else "embedded"
        self.capabilities = Capabilities(
            in_flight=slots,
            max_tokens=_SAMPLING.max_tokens,
            response_schema=True,
            seed=True,
            streaming=True,
            logprobs=True,
        )
        self._weights = weights
        self._slots = slots
        self._context_tokens = context_tokens
        self._threads = threads or os.cpu_count() or 1
        self._timeout_s = timeout_s
        self._server: LlamaServer | None = None
        self._client: OpenAIBackend | None = None

    @classmethod
    def from_name(cls, name: str) -> Self:
        """`embedded`, or `embedded:PATH.gguf` for a model file of your own."""
        if name in ("", "smollm2"):
            return cls()
        path = Path(name).expanduser()
        if path.suffix != ".gguf" or not path.is_file():
            raise SetupError(f'there is no embedded model "{name}"; say "embedded", or "embedded:" and a .gguf file')
        return cls(path)

    @classmethod
    def describe(cls) -> Description:
        """Raises `SetupError` when PLAYACT_WEIGHTS names no file."""
        weights = find_weights()
        return Description(
            extra="embedded",
            missing=absent("xllamacpp", "httptools", "orjson"),
            facts={"weights": "not here" if weights is None else weights.stem},
            wants="run `playact models fetch`" if weights is None else "",
        )

    async def open(self) -> None:
        """Loads the model, in about two seconds. Raises `ExtraMissing`, `WeightsMissing`, `SetupError`."""
        if self._client is not None:
            return
        weights = self._weights or find_weights()
        if weights is None:
            raise WeightsMissing(SMOLLM2.title)
        await anyio.to_thread.run_sync(self._start, weights)
        assert self._server is not None
        client = OpenAIBackend(
            weights.stem,
            base_url=f"{self._server.address}/v1",
            api_key=self._server.key,
            timeout_s=self._timeout_s,
            defaults=_SAMPLING,
            # The server closes idle and often used connections without a word.
            keeps_connections=False,
            label="embedded",
        )
        await client.open()
        self._client = client

    async def complete(self, request: CompletionRequest) -> Completion:
        if self._client is None:
            raise PlayactError(f"{self.name} is not open")
        completion = await self._client.complete(request)
        return completion if request.response_schema is not None else _without_half_a_sentence(completion)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        """As `complete`, a sentence at a time: of one that may yet be cut off nothing is given."""
        if self._client is None:
            raise PlayactError(f"{self.name} is not open")
        sentences = WholeSentences()
        async with aclosing(self._client.stream(request)) as deltas:
            async for delta in deltas:
                completion = delta.completion
                if request.response_schema is not None:
                    yield delta
                elif completion is None:
                    if (text := sentences.add(delta.text)) or delta.thinking:
                        yield Delta(text, delta.thinking)
                else:
                    if rest := sentences.end(is_cut=completion.finish == "length"):
                        yield Delta(rest)
                    yield Delta(completion=_without_half_a_sentence(completion))

    async def aclose(self) -> None:
        """Stops the server. Requests in flight are given up first, so it has nothing to wait for."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
        server, self._server = self._server, None
        if server is not None:
            await anyio.to_thread.run_sync(server.stop)

    def _start(self, weights: Path) -> None:
        try:
            self._server = LlamaServer(
                weights, slots=self._slots, context_tokens=self._context_tokens, threads=self._threads
            )
        except ModuleNotFoundError as error:
            raise ExtraMissing(self.name, "embedded", "xllamacpp") from error
        except ImportError as error:  # it is here, and something it needs of the system is not
            raise SetupError(f"xllamacpp cannot be loaded: {error}") from error
        except RuntimeError as error:
            raise SetupError(f"{weights} cannot be loaded: {error}") from error

    def __repr__(self) -> str:
        return f"<EmbeddedBackend {self.name} {self._slots} slots {'closed' if self._client is None else 'open'}>"


def _without_half_a_sentence(completion: Completion) -> Completion:
    """A completion that was cut off, without what follows its last whole sentence, and its tokens likewise."""
    if completion.finish != "length":
        return completion
    text, tokens, size = whole_sentences(completion.text), [], 0
    for token in completion.logprobs:
        if size >= len(text):
            break
        tokens.append(token)
        size += len(token.token)
    return replace(completion, text=text, logprobs=tuple(tokens))
