"""What a request says of sampling, in vLLM's terms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...engine.completion import CompletionRequest, Parameters
from ...engine.errors import BackendRefused
from ..http_answer import presentable
from ..parameters import refuse_unknown

__all__ = ["TEMPLATE_SETTINGS", "Sampling"]

TEMPLATE_SETTINGS = "chat_template_kwargs"
# Said by a request's own fields; and of no use where a reply is one text.
_SAID = ("temperature", "top_p", "max_tokens", "stop", "frequency_penalty", "presence_penalty", "seed")
_USELESS = (
    *("n", "output_kind", "detokenize", "skip_clone", "stream_interval", "flat_logprobs", "output_text_buffer_length"),
    *("prompt_logprobs", "prompt_logprob_token_ids", "prompt_logprob_start"),
)
_SEED = 2**63 - 1


class Sampling:
    """Makes vLLM's `SamplingParams`: of the model's own defaults, over them `defaults`, over them the request.

    Stop strings in `defaults` do not hold for replies in a given form: JSON and tool calls may have lines.
    """

    def __init__(self, backend: str, defaults: Parameters, models_own: Mapping[str, object]) -> None:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        self._backend = backend
        self._made: Any = SamplingParams
        self._structured: Any = StructuredOutputsParams
        self._whole, self._in_pieces = RequestOutputKind.FINAL_ONLY, RequestOutputKind.DELTA
        names = {each for each in SamplingParams.__struct_fields__ if not each.startswith("_")}
        self._known = [*sorted(names.difference(_SAID, _USELESS)), TEMPLATE_SETTINGS]
        own = dict(models_own)
        own["max_tokens"] = own.pop("max_new_tokens", None)  # None: as many as the context has room for
        self._defaults = own | self._values(defaults)

    def of(self, request: CompletionRequest, *, in_pieces: bool) -> Any:
        """Raises `ParameterUnknown`, and `BackendRefused` for a value that vLLM does not take."""
        values = dict(self._defaults)
        if request.response_schema is not None or request.tools:
            values.pop("stop", None)
        values |= self._values(request.parameters)
        values.pop(TEMPLATE_SETTINGS, None)
        if request.seed is not None:
            values["seed"] = request.seed & _SEED
        if request.tools:
            values.setdefault("skip_special_tokens", False)  # the tags of a tool call are such in some models
        try:
            if request.response_schema is not None:
                values["structured_outputs"] = self._structured(
                    json=json.dumps(dict(request.response_schema), default=dict)
                )
            elif isinstance(form := values.get("structured_outputs"), Mapping):
                values["structured_outputs"] = self._structured(**form)
            if isinstance(bias := values.get("logit_bias"), Mapping):  # as JSON it has texts for keys
                values["logit_bias"] = {int(token): float(weight) for token, weight in bias.items()}
            return self._made(**values, output_kind=self._in_pieces if in_pieces else self._whole)
        except Exception as error:  # vLLM's own, pydantic's, or a TypeError out of a comparison
            raise BackendRefused(self._backend, presentable(f"bad parameters: {error}")) from error

    def _values(self, parameters: Parameters) -> dict[str, object]:
        refuse_unknown(self._backend, parameters.extra, self._known)
        values: dict[str, object] = {
            "temperature": parameters.temperature,
            "top_p": parameters.top_p,
            "max_tokens": parameters.max_tokens,
            "stop": list(parameters.stop) or None,
            "frequency_penalty": parameters.frequency_penalty,
            "presence_penalty": parameters.presence_penalty,
        }
        values = {name: value for name, value in values.items() if value is not None} | dict(parameters.extra)
        if isinstance(values.get("logprobs"), bool):
            values["logprobs"] = 0 if values["logprobs"] else None  # 0: of the token that was chosen, and no other
        return values
