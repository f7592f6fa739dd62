"""Sends model calls when the scheduler says so: the one place where a call waits for room, money or another try."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import anyio

from .budget import Account, Purse
from .budget.meter import Meter
from .budget.purse import model_asked
from .budget.till import Hold, Till
from .bus import Bus
from .completion import Backend, Completion, CompletionRequest
from .errors import BackendError
from .journal.journal import Diary, Journal
from .log import logger
from .messages import CallRetried
from .promise import Promise
from .retry import Retry, verdict_on
from .scheduler import Call, Lane, Scheduler
from .seeds import derive

__all__ = ["Asker", "Dispatcher"]


class Asker(Protocol):
    """Whose call it is: a dialog, by its number, with its diary and its account where there are such."""

    @property
    def number(self) -> int: ...

    @property
    def account(self) -> Account | None: ...

    @property
    def diary(self) -> Diary | None: ...

    def take_reply(self, request: CompletionRequest, completion: Completion, picodollars: int | None) -> None:
        """Called as soon as a reply is there, whatever becomes of the asker then. None: its price is not known."""
        ...


class Dispatcher:
    """Completes requests over backends within their limits and the budget.

    A call runs in its asker's own task, so cancelling a dialog gives its calls up. A call that failed and may be tried
    again waits, then re-enters its lane with the place it had. Nothing is sent before what its dialog said so far, and
    what the call may cost, is durable: only what is under way when the process is killed may be paid for twice.
    """

    def __init__(
        self,
        bus: Bus,
        scheduler: Scheduler,
        retry: Retry,
        in_flight: int | None = None,
        *,
        journal: Journal | None = None,
        purse: Purse | None = None,
    ) -> None:
        self.answered = Meter()
        self.failed_calls = 0
        self.retries = 0
        self._bus = bus
        self._scheduler = scheduler
        self._retry = retry
        self._in_flight = in_flight
        self._purse = purse
        self._till = None if purse is None or not purse.has_caps else Till(purse, bus.promise, journal)
        self._waiting: dict[tuple[Lane, Call], Promise] = {}

    async def complete(self, backend: Backend, request: CompletionRequest, asker: Asker) -> Completion:
        """The backend's reply.

        Raises the last `BackendError` when trying again is of no use or has gone on long enough, `BudgetSpent` when it
        cannot be paid for.
        """
        lane = self._scheduler.lanes.get(backend.name) or self._lane(backend)
        till, purse = self._till, self._purse
        call = Call(asker.number, request.sequence)
        if asker.diary is not None and not asker.diary.is_durable:
            await asker.diary.durable()
        while True:
            if not lane.enter(call):
                await self._wait(lane, call)
            hold: Hold | None = None
            try:
                if till is not None:
                    hold = await till.hold(backend, request, asker.number, asker.account)
                if hold is None or purse is None or purse.budget.seconds is None:
                    completion = await backend.complete(request)
                else:
                    completion = await _in_time(purse, backend, request, hold)
            except BackendError as error:
                self.failed_calls += 1
                if hold is not None and not error.may_have_cost:
                    hold.cost_nothing()
                failure = error
            else:
                model = model_asked(backend, request)
                self.answered.add(model, completion.usage)
                cost: int | None = 0
                if hold is not None:
                    cost = hold.answered(completion)
                elif purse is not None and asker.diary is not None:  # nobody else wants to know it at once
                    cost = purse.cost(model, completion.usage)
                asker.take_reply(request, completion, cost)
                return completion
            finally:
                if till is not None and hold is not None:
                    till.settle(backend, hold, asker.account, is_noted=asker.diary is not None)
                self._leave(lane)
            request = await self._try_again(backend, request, failure)

    def _lane(self, backend: Backend) -> Lane:
        limits = [limit for limit in (self._in_flight, backend.capabilities.in_flight) if limit is not None]
        return self._scheduler.lane(backend.name, min(limits, default=None))

    async def _try_again(self, backend: Backend, request: CompletionRequest, error: BackendError) -> CompletionRequest:
        attempt = request.attempt + 1
        seed = derive(request.seed or 0, request.dialog, request.sequence)
        wait_s = self._retry.wait_s(verdict_on(error), attempt, seed)
        if wait_s is None:
            raise error
        if self._purse is not None and self._purse.seconds_left is not None:
            wait_s = min(wait_s, self._purse.seconds_left)  # then no call may begin, and waiting is over
        self.retries += 1
        logger().info("call.retried", backend=backend.name, attempt=attempt, wait_s=wait_s, error=str(error))
        self._bus.scope.publish_now(CallRetried(request.dialog, backend.name, str(error), attempt, wait_s))
        await self._bus.clock.sleep(wait_s)
        return replace(request, attempt=attempt)

    async def _wait(self, lane: Lane, call: Call) -> None:
        turn = self._waiting[lane, call] = self._bus.promise()
        try:
            await turn
        except BaseException:
            if self._waiting.pop((lane, call), None) is not None:
                lane.withdraw(call)
            elif not turn.cancelled():  # the turn had come, so it must be passed on
                self._leave(lane)
            raise

    def _leave(self, lane: Lane) -> None:
        while (call := lane.leave()) is not None:
            turn = self._waiting.pop((lane, call))
            if not turn.done():
                turn.set_result(None)
                return
            # Its asker was cancelled in this very moment: the place is free again.


async def _in_time(purse: Purse, backend: Backend, request: CompletionRequest, hold: Hold) -> Completion:
    """The backend's reply, unless the run's time is over first: then the call is given up, and counts as paid for."""
    left_s = purse.seconds_left
    if left_s == 0:
        hold.cost_nothing()  # it was not sent
        raise purse.out_of_time()
    with anyio.move_on_after(left_s):
        return await backend.complete(request)
    raise purse.out_of_time()
