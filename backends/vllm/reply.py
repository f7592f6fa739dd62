"""What vLLM's engine puts out for one request, become a reply; and what it raises, become errors of ours."""

from __future__ import annotations

from typing import Any

from ...engine.completion import Completion, CompletionRequest, FinishReason, TokenLogprob, Usage
from ...engine.errors import BackendError, BackendOverloaded, BackendRefused, BackendUnavailable
from ..chat_template import Prompt
from ..http_answer import presentable
from ..reply_text import Part, ReplyText

__all__ = ["Reply", "failure_of"]


class Reply:
    """Puts one reply together, from one output or from many that each add to it."""

    def __init__(self, backend: str, model: str, request: CompletionRequest, prompt: Prompt) -> None:
        self.usage = Usage()
        self._model = model
        self._prompt_tokens = len(prompt.tokens)
        self._logprobs: list[TokenLogprob] = []
        self._finish: FinishReason = "stop"
        self._words = ReplyText(
            backend,
            in_thought=prompt.opens_thought,
            has_tools=bool(request.tools),
            call_prefix=f"call-{request.sequence}",
        )

    def take(self, output: Any) -> Part:
        """What an output of vLLM's adds. Raises `ReplyInvalid` for a tool call that cannot be read."""
        new = output.outputs[0]
        self.usage = Usage(
            self._prompt_tokens,
            self.usage.completion_tokens + len(new.token_ids),
            output.num_cached_tokens or 0,
        )
        for token, choices in zip(new.token_ids, new.logprobs or (), strict=False):
            self._logprobs.append(TokenLogprob(choices[token].decoded_token or "", choices[token].logprob))
        if output.finished and new.finish_reason == "length":
            self._finish = "length"
        return self._words.feed(new.text, is_last=output.finished)

    def completion(self) -> Completion:
        words = self._words
        return Completion(
            text=words.text,
            thinking=words.thinking,
            tool_calls=words.tool_calls,
            usage=self.usage,
            finish="tool_calls" if words.tool_calls else self._finish,
            model=self._model,
            logprobs=tuple(self._logprobs),
        )


def failure_of(backend: str, error: Exception) -> Exception:
    """The error of ours that one of vLLM's stands for; ours stay as they are."""
    if isinstance(error, BackendError):
        return error
    from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

    if isinstance(error, EngineDeadError):
        return BackendUnavailable(backend, "the engine has died; what it said of it stands above")
    # A value of a type that no check of vLLM's foresaw fails where it is sent, wrapped as if the engine had failed.
    cause = error.__cause__ if isinstance(error, EngineGenerateError) else error
    reason = presentable(f"{cause or error}") or type(error).__name__
    if getattr(error, "http_status", None) == 503:
        return BackendOverloaded(backend, reason)
    if isinstance(cause, ValueError | TypeError) or _is_askers_fault(error):
        return BackendRefused(backend, reason)
    return BackendUnavailable(backend, reason)


def _is_askers_fault(error: Exception) -> bool:
    from vllm.exceptions import VLLMClientError

    return isinstance(error, VLLMClientError)
