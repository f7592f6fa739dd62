"""Makes rows out of requests: renders, counts and checks them, so that what is wrong with one stays with that one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...engine.completion import CompletionRequest, Parameters
from ...engine.errors import BackendRefused
from ..chat_template import ChatTemplate
from ..reply_text import ReplyText
from .guidance import Guidance, Guide
from .loading import LoadedModel
from .loop import Loop
from .row import Row
from .sampling import Sampling
from .ticket import Ticket

__all__ = ["Intake"]


class Intake:
    """The way into the loop of one model."""

    def __init__(self, backend: str, model: LoadedModel, loop: Loop, defaults: Parameters) -> None:
        self.loop = loop
        self.guidance = Guidance(backend, model.tokenizer, model.vocabulary, sorted(model.eos))
        self._backend = backend
        self._model = model
        self._chat = ChatTemplate(backend, model.tokenizer)
        self._sampling = _own(model).with_parameters(backend, defaults)

    def row(self, request: CompletionRequest, guide: Guide | None, *, streams: bool) -> Row:
        """Raises `BackendRefused` for a request that cannot be served, `ParameterUnknown` for an unknown name."""
        sampling = self._sampling.of(self._backend, request)
        _, ids, opens_thought = self._chat.prompt(request)
        if len(ids) >= self._model.context:
            reason = f"the prompt has {len(ids)} tokens, and the model takes {self._model.context} with the reply"
            raise BackendRefused(self._backend, f"{reason}; shorten the dialog, or raise context_tokens")
        if not ids:
            raise BackendRefused(self._backend, "the prompt is empty")
        reply = ReplyText(
            self._backend,
            in_thought=opens_thought,
            has_tools=bool(request.tools),
            call_prefix=f"call-{request.sequence}",
            stop=sampling.stop,
        )
        return Row(
            Ticket(),
            ids,
            sampling,
            reply,
            model=self._model,
            age=request.age,
            streams=streams,
            guide=guide,
        )


def _own(model: LoadedModel) -> Sampling:
    """What the model's makers recommend, in its generation settings."""
    settings: Any = model.model.generation_config
    if not settings.do_sample:
        return Sampling()
    said = {name: getattr(settings, name, None) for name in ("temperature", "top_p", "top_k", "min_p")}
    said["repetition_penalty"] = settings.repetition_penalty
    # Its makers left out what would do nothing; ours would do something.
    return replace(Sampling(top_p=1.0, temperature=1.0), **{k: v for k, v in said.items() if v is not None})
