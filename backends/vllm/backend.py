"""Any model that vLLM runs, in an engine of this run's own: its batch takes in requests as they come.

Between the turns of a dialog the engine finds again what it has computed of it. Where more requests wait than its batch
has room for, it takes those of the oldest dialogs first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import anyio
import anyio.to_thread

from ...engine.completion import Capabilities, Completion, CompletionRequest, Delta, Parameters
from ...engine.description import Description, absent
from ...engine.errors import BackendRefused, BackendUnavailable, PlayactError, SetupError
from ..chat_template import ChatTemplate, Prompt
from ..converted_weights import converted_weights
from .calls import Calls
from .engine import started, stop
from .reply import Reply
from .sampling import TEMPLATE_SETTINGS, Sampling
from .tally import Tally

__all__ = ["VLLMBackend"]

_NO_DEFAULTS = Parameters()
# As for the embedded model, which this is: small models soon loop or stray, and short replies suit talk.
_SMOLLM2 = Parameters(
    temperature=0.7,
    top_p=0.9,
    max_tokens=48,
    stop=("\n",),
    extra={"min_p": 0.05, "repetition_penalty": 1.1},
)
_LONG_CHAT = 20_000  # characters, of which a template and a tokenizer make a prompt in about 5 ms


class VLLMBackend:
    """`model`: a name on the Hugging Face hub or a folder; "smollm2" is the packaged one. Runs on asyncio.

    engine: arguments of vLLM's engine (its `AsyncEngineArgs`) by their names, such as `max_model_len`, `dtype`,
        `tensor_parallel_size`; unknown ones are refused. Where a machine has no accelerator, what is not given is
        chosen for that: no compiling, all processors, a quarter of the free memory for keys and values, and prompts
        that are read whole.
    defaults: what holds for requests that say nothing else; the model's own defaults hold below them. Every field of
        vLLM's `SamplingParams` that makes sense for one text may be in `Parameters.extra`, and `chat_template_kwargs`.
    in_flight: how many requests the engine has at once; by default twice what its batch takes, so that the next is
        there when one ends.
    chat_template: another than the model's, as Jinja text.

    Tool calls are read in the form `<tool_call>{"name": …, "arguments": …}</tool_call>`, which is that of Qwen, Hermes
    and many others. With the same seed a request gets the same words again in float32; in less exact arithmetic its
    neighbours in the batch may change a word.

    The engine has processes of its own, which begin as Python's own do: a script keeps what it runs under
    `if __name__ == "__main__":`.
    """

    def __init__(
        self,
        model: str = "smollm2",
        *,
        engine: Mapping[str, object] | None = None,
        defaults: Parameters = _NO_DEFAULTS,
        in_flight: int | None = None,
        timeout_s: float = 600.0,
        chat_template: str | None = None,
    ) -> None:
        self.name = f"vllm:{model}"
        self.capabilities = Capabilities(
            in_flight=in_flight,
            max_tokens=defaults.max_tokens,
            tools=True,
            response_schema=True,
            seed=True,
            thinking=True,
            streaming=True,
            logprobs=True,
            is_small=model == "smollm2",
        )
        self._model = model
        self._settings = dict(engine or {})
        self._defaults = defaults
        self._timeout_s = timeout_s
        self._chat_template = chat_template
        self._engine: Any = None  # an AsyncLLM, whose package need not be here
        self._parts: tuple[ChatTemplate, Sampling, Calls] | None = None
        self._state = "not open yet"
        self._tally = Tally()

    @classmethod
    def from_name(cls, name: str) -> Self:
        """`vllm:Qwen/Qwen3-8B`, `vllm:FOLDER`; `vllm` alone is the packaged model, for trying things out."""
        if name in ("", "smollm2"):
            return cls(defaults=_SMOLLM2)
        folder = Path(name).expanduser()
        return cls(str(folder) if folder.is_dir() else name)

    @classmethod
    def describe(cls) -> Description:
        """What it would run on is not told: that takes vLLM many seconds to find out."""
        return Description(extra="vllm", missing=absent("vllm"))

    @property
    def defaults(self) -> Parameters:
        """How it samples where a request does not say so; a cache must know."""
        return self._defaults

    async def open(self) -> None:
        """Starts the engine, which takes from half a minute to many, and fetches the model first if it is not here.

        Raises `ExtraMissing`, `WeightsMissing`, `ParameterUnknown`, `SetupError`.
        """
        if self._engine is not None:
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError as error:
            raise SetupError(f"{self.name} runs on asyncio only; start the run with asyncio") from error
        self._engine = await anyio.to_thread.run_sync(self._start)
        self._state = "open"
        config = self._engine.vllm_config
        await self._engine.get_supported_tasks()  # asked now, so that no request is ever between us and the engine
        tokenizer = self._engine.get_tokenizer()
        template = ChatTemplate(self.name, tokenizer, self._chat_template)
        sampling = Sampling(self.name, self._defaults, config.model_config.get_diff_sampling_param())
        self._parts = template, sampling, Calls(self.name, self._engine, self._timeout_s)
        self.capabilities = replace(
            self.capabilities,
            in_flight=self.capabilities.in_flight or 2 * config.scheduler_config.max_num_seqs,
            max_tokens=self._defaults.max_tokens or config.model_config.max_model_len,
            thinking=template.knows_thinking,
        )

    async def complete(self, request: CompletionRequest) -> Completion:
        """Raises `BackendUnavailable` when the engine is closed or dies, `BackendRefused` for what does not fit it."""
        async with aclosing(self._deltas(request, in_pieces=False)) as deltas:
            async for delta in deltas:
                if delta.completion is not None:
                    return delta.completion
        raise BackendUnavailable(self.name, "the engine gave no reply")

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        return self._deltas(request, in_pieces=True)

    async def aclose(self) -> None:
        """Gives up the requests in flight, which raise `BackendUnavailable`, and ends the engine's processes."""
        engine, self._engine = self._engine, None
        parts, self._parts = self._parts, None
        self._state = "closed"
        if engine is None:
            return
        if parts is not None:
            await parts[-1].give_up()
        if (handler := engine.output_handler) is not None:
            handler.cancel()  # else it takes the end of the engine's processes for their death, and says so
            await asyncio.wait((handler,))
        await anyio.to_thread.run_sync(stop, engine)

    def statistics(self) -> Mapping[str, float]:
        """Requests, tokens, the share of prompts that needed no computing, and generated tokens a second."""
        return self._tally.figures()

    def _start(self) -> Any:
        model = str(converted_weights(self.name)) if self._model == "smollm2" else self._model
        return started(self.name, model, self._settings)

    async def _deltas(self, request: CompletionRequest, *, in_pieces: bool) -> AsyncGenerator[Delta, None]:
        if self._engine is None or self._parts is None:
            raise PlayactError(f"{self.name} is {self._state}; use it between open() and aclose()")
        if self._engine.errored:
            raise BackendRefused(self.name, "the engine has died; what it said of it stands above. Start the run again")
        if request.model not in ("", self._model):
            raise BackendRefused(self.name, f"another model was asked for, {request.model}, and one engine has one")
        template, sampling, calls = self._parts
        parameters = sampling.of(request, in_pieces=in_pieces)
        prompt = await self._prompt(template, request)
        reply = Reply(self.name, self._model, request, prompt)
        self._tally.begin()
        try:
            async with aclosing(calls.outputs(prompt.tokens, parameters, request.age)) as outputs:
                async for output in outputs:
                    part = reply.take(output)
                    if part.text or part.thinking:
                        yield Delta(part.text, part.thinking)
        finally:
            self._tally.end(reply.usage)
        yield Delta(completion=reply.completion())

    async def _prompt(self, template: ChatTemplate, request: CompletionRequest) -> Prompt:
        settings = {**self._defaults.extra, **request.parameters.extra}.get(TEMPLATE_SETTINGS)
        made = partial(template.prompt, request, settings if isinstance(settings, Mapping) else None)
        if sum(len(message.text) for message in request.messages) < _LONG_CHAT:
            return made()
        return await anyio.to_thread.run_sync(made)

    def __repr__(self) -> str:
        return f"<VLLMBackend {self.name} {self._state} {len(self._parts[-1]) if self._parts else 0} in flight>"
