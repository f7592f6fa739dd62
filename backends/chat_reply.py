"""The pieces of a chat completion that a whole reply and a streamed one have in common, each checked as it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..engine.completion import FinishReason, TokenLogprob, Usage
from .json_fields import count_of

__all__ = ["Json", "finish_of", "logprobs_of", "usage_of"]

# What a server sent: any JSON there is. Each piece is checked where it is taken out.
Json = Any

_FINISH: Mapping[object, FinishReason] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "refused",
}


def finish_of(reason: Json) -> FinishReason:
    """A reason that is new to us is "stop". Raises TypeError for one that is no plain value."""
    return _FINISH.get(reason, "stop")


def usage_of(usage: Json) -> Usage:
    if usage is None:
        return Usage()
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        count_of(usage, "prompt_tokens"), count_of(usage, "completion_tokens"), count_of(details, "cached_tokens")
    )


def logprobs_of(logprobs: Json) -> tuple[TokenLogprob, ...]:
    """As OpenAI, vLLM and llama.cpp say them; or in two lists, as in the older completions."""
    pairs: Iterable[tuple[Json, Json]]
    if "tokens" in logprobs:
        pairs = zip(logprobs["tokens"], logprobs["token_logprobs"], strict=True)
    else:
        pairs = ((entry["token"], entry["logprob"]) for entry in logprobs.get("content") or ())
    read = []
    for token, logprob in pairs:
        if not isinstance(token, str) or not isinstance(logprob, int | float):
            raise TypeError("a log-probability is not a token and a number")
        read.append(TokenLogprob(token, float(logprob)))
    return tuple(read)
