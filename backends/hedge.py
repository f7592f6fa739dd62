"""A second call for one that takes too long: the first reply counts, the other call is given up.

It cuts off the longest waits of a service whose calls are slow now and then, each for itself. Which reply counts is up
to the clock, so with hedging two runs of the same seed need not say the same; a journal keeps what was said.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace

import anyio

from ..engine.completion import Backend, Completion, CompletionRequest, Delta, StreamingBackend
from ..engine.errors import BackendError
from ..engine.wrappers import Hedge

__all__ = ["HedgedBackend"]

_FEWEST = 20
_REMEMBERED = 500


class HedgedBackend:
    """A backend around a backend, under its name. A request that fails before its second call fails at once.

    Second calls take room that is free: with all of the backend's `in_flight` taken none is made. They go past the
    run's pace, which is why `Hedge.share` limits them. Streams are passed on as they are. Runs on asyncio and trio.
    """

    def __init__(self, backend: Backend, hedge: Hedge | None = None) -> None:
        self.name = backend.name
        self._hedge = hedge or Hedge()
        self.capabilities = replace(backend.capabilities, calls=backend.capabilities.calls * (1 + self._hedge.most))
        self._backend = backend
        self._latencies = _Latencies()
        self._in_flight = 0
        self._requests = 0
        self._hedged = 0
        self._won = 0

    async def open(self) -> None:
        await self._backend.open()

    async def complete(self, request: CompletionRequest) -> Completion:
        """The first reply. Raises as the backend does: the first call's error when all have failed."""
        self._requests += 1
        began = anyio.current_time()
        after_s = self._hedge.after_s or self._latencies.at(self._hedge.percentile)
        if after_s is None:
            completion = await self._call(request)
        else:
            race = _Race(self._call, self._may_hedge, request)
            completion = await race.run(after_s, self._hedge.most)
            self._won += race.winner > 0
        self._latencies.add(anyio.current_time() - began)
        return completion

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        """The backend's own; one that has no streams answers in one delta."""
        if isinstance(self._backend, StreamingBackend):
            async with aclosing(self._backend.stream(request)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        completion = await self._backend.complete(request)
        yield Delta(completion.text, completion.thinking)
        yield Delta(completion=completion)

    async def aclose(self) -> None:
        await self._backend.aclose()

    @property
    def defaults(self) -> object:
        """How the backend samples where a request does not say so."""
        return getattr(self._backend, "defaults", None)

    def statistics(self) -> Mapping[str, int]:
        """How many requests came, how many had a second call, and for how many that was the faster."""
        return {"requests": self._requests, "hedged": self._hedged, "won": self._won}

    def _may_hedge(self, number: int) -> bool:
        """Whether there is room for one more call; a request is counted when it is its second."""
        limit = self._backend.capabilities.in_flight
        if limit is not None and self._in_flight >= limit:
            return False
        if number == 1:
            if self._hedged + 1 > math.ceil(self._requests * self._hedge.share):
                return False
            self._hedged += 1
        return True

    async def _call(self, request: CompletionRequest) -> Completion:
        self._in_flight += 1
        try:
            return await self._backend.complete(request)
        finally:
            self._in_flight -= 1

    def __repr__(self) -> str:
        return f"<HedgedBackend {self._backend!r} {self._hedged} of {self._requests} requests had a second call>"


class _Race:
    """The calls for one request, each a task of its own; the first reply ends them all."""

    def __init__(
        self,
        call: Callable[[CompletionRequest], Awaitable[Completion]],
        may_hedge: Callable[[int], bool],
        request: CompletionRequest,
    ) -> None:
        self.winner = 0
        self._call = call
        self._may_hedge = may_hedge
        self._request = request
        self._completion: Completion | None = None
        self._late = 0  # replies that came in the same moment as the winner's
        self._errors: dict[int, BackendError] = {}
        self._fault: Exception | None = None
        self._running = 0
        self._over = anyio.Event()

    async def run(self, after_s: float, most: int) -> Completion:
        async with anyio.create_task_group() as tasks:
            for number in range(1 + most):
                if number and not self._may_hedge(number):
                    break
                self._running += 1
                tasks.start_soon(self._ask, number)
                with anyio.move_on_after(after_s):
                    await self._over.wait()
                if self._over.is_set():
                    break
            await self._over.wait()
            given_up = self._running + self._late
            tasks.cancel_scope.cancel()
        if self._fault is not None:
            raise self._fault
        if self._completion is None:
            # Whatever else failed, the budget must hear of what may have cost something.
            raise max((self._errors[number] for number in sorted(self._errors)), key=lambda error: error.may_have_cost)
        given_up += sum(error.may_have_cost for error in self._errors.values())
        return replace(self._completion, calls=self._completion.calls + given_up)

    async def _ask(self, number: int) -> None:
        try:
            completion = await self._call(self._request)
        except BackendError as error:
            self._errors[number] = error
        except Exception as error:  # no failure of a call: another would not mend it
            self._fault = error
        else:
            if self._completion is None:
                self._completion, self.winner = completion, number
            else:
                self._late += 1
        finally:
            self._running -= 1
        if self._completion is not None or self._fault is not None or not self._running:
            self._over.set()


class _Latencies:
    """How long the last requests took, in seconds."""

    def __init__(self) -> None:
        self._last: deque[float] = deque()
        self._sorted: list[float] = []

    def add(self, seconds: float) -> None:
        self._last.append(seconds)
        insort(self._sorted, seconds)
        if len(self._last) > _REMEMBERED:
            del self._sorted[bisect_left(self._sorted, self._last.popleft())]

    def at(self, percentile: float) -> float | None:
        """So long took that share of them at the most; None while they are too few to tell."""
        if len(self._sorted) < _FEWEST:
            return None
        return self._sorted[math.ceil(percentile * len(self._sorted)) - 1]
