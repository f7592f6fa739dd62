"""Models of the Hugging Face kind inside this process, asked by many dialogs at once, over torch and transformers.

One object holds one copy of one model, whoever asks; requests become rows of one running batch (see `loop`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

import anyio
import anyio.to_thread

from ...engine.completion import Capabilities, Completion, CompletionRequest, Delta, Parameters
from ...engine.description import Description, absent
from ...engine.errors import ExtraMissing, PlayactError, SetupError
from ..converted_weights import converted_weights
from .sampling import Sampling

if TYPE_CHECKING:
    from .intake import Intake
    from .loading import LoadedModel
    from .row import Row

__all__ = ["HuggingFaceBackend"]

# For the packaged model, which soon loops or strays without them; the same as the embedded backend has.
_SMALL = Parameters(
    temperature=0.7, top_p=0.9, max_tokens=48, stop=("\n",), extra={"min_p": 0.05, "repetition_penalty": 1.1}
)


class HuggingFaceBackend:
    """A model out of a folder, a GGUF file (its weights made whole numbers again) or the hub.

    model: a path or the name on the hub, or what `load_model` gave, which backends may share; none for the packaged
        small model. rows: how many requests are worked on at
        once. context_tokens: of prompt and reply together, the model's own limit by default; a longer prompt is
        refused. step_tokens: how many tokens of prompts one step of the batch takes in. kept_bytes: memory for what
        was computed of texts that are over, so that a dialog's next turn need not be read again from its beginning.
    device: auto, cpu, cuda, cuda:1, mps. dtype: auto, float32, bfloat16, float16; auto is float32, on CUDA bfloat16.
    defaults: what a request leaves open; else it is what the model's own generation settings say.
    trust_remote_code: whether code that comes with the model may run; only ever on if you say so here.

    With the same seed and prompt a request gets the same tokens again, alone or among others, in float32; with fewer
    bits the size of the batch changes the last digit of the arithmetic, and now and then a word.
    """

    def __init__(
        self,
        model: str | Path | LoadedModel | None = None,
        *,
        rows: int = 32,
        context_tokens: int | None = None,
        step_tokens: int = 512,
        kept_bytes: int = 2**30,
        device: str = "auto",
        dtype: str = "auto",
        defaults: Parameters | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        named = model if isinstance(model, str | Path | None) else model.name
        self.name = f"huggingface:{named}" if named else "huggingface"
        self._defaults = defaults or (Parameters() if model else _SMALL)
        self._base = Sampling().with_parameters(self.name, self._defaults)
        self.capabilities = Capabilities(
            in_flight=rows,
            max_tokens=self._base.max_tokens,
            tools=True,
            response_schema=True,
            seed=True,
            thinking=True,
            streaming=True,
            logprobs=True,
            is_small=model is None,
        )
        self._model = model
        self._rows = rows
        self._context_tokens = context_tokens
        self._step_tokens = step_tokens
        self._kept_bytes = kept_bytes
        self._device = device
        self._dtype = dtype
        self._trust_remote_code = trust_remote_code
        self._intake: Intake | None = None

    @classmethod
    def from_name(cls, name: str) -> Self:
        """`huggingface` for the packaged model, or `huggingface:` and a folder, a .gguf file, or a name on the hub."""
        return cls() if name in ("", "smollm2") else cls(name)

    @classmethod
    def describe(cls) -> Description:
        """What it would run on is not told: that takes torch seconds to find out."""
        return Description(extra="huggingface", missing=absent("torch", "transformers", "accelerate", "llguidance"))

    @property
    def defaults(self) -> Parameters:
        """How it samples where a request does not say so; a cache must know."""
        return self._defaults

    async def open(self) -> None:
        """Loads the model, in seconds; the packaged one is first converted, once, in half a minute.

        Raises `ExtraMissing`, `WeightsMissing`, `SetupError`.
        """
        if self._intake is not None:
            return
        # Not to be given up half-way: a thread that loads goes on, and nobody would close what it opens.
        with anyio.CancelScope(shield=True):
            self._intake = await anyio.to_thread.run_sync(self._load)

    async def complete(self, request: CompletionRequest) -> Completion:
        """Raises `BackendUnavailable`, `BackendRefused`, and `ParameterUnknown`, a `SetupError`."""
        intake, row = await self._row(request, streams=False)
        intake.loop.submit(row)
        try:
            delta = await row.ticket.next()
        except BaseException:
            intake.loop.cancel(row)
            raise
        assert delta.completion is not None
        return delta.completion

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        """Whole letters as they come; what may be part of a stop string comes when it is clear that it is none."""
        intake, row = await self._row(request, streams=True)
        intake.loop.submit(row)
        try:
            while True:
                delta = await row.ticket.next()
                yield delta
                if delta.completion is not None:
                    return
        finally:
            if row.finish is None:
                intake.loop.cancel(row)

    async def aclose(self) -> None:
        """Ends the batch after the step that it is in, and lets the model go. Requests in flight fail."""
        intake, self._intake = self._intake, None
        if intake is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(intake.loop.stop)

    def statistics(self) -> Mapping[str, int]:
        """Steps, tokens and rows of the running batch; nothing when it is not open."""
        return self._intake.loop.statistics() if self._intake is not None else {}

    async def _row(self, request: CompletionRequest, *, streams: bool) -> tuple[Intake, Row]:
        intake = self._intake
        if intake is None:
            raise PlayactError(f"{self.name} is not open")
        guide = None
        if request.response_schema is not None:
            guide = await anyio.to_thread.run_sync(intake.guidance.guide, request.response_schema)
        return intake, intake.row(request, guide, streams=streams)

    def _load(self) -> Intake:
        model = self._model or converted_weights(self.name)
        try:
            from .intake import Intake
            from .loading import load_model
            from .loop import Loop

            if isinstance(model, str | Path):
                model = load_model(
                    str(model),
                    device=self._device,
                    dtype=self._dtype,
                    context_tokens=self._context_tokens,
                    trust_remote_code=self._trust_remote_code,
                )
        except ModuleNotFoundError as error:
            raise ExtraMissing(self.name, "huggingface", error.name or "transformers") from error
        except ImportError as error:  # it is here, and something it needs is not
            raise SetupError(f"{self.name} cannot be loaded: {error}") from error
        loop = Loop(self.name, model, rows=self._rows, step_tokens=self._step_tokens, kept_bytes=self._kept_bytes)
        intake = Intake(self.name, model, loop, self._defaults)
        loop.start()
        return intake

    def __repr__(self) -> str:
        return f"<HuggingFaceBackend {self.name} {self._rows} rows {'closed' if self._intake is None else 'open'}>"
