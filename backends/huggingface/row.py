"""One request while it is a row of the batch: its tokens, what they read as, and when it is over."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ...engine.completion import Completion, Delta, FinishReason, TokenLogprob, Usage
from ..reply_text import ReplyText
from .guidance import Allowed, Guide
from .loading import LoadedModel
from .sampling import Sampling
from .step import Standing
from .ticket import Ticket

__all__ = ["Row"]

_PART = "\ufffd"  # how a part of a letter reads


class Row:
    """`ids` are the prompt's tokens and then the reply's; the keys and values of the first `done` lie in `slot`."""

    def __init__(
        self,
        ticket: Ticket,
        ids: list[int],
        sampling: Sampling,
        reply: ReplyText,
        *,
        model: LoadedModel,
        age: int,
        streams: bool,
        guide: Guide | None = None,
    ) -> None:
        self.ticket = ticket
        self.ids = ids
        self.prompt_length = len(ids)
        self.sampling = sampling
        self._guide = guide
        self.age = age
        self.slot = -1
        self.done = 0
        self.cached = 0
        self.generated = 0
        self.said: Counter[int] = Counter()  # each token of prompt and reply, and how often the reply has it
        if sampling.is_penalised:
            self.said.update(dict.fromkeys(ids, 0))
        self.finish: FinishReason | None = None
        self._reply = reply
        self._words = _Words(model.tokenizer, model.silent)
        self._eos = frozenset() if sampling.ignore_eos and guide is None else model.eos
        self._most = min(sampling.max_tokens, model.context - len(ids))
        self._streams = streams
        self._sent = (0, 0)
        self._logprobs: list[TokenLogprob] = []
        self._broken: ValueError | None = None
        self._completion: Completion | None = None

    @property
    def standing(self) -> Standing:
        return Standing(self.slot, self.ids, self.prompt_length, self.done)

    def allowed(self) -> Allowed | None:
        """A bit for each token that may come next; None for all, as while the model still thinks.

        A grammar that fails, fails the row when its token comes.
        """
        if self._guide is None or self._reply.is_thinking:
            return None
        try:
            return self._guide.allowed()
        except ValueError as error:
            self._broken = error
            return None

    def take(self, token: int, logprob: float | None) -> None:
        """The next token of the reply. Raises `ValueError` when its grammar has gone wrong, and `ReplyInvalid`."""
        if self._broken is not None:
            raise self._broken
        self.generated += 1
        if token in self._eos:
            self._end("stop")
            return
        guide = None if self._reply.is_thinking else self._guide
        self.ids.append(token)
        if self.sampling.is_penalised:
            self.said[token] += 1
        if logprob is not None:
            self._logprobs.append(TokenLogprob(self._words.of([token]), logprob))
        self._reply.feed(self._words.add(token))
        if guide is not None:
            guide.take(token)
        if self._reply.is_stopped or (guide is not None and guide.is_over):
            self._end("stop")
        elif self.generated >= self._most:
            self._end("length")
        elif self._streams:
            self._send()

    def deliver(self) -> None:
        """Hands the reply over, once it is finished and the row has left."""
        self._send(self._completion)

    def fail(self, error: Exception) -> None:
        self.ticket.put(error)

    def _end(self, finish: FinishReason) -> None:
        reply = self._reply
        reply.feed(self._words.rest(), is_last=True)
        self.finish = "tool_calls" if reply.tool_calls else finish
        self._completion = Completion(
            text=reply.text,
            thinking=reply.thinking,
            tool_calls=reply.tool_calls,
            usage=Usage(self.prompt_length, self.generated, self.cached),
            finish=self.finish,
            logprobs=tuple(self._logprobs),
        )

    def _send(self, completion: Completion | None = None) -> None:
        text, thinking = self._reply.text[self._sent[0] :], self._reply.thinking[self._sent[1] :]
        self._sent = len(self._reply.text), len(self._reply.thinking)
        if text or thinking or completion is not None:
            self.ticket.put(Delta(text, thinking, completion))


class _Words:
    """Text out of tokens as they come. A letter may take several tokens: it comes when it is whole."""

    def __init__(self, tokenizer: Any, silent: frozenset[int]) -> None:
        self._decode = tokenizer.backend_tokenizer.decode
        self._silent = silent
        self._ids: list[int] = []
        self._known = 0  # the first so many of them have been given out as text

    def of(self, ids: list[int]) -> str:
        text: str = self._decode(ids, skip_special_tokens=False)
        return text

    def add(self, token: int) -> str:
        if token in self._silent:
            return ""
        self._ids.append(token)
        new = self._new()
        if new.endswith(_PART):
            return ""
        return self._given(new)

    def rest(self) -> str:
        """What was held back, but for a letter that did not become whole."""
        return self._given(self._new().rstrip(_PART))

    def _new(self) -> str:
        # Decoded with what was before them: some tokenizers put a blank where a text begins.
        return self.of(self._ids)[len(self.of(self._ids[: self._known])) :]

    def _given(self, new: str) -> str:
        self._ids = self._ids[self._known :]
        self._known = len(self._ids)
        return new
