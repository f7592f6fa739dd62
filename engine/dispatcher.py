"""Sends model calls when the scheduler says so: the one place where a call waits for room, money or another try.

The way of a call:

    dialog ── cache ── lane ────────── circuit ─── pace ─────────── budget ── hedge ── backend ── reply
              kept?    oldest dialog   is it up?   so many a        is it              one call,
              then no  first; room?                minute, a round  paid?              no waiting
              call       ▲                         trip, at once                         │
                         └──────── retry: a little later, with the place it had ◀────────┘ failed

Cache and hedge are backends around a backend and know nothing of the rest. What waits in a lane is looked at again
when a call is over, or at the one moment at which time alone lets one go; nothing is asked over and over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import anyio
import anyio.lowlevel

from .alarm import Alarm
from .breaker import Breaker, Circuit
from .budget import Account, Purse
from .budget.meter import Meter
from .budget.purse import model_asked
from .budget.till import Hold, Till
from .bus import Bus
from .completion import Backend, Completion, CompletionRequest, Usage
from .errors import BackendError, BackendUnavailable
from .journal.journal import Diary, Journal
from .log import logger
from .messages import CallRetried, CircuitClosed, CircuitOpened, PaceSlowed
from .pace import Pace, Pacer, pace_of
from .promise import Promise
from .retry import Failure, Retry, verdict_on
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


@dataclass(slots=True)
class _Waiter:
    """A call that waits in a lane; its turn comes with the place, or with the error that it is given up with."""

    turn: Promise
    has_place: bool = False


class Dispatcher:
    """Completes requests over backends within their limits and the budget.

    A call runs in its asker's own task, so cancelling a dialog gives its calls up. A call that failed and may be tried
    again waits, then re-enters its lane with the place it had. While a backend is down its calls wait, and a failure
    counts against none of them. Nothing is sent before what its dialog said so far, and
    what the call may cost, is durable: only what is under way when the process is killed may be paid for twice.
    """

    def __init__(
        self,
        bus: Bus,
        scheduler: Scheduler,
        retry: Retry,
        in_flight: int | None = None,
        *,
        paces: Mapping[str, Pace] | None = None,
        breaker: Breaker | None = None,
        timeout_s: float | None = None,
        journal: Journal | None = None,
        purse: Purse | None = None,
    ) -> None:
        self.answered = Meter()
        self.failed_calls = 0
        self.retries = 0
        self.recalled = 0
        self._bus = bus
        self._scheduler = scheduler
        self._retry = retry
        self._in_flight = in_flight
        self._paces = paces or {}
        self._breaker = breaker or Breaker()
        self._timeout_s = timeout_s
        self._now = bus.clock.now
        self._purse = purse
        self._till = None if purse is None or not purse.has_caps else Till(purse, bus.promise, journal)
        self._waiting: dict[tuple[Lane, Call], _Waiter] = {}
        self._alarms: dict[Lane, Alarm] = {}

    async def complete(self, backend: Backend, request: CompletionRequest, asker: Asker) -> Completion:
        """The backend's reply.

        Raises the last `BackendError` when trying again is of no use or has gone on long enough, `BudgetSpent` when it
        cannot be paid for.
        """
        # Ten times as fast as to ask whether it is a `RecallingBackend`.
        recall: Callable[[CompletionRequest], Completion | None] | None = getattr(backend, "recall", None)
        if recall is not None and (known := recall(request)) is not None:
            await anyio.lowlevel.checkpoint()  # else a dialog that is all known would let nobody else run
            self.recalled += 1
            asker.take_reply(request, known, 0)
            return known
        lane = self._scheduler.lanes.get(backend.name) or self._lane(backend)
        till, purse, diary = self._till, self._purse, asker.diary
        call = Call(asker.number, request.sequence)
        forgiven = 0  # failures that were the backend's, not the call's
        if diary is not None and not diary.is_durable:
            await diary.durable()
        while True:
            if lane.pacer.pace.tokens_per_minute is not None:
                call = call._replace(tokens=lane.pacer.guess(request))
            if not lane.enter(call, self._now()):
                await self._wait(lane, call)
            hold: Hold | None = None
            began = 0.0
            try:
                if till is not None:
                    hold = await till.hold(backend, request, asker.number, asker.account)
                began = self._now()
                if lane.is_watched:
                    if not lane.may_send(call):
                        if hold is not None:
                            hold.cost_nothing()
                        continue
                    lane.pacer.sent(call, began)
                if self._timeout_s is None and (purse is None or purse.budget.seconds is None):
                    completion = await backend.complete(request)
                else:
                    completion = await self._in_time(backend, request, hold)
            except BackendError as error:
                self._failed(backend, lane, call, error, began)
                if hold is not None and not error.may_have_cost:
                    hold.cost_nothing()
                failure = error
            else:
                if lane.is_watched and not completion.is_cached:
                    self._answered(backend, lane, call, request, completion, began)
                cost: int | None = 0
                if not completion.is_cached:
                    model = model_asked(backend, request)
                    self.answered.add(model, completion.usage)
                    if completion.calls > 1:
                        self._count_given_up(model, completion)
                    if purse is not None and hold is None and diary is not None:  # nobody else wants to know it at once
                        cost = purse.cost(model, completion.usage)
                if hold is not None:
                    cost = hold.answered(completion)
                asker.take_reply(request, completion, cost)
                return completion
            finally:
                if till is not None and hold is not None:
                    till.settle(backend, hold, asker.account, is_noted=asker.diary is not None)
                self._leave(lane, call)
            is_held = lane.circuit.is_holding
            forgiven += is_held
            request = await self._try_again(backend, lane, call, request, failure, forgiven, is_held=is_held)

    def _lane(self, backend: Backend) -> Lane:
        pace = pace_of(self._paces, backend.name)
        limits = (self._in_flight, pace.in_flight, backend.capabilities.in_flight)
        limit = min((limit for limit in limits if limit is not None), default=None)
        pacer = Pacer(pace, longest_pause_s=self._retry.longest_retry_after_s)
        lane = self._scheduler.lane(backend.name, limit, pacer, Circuit(self._breaker))
        self._alarms[lane] = Alarm(self._bus.tasks, self._bus.clock, partial(self._serve, lane))
        return lane

    def _answered(
        self,
        backend: Backend,
        lane: Lane,
        call: Call,
        request: CompletionRequest,
        completion: Completion,
        began: float,
    ) -> None:
        now = self._now()
        lane.pacer.answered(call, request, completion.usage, began=began, in_flight=lane.in_flight, now=now)
        self._closed(backend, lane.circuit.answered(now))
        lane.look()

    def _failed(self, backend: Backend, lane: Lane, call: Call, error: BackendError, began: float) -> None:
        self.failed_calls += 1
        now, verdict, in_flight = self._now(), verdict_on(error), lane.in_flight
        publish = self._bus.scope.publish_now
        may_have_cost = error.may_have_cost
        if lane.pacer.failed(call, verdict, may_have_cost=may_have_cost, began=began, in_flight=in_flight, now=now):
            most, pause_s = lane.pacer.most_in_flight, max(lane.pacer.paused_until - now, 0.0)
            logger().info("pace.slowed", backend=backend.name, in_flight=most, pause_s=pause_s, error=str(error))
            publish(PaceSlowed(backend.name, most, pause_s))
        if verdict.failure in (Failure.REFUSED, Failure.INVALID):
            self._closed(backend, lane.circuit.answered(now))  # no use, but an answer
        elif lane.circuit.failed(call, error, calls=lane.calls, in_flight=in_flight, now=now):
            logger().warning("circuit.opened", backend=backend.name, error=str(error))
            publish(CircuitOpened(backend.name, str(error)))
        lane.look()

    def _closed(self, backend: Backend, open_s: float | None) -> None:
        if open_s is not None:
            logger().info("circuit.closed", backend=backend.name, open_s=open_s)
            self._bus.scope.publish_now(CircuitClosed(backend.name, open_s))

    async def _try_again(
        self,
        backend: Backend,
        lane: Lane,
        call: Call,
        request: CompletionRequest,
        error: BackendError,
        forgiven: int,
        *,
        is_held: bool,
    ) -> CompletionRequest:
        """The request for another try, when it may go back to its lane. Where calls are held, it waits there."""
        attempt = request.attempt + 1
        seed = derive(request.seed or 0, request.dialog, request.sequence)
        wait_s = self._retry.wait_s(verdict_on(error), max(attempt - forgiven, 1), seed)
        if wait_s is None:
            lane.circuit.suspects(call)
            raise error
        if is_held:
            wait_s = 0.0
        if self._purse is not None and self._purse.seconds_left is not None:
            wait_s = min(wait_s, self._purse.seconds_left)  # then no call may begin, and waiting is over
        self.retries += 1
        logger().info("call.retried", backend=backend.name, attempt=attempt, wait_s=wait_s, error=str(error))
        self._bus.scope.publish_now(CallRetried(request.dialog, backend.name, str(error), attempt, wait_s))
        lane.resting += 1
        try:
            await self._bus.clock.sleep(wait_s)
        finally:
            lane.resting -= 1
        return replace(request, attempt=attempt)

    async def _wait(self, lane: Lane, call: Call) -> None:
        """Raises what the backend failed with when it stays away, `BudgetSpent` when the run's time is over first."""
        waiter = self._waiting[lane, call] = _Waiter(self._bus.promise())
        self._set_alarm(lane)
        try:
            error = await self._turn_of(waiter)
        except BaseException:
            if self._waiting.pop((lane, call), None) is not None:
                lane.withdraw(call)
            elif waiter.has_place:  # so it must be passed on
                self._leave(lane, call)
            raise
        if error is not None:
            raise error

    async def _turn_of(self, waiter: _Waiter) -> BackendError | None:
        left_s = None if self._purse is None else self._purse.seconds_left
        error: BackendError | None
        if left_s is None or self._purse is None:
            error = await waiter.turn
        else:
            with anyio.move_on_after(left_s) as time:
                error = await waiter.turn
            if time.cancelled_caught:
                raise self._purse.out_of_time()
        return error

    def _count_given_up(self, model: str, completion: Completion) -> None:
        """The calls beside the one that was answered; this much of what they took is known."""
        for _ in range(completion.calls - 1):
            self.answered.add(model, Usage(completion.usage.prompt_tokens))

    def _leave(self, lane: Lane, call: Call) -> None:
        now = self._now()
        next_call = lane.leave(call, now)
        if next_call is not None or lane.waiting:
            self._hand_out(lane, next_call, now)

    def _serve(self, lane: Lane) -> None:
        """Time has passed: what may go now goes."""
        now = self._now()
        error = lane.circuit.error
        if error is not None and lane.circuit.gives_up(now):
            for call in lane.dismiss():
                waiter = self._waiting.pop((lane, call))
                if not waiter.turn.done():
                    waiter.turn.set_result(type(error)(*error.args))
        self._hand_out(lane, lane.take(now), now)

    def _hand_out(self, lane: Lane, call: Call | None, now: float) -> None:
        """Gives a place to a call, and to those that may go with it."""
        while call is not None:
            waiter = self._waiting.pop((lane, call))
            if waiter.turn.done():  # its asker was cancelled in this very moment: the place is free again
                call = lane.leave(call, now)
            else:
                waiter.has_place = True
                waiter.turn.set_result(None)
                call = lane.take(now)
        self._set_alarm(lane)

    def _set_alarm(self, lane: Lane) -> None:
        if lane.is_watched and lane.waiting and (due := lane.due(self._now())) is not None:
            self._alarms[lane].set(due)

    async def _in_time(self, backend: Backend, request: CompletionRequest, hold: Hold | None) -> Completion:
        """The backend's reply, unless the call's time or the run's is over first: then it counts as paid for.

        Raises `BackendUnavailable`, `BudgetSpent`.
        """
        purse, timeout_s = self._purse, self._timeout_s
        left_s = None if purse is None else purse.seconds_left
        if purse is None or left_s is None or (timeout_s is not None and timeout_s < left_s):
            with anyio.move_on_after(timeout_s):
                return await backend.complete(request)
            raise BackendUnavailable(backend.name, f"no reply within {timeout_s:g} s")
        if left_s > 0:
            with anyio.move_on_after(left_s):
                return await backend.complete(request)
        elif hold is not None:
            hold.cost_nothing()  # it was not sent
        raise purse.out_of_time()
