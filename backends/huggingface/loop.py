"""The running batch: requests join as rows when there is room, speak together, and leave when they are done.

One worker thread runs it, one step after the other. A step computes one token for each row that speaks and, for those
that have just come, a bounded share of their prompts, in one forward pass without padding; then the next tokens are
drawn for all rows at once. What was computed for a row outlives it, within a limit, for texts that begin the same.

The seam for whatever is to look into the model, or change it, row by row: `_forward` is the only place where the model
runs, and the `StepMap` that it is given says of every token of the pass which slot, and so which row, and which
position it has, and whether that is prompt or reply. Scheduling knows nothing of what happens there.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from itertools import count
from threading import Condition, Thread

import torch

from ...engine.errors import BackendRefused, BackendUnavailable, ReplyInvalid
from ..http_answer import presentable
from .loading import LoadedModel
from .prefixes import Prefixes
from .row import Row
from .sampler import Sampler
from .slots import Segment, SlotCache
from .step import StepMap

__all__ = ["Loop"]


class Loop:
    """Runs rows of one model in a thread of its own, from `start` to `stop`.

    rows: how many at once. step_tokens: how many tokens of prompts one step computes at the most, which bounds how long
    the others wait for it, and how long a cancelled row stays. kept_bytes: what is kept of texts that are over.
    """

    def __init__(self, backend: str, model: LoadedModel, *, rows: int, step_tokens: int, kept_bytes: int) -> None:
        self._backend = backend
        self._model = model
        self._step_tokens = step_tokens
        self._cache = SlotCache(rows, model.context)
        self._prefixes: Prefixes[Segment] = Prefixes(kept_bytes)
        self._sampler = Sampler()
        self._rows: list[Row | None] = [None] * rows  # by slot
        self._order: list[Row] = []  # by when they came
        self._waiting: list[tuple[int, int, Row]] = []  # a heap: the oldest dialog first
        self._numbers = count()
        self._changed = Condition()  # guards the three below
        self._arrived: list[Row] = []
        self._cancelled: list[Row] = []
        self._ending = ""
        self._tally = dict.fromkeys(("steps", "prompt_tokens", "cached_tokens", "completion_tokens", "most_rows"), 0)
        self._thread = Thread(target=self._run, name=f"playact {backend}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, row: Row) -> None:
        """From any thread. The row's ticket gets its reply, or `BackendUnavailable`."""
        with self._changed:
            if not self._ending:
                self._arrived.append(row)
                self._changed.notify()
                return
        row.fail(self._gone())

    def cancel(self, row: Row) -> None:
        """From any thread: the row is gone before the next step."""
        with self._changed:
            self._cancelled.append(row)
            self._changed.notify()

    def stop(self) -> None:
        """Ends the thread after the step that it is in; rows in flight fail. Blocks, so call it in a worker thread."""
        with self._changed:
            self._ending = self._ending or "it was closed"
            self._changed.notify()
        self._thread.join()

    def statistics(self) -> Mapping[str, int]:
        """Steps so far; tokens of prompts computed and found again, tokens drawn; rows now and at most."""
        return {**self._tally, "rows": len(self._order), "kept_bytes": self._prefixes.bytes}

    def _run(self) -> None:
        try:
            with torch.inference_mode():
                while self._take_in():
                    self._step()
        except Exception as error:  # a defect of ours: nobody is to wait for ever
            with self._changed:
                self._ending = f"it failed: {presentable(repr(error))}"
        self._give_up()

    def _take_in(self) -> bool:
        """Waits until there is something to do, and takes rows in; False when it is to end."""
        with self._changed:
            while not (self._order or self._arrived or self._cancelled or self._waiting or self._ending):
                self._changed.wait()
            if self._ending:
                return False
            arrived, self._arrived = self._arrived, []
            cancelled, self._cancelled = self._cancelled, []
        for row in arrived:
            heapq.heappush(self._waiting, (row.age, next(self._numbers), row))
        if cancelled:
            self._waiting = [entry for entry in self._waiting if entry[2] not in cancelled]
            heapq.heapify(self._waiting)
            for row in cancelled:
                if row.slot >= 0:
                    self._leave(row)
        self._admit()
        return True

    def _admit(self) -> None:
        """Gives free slots, the lowest first, to those that wait, as long as a step has room for their prompts."""
        unread = sum(len(row.ids) - row.done for row in self._order)
        while self._waiting and len(self._order) < len(self._rows) and unread < self._step_tokens:
            row = heapq.heappop(self._waiting)[2]
            slot = self._rows.index(None)
            self._cache.reserve(row.prompt_length + 1)
            # One token at least is computed: what follows is drawn from it.
            for segment, tokens in self._prefixes.longest(row.ids[:-1]):
                self._cache.paste(slot, row.done, segment, tokens)
                row.done += tokens
            row.cached = row.done
            row.slot = slot
            self._rows[slot] = row
            self._order.append(row)
            unread += len(row.ids) - row.done
            self._tally["cached_tokens"] += row.cached
        self._tally["most_rows"] = max(self._tally["most_rows"], len(self._order))

    def _step(self) -> None:
        self._close_gaps()
        step = StepMap.of((row.standing for row in self._order), self._step_tokens)
        if not step.spans:
            return
        try:
            self._cache.reserve(max(span.stop for span in step.spans))
            logits = self._forward(step)
            self._computed(step)
            rows = [self._at(span.slot) for span in step.spans if span.is_sampled]
            drawn = self._sampler.draw(logits, rows) if rows else ([], [])
        except Exception as error:  # out of memory, most likely: what is in flight is lost, the rest goes on
            self._lose(error)
            return
        for row, token, logprob in zip(rows, *drawn, strict=True):
            self._give(row, token, logprob)

    def _forward(self, step: StepMap) -> torch.Tensor:
        """The one place where the model runs: the logits of the places that are sampled, in the order of the spans."""
        return self._model.forward(step, self._cache)

    def _computed(self, step: StepMap) -> None:
        self._tally["steps"] += 1
        for span in step.spans:
            row = self._at(span.slot)
            row.done = span.stop
            if span.start < span.prompt_length:
                self._tally["prompt_tokens"] += len(span.tokens)
                if span.is_sampled:
                    self._keep(row)  # so that those that come while it speaks find it

    def _give(self, row: Row, token: int, logprob: float | None) -> None:
        try:
            row.take(token, logprob)
        except Exception as error:  # of this row alone, such as a grammar that has come to no end
            self._leave(row)
            if not isinstance(error, ReplyInvalid):
                error = BackendRefused(self._backend, f"the reply cannot go on: {presentable(str(error))}")
            row.fail(error)
            return
        self._tally["completion_tokens"] += 1
        if row.finish is not None:
            self._keep(row)
            self._leave(row)
            row.deliver()

    def _keep(self, row: Row) -> None:
        self._prefixes.insert(row.ids[: row.done], lambda start, stop: self._cache.copy(row.slot, start, stop))

    def _leave(self, row: Row) -> None:
        self._rows[row.slot] = None
        self._order.remove(row)
        row.slot = -1

    def _close_gaps(self) -> None:
        """Attention works on all slots from the first to the last in use: at most a quarter of them may be empty."""
        while True:
            last = max((row.slot for row in self._order), default=-1)
            if (last + 1 - len(self._order)) * 4 <= last + 1:
                return
            free = self._rows.index(None)
            row = self._at(last)
            self._cache.move(last, free, row.done)
            self._rows[last], self._rows[free] = None, row
            row.slot = free

    def _at(self, slot: int) -> Row:
        row = self._rows[slot]
        assert row is not None
        return row

    def _lose(self, error: Exception) -> None:
        self._prefixes.clear()
        self._cache = SlotCache(len(self._rows), self._model.context)  # it may have broken off while it grew
        for row in list(self._order):
            self._leave(row)
            row.fail(BackendUnavailable(self._backend, f"the model failed: {presentable(str(error))}"))

    def _give_up(self) -> None:
        with self._changed:
            left = [*self._order, *(row for _, _, row in self._waiting), *self._arrived]
            self._arrived = []
        for row in left:
            row.fail(self._gone())
        self._order = []
        self._waiting = []

    def _gone(self) -> BackendUnavailable:
        return BackendUnavailable(self._backend, self._ending, may_have_cost=False)
