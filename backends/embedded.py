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

from ..engine.completion import Capabilities, Completion, CompletionRequest, Delta, Message, Parameters
from ..engine.description import Description, absent
from ..engine.errors import ExtraMissing, PlayactError, SetupError, WeightsMissing
from ..engine.log import logger
from ..engine.settings import overlaid
from .llama_server import LlamaServer
from .openai import OpenAIBackend
from .parameters import refuse_unknown
from .sentences import WholeSentences, whole_sentences
from .weights import SMOLLM2, find_weights

__all__ = ["EmbeddedBackend"]

# For the packaged model, whose size asks for it; `benchmarks/small_model.py` counts what goes wrong with other values.
_TALK = Parameters(
    temperature=0.3,
    top_p=0.9,
    max_tokens=32,
    stop=("\n",),  # what follows a line's end is a second speaker, or a list
    extra={
        "min_p": 0.05,
        "repeat_penalty": 1.05,
        "dry_multiplier": 0.8,  # against saying again what was said in this dialog
        "dry_penalty_last_n": 1024,
        "cache_prompt": True,
    },
)
# JSON may be laid out in lines, repeats its own words by its nature, and must not be cut short.
_FORM = Parameters(
    temperature=0.7,
    top_p=0.9,
    max_tokens=256,
    extra={"min_p": 0.05, "repeat_penalty": 1.1, "cache_prompt": True},
)
# Another model is as its makers meant it, and says by itself when it has finished.
_OWN = Parameters(extra={"cache_prompt": True})
_CUE = Message("user", "(Go on.)")
# What llama.cpp's server takes beyond the common parameters; what it does not know it would pass over in silence.
_KNOWN = frozenset(
    (
        *("top_k", "min_p", "typical_p", "top_n_sigma", "min_keep", "samplers", "xtc_probability", "xtc_threshold"),
        *("dynatemp_range", "dynatemp_exponent", "mirostat", "mirostat_tau", "mirostat_eta"),
        *("repeat_penalty", "repeat_last_n", "dry_multiplier", "dry_base", "dry_allowed_length"),
        *("dry_penalty_last_n", "dry_sequence_breakers", "logit_bias", "ignore_eos", "grammar", "json_schema"),
        *("logprobs", "top_logprobs", "n_probs", "post_sampling_probs", "cache_prompt", "id_slot", "n_keep"),
        *("chat_template_kwargs", "reasoning_format", "reasoning_effort", "tool_choice", "parallel_tool_calls"),
    )
)


class EmbeddedBackend:
    """SmolLM2-135M-Instruct, or another GGUF file, on this machine's processors.

    slots: how many requests are worked on at once. context_tokens: of each slot, for prompt and reply together; a
        longer prompt is refused. threads: processors to use, all by default. Slots and their context take memory: 32 of
        2048 tokens for the packaged model, 8 of 4096 for a file of yours.

    What suits a model of 135 million parameters holds for that one only: its sampling, replies of one line and at most
    32 tokens (256 for JSON), nothing after the last whole sentence where that cuts it off, and short prompts. A file of
    yours samples as llama.cpp does by default, up to its context, and may use tools and think where its chat template
    knows how, which `capabilities` tell once it is open. The packaged model cannot use tools: it is not told of them.

    With the same seed a request that is alone gets the same words again; among others the arithmetic of the batch may
    differ in the last digit, and with it, now and then, a word.
    """

    def __init__(
        self,
        weights: Path | None = None,
        *,
        slots: int | None = None,
        context_tokens: int | None = None,
        threads: int | None = None,
        timeout_s: float = 600.0,
    ) -> None:
        self.name = f"embedded:{weights.stem}" if weights else "embedded"
        is_packaged = weights is None
        self._slots = slots or (32 if is_packaged else 8)
        self._context_tokens = context_tokens or (2048 if is_packaged else 4096)
        self.capabilities = Capabilities(
            in_flight=self._slots,
            max_tokens=_FORM.max_tokens if is_packaged else self._context_tokens,
            response_schema=True,
            seed=True,
            streaming=True,
            logprobs=True,
            is_small=is_packaged,
        )
        self._weights = weights
        self._threads = threads or os.cpu_count() or 1
        self._timeout_s = timeout_s
        self._server: LlamaServer | None = None
        self._client: OpenAIBackend | None = None
        self._has_left_out_tools = False

    @classmethod
    def from_name(cls, name: str) -> Self:
        """`embedded`, or `embedded:PATH.gguf` for a model file of your own."""
        if name in ("", "smollm2"):
            return cls()
        path = Path(name).expanduser()
        if path.suffix == ".gguf" and not path.is_file():
            raise SetupError(f"there is no file {name}")
        if path.suffix != ".gguf":
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

    @property
    def defaults(self) -> Parameters:
        """How it samples where a request does not say so; a cache must know."""
        return _TALK if self._weights is None else _OWN

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
            # The server closes idle and often used connections without a word.
            keeps_connections=False,
            label="embedded",
        )
        await client.open()
        if self._weights is not None:
            self.capabilities = replace(self.capabilities, tools=self._server.takes_tools, thinking=self._server.thinks)
        self._client = client

    async def complete(self, request: CompletionRequest) -> Completion:
        if self._client is None:
            raise PlayactError(f"{self.name} is not open")
        completion = await self._client.complete(self._asked(request))
        return _without_half_a_sentence(completion) if self._is_talk(request) else completion

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        """As `complete`, a sentence at a time: of one that may yet be cut off nothing is given."""
        if self._client is None:
            raise PlayactError(f"{self.name} is not open")
        sentences = WholeSentences()
        async with aclosing(self._client.stream(self._asked(request))) as deltas:
            async for delta in deltas:
                completion = delta.completion
                if not self._is_talk(request):
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

    def _asked(self, request: CompletionRequest) -> CompletionRequest:
        """The request with what this model needs where it says nothing itself. Raises `ParameterUnknown`."""
        refuse_unknown(self.name, request.parameters.extra, _KNOWN)
        if request.tools and self._weights is None:
            self._leave_out_tools()
            request = replace(request, tools=())
        if request.messages and request.messages[-1].role == "assistant":  # which the server would write on
            request = replace(request, messages=(*request.messages, _CUE))
        defaults = _OWN if self._weights is not None else _TALK if self._is_talk(request) else _FORM
        return replace(request, parameters=overlaid(request.parameters, defaults))

    def _is_talk(self, request: CompletionRequest) -> bool:
        """Whether the packaged model is to say something, and not to fill in a form."""
        return self._weights is None and request.response_schema is None

    def _leave_out_tools(self) -> None:
        """Told once: of 8 requests for what a tool does it called none, and answered what nobody had asked."""
        if not self._has_left_out_tools:
            self._has_left_out_tools = True
            logger().warning("tools.ignored", backend=self.name, hint="the packaged model cannot call any")

    def _start(self, weights: Path) -> None:
        try:
            self._server = LlamaServer(
                weights, slots=self._slots, context_tokens=self._context_tokens, threads=self._threads
            )
        except ModuleNotFoundError as error:
            raise ExtraMissing(self.name, "embedded", "xllamacpp") from error
        except ImportError as error:  # it is here, and something it needs of the system is not
            raise SetupError(f"xllamacpp cannot be loaded: {error}") from error
        except (RuntimeError, OSError, ValueError) as error:  # the latter two when it does not answer at once
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
