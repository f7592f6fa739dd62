"""How many tokens a call is going to take, guessed from its text and from what calls took before."""

from __future__ import annotations

from .budget.prompt_size import most_tokens
from .completion import CompletionRequest, Usage

__all__ = ["CallSize"]

_TOKENS_A_BYTE = 0.3  # until replies tell; English has about one in four
_REPLY_TOKENS = 256


class CallSize:
    """Learns how many tokens a prompt has for its length, and how many a reply has, as means of all replies so far."""

    __slots__ = ("_bytes", "_prompt_tokens", "_replies", "_reply_tokens")

    def __init__(self) -> None:
        self._bytes = 0
        self._prompt_tokens = 0
        self._replies = 0
        self._reply_tokens = 0

    def guess(self, request: CompletionRequest) -> int:
        a_byte = self._prompt_tokens / self._bytes if self._bytes else _TOKENS_A_BYTE
        reply = self._reply_tokens / self._replies if self._replies else _REPLY_TOKENS
        longest = request.parameters.max_tokens
        return round(most_tokens(request) * a_byte + (reply if longest is None else min(reply, longest)))

    def learn(self, request: CompletionRequest, usage: Usage) -> None:
        """What a call took. A backend that does not tell teaches nothing."""
        if usage.prompt_tokens:
            self._bytes += most_tokens(request)
            self._prompt_tokens += usage.prompt_tokens
        if usage.completion_tokens:
            self._replies += 1
            self._reply_tokens += usage.completion_tokens
