"""A backend around a backend that is slow, fails, hangs and bills, and keeps the provider's books."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random

import anyio

from ..budget.budget import Budget
from ..budget.prompt_size import most_tokens
from ..completion import Backend, Completion, CompletionRequest, Usage
from ..errors import BackendError, BackendOverloaded, BackendRefused, BackendUnavailable, ReplyInvalid
from ..models import Models
from ..seeds import generator
from .ledger import CallKey, Ledger
from .plan import Plan, Storm
from .world import World

__all__ = ["FaultyNetwork", "OneModel"]

_TIMEOUT_S = 30.0
_RETRY_AFTER_S = 1.0
_ROUNDING_S = 1e-6  # of virtual time
_LONGEST_REPLY = 64  # tokens
_CALM = Storm()
_FREE = ("overloaded", "unavailable", "refused", "dead")  # those that nobody can charge for


class FaultyNetwork:
    """What befalls a call depends on its dialog, its number and its attempt, never on when it is made.

    It looks on as the provider does, and tells the world when a limit is exceeded or a reply is asked for twice.
    `is_calm`: no faults, for the reference that all else is compared with.
    """

    def __init__(self, backend: Backend, plan: Plan, world: World, ledger: Ledger, *, is_calm: bool = False) -> None:
        self.name = backend.name
        self.capabilities = replace(backend.capabilities, max_tokens=_LONGEST_REPLY)
        self.budget: Budget | None = None
        self.away_until = 0.0  # it said to come back then; monotonic seconds
        self.sent: deque[float] = deque()  # when the calls of the last minute came
        self.call_off: Callable[[str], bool] = lambda dialog: False
        self.live: set[int] = set()  # dialogs that have asked something and were not taken yet
        self.recorded: set[CallKey] = set()  # replies that were in the journal when this session began
        self._backend = backend
        self._plan = plan
        self._storm = _CALM if is_calm else plan.storm
        self._world = world
        self._ledger = ledger

    async def open(self) -> None:
        await self._backend.open()

    async def aclose(self) -> None:
        await self._backend.aclose()

    def begin_session(self, recorded: set[CallKey], budget: Budget | None) -> None:
        self.recorded, self.budget, self.live = recorded, budget, set()
        self.away_until = 0.0
        self.sent.clear()
        self._ledger.begin_session()

    async def complete(self, request: CompletionRequest) -> Completion:
        if self._world.is_dead:
            await anyio.sleep_forever()
        key = (self._world.numbers.get(request.dialog, -1), request.sequence)
        luck = generator(self._plan.seed, "call", *key, request.attempt)
        fault = self._fault(luck, request.attempt, key)
        usage = self._usage(request, key)
        self._receive(key, request.attempt, fault, usage)
        try:
            await anyio.sleep(luck.expovariate(1.0) * self._plan.latency_s)
            await self._befall(fault, request.dialog, luck)
            completion = replace(await self._backend.complete(request), usage=usage)
            if not self._world.is_dead:
                self._give(key, usage)
        except BaseException as error:
            if not (isinstance(error, BackendError) and fault in _FREE):
                self._ledger.wasted += 1
            raise
        finally:
            if not self._world.is_dead:
                self._ledger.pending[key] -= 1
        return completion

    def _fault(self, luck: Random, attempt: int, key: CallKey) -> str | None:
        storm = self._storm
        share = generator(self._plan.seed, "hopeless", *key).random() if storm.is_hopeless else 1.0
        for fault in ("refused", "dead", "called_off"):
            share -= getattr(storm, fault)
            if share < 0:
                return fault
        share = luck.random()
        for fault in ("overloaded", "unavailable", "cut", "hang", "malformed"):
            share -= getattr(storm, fault)
            if share < 0:
                # A turn is tried twice when replies are malformed, so no call may be malformed twice.
                return fault if attempt < (1 if fault == "malformed" else storm.tries) else None
        return None

    def _usage(self, request: CompletionRequest, key: CallKey) -> Usage:
        """Up to the most that a request may use, now and then exactly that."""
        luck = generator(self._plan.seed, "usage", *key)
        longest = min(_LONGEST_REPLY, request.parameters.max_tokens or _LONGEST_REPLY)
        prompt, reply = most_tokens(request), luck.randrange(1, longest + 1)
        if luck.random() < 0.8:
            prompt = luck.randrange(prompt // 2, prompt + 1)
        return Usage(prompt, reply, luck.randrange(prompt + 1))

    def _receive(self, key: CallKey, attempt: int, fault: str | None, usage: Usage) -> None:
        world, ledger, plan = self._world, self._ledger, self._plan
        dialog, sequence = key
        what = f"call {sequence} of dialog {dialog}"
        world.tell("call", dialog, sequence, f"attempt {attempt}", fault or "")
        ledger.calls += 1
        if key in self.recorded:
            world.breaks("no reply is paid for twice", f"{what} was asked again although the journal has its reply")
        if key in ledger.answered:
            world.breaks("no reply is paid for twice", f"{what} was asked again although it had been answered")
        if ledger.pending[key]:
            world.breaks("no reply is paid for twice", f"{what} was asked while the same call was under way")
        ledger.received.add(key)
        ledger.pending[key] += 1
        self.live.add(dialog)
        if len(self.live) > plan.concurrency and not plan.is_hopeless:
            message = f"{len(self.live)} dialogs are live, {plan.concurrency} may be: {sorted(self.live)}"
            world.breaks("no more dialogs are live than may be", message)
        self._check_pace(what)
        in_flight = ledger.pending.total()
        if plan.in_flight is not None and in_flight > plan.in_flight:
            world.breaks("no more calls are in flight than may be", f"{in_flight} are, {plan.in_flight} may be")
        if fault not in _FREE:
            ledger.bill(usage, plan.price.cost(usage))
            self._check_caps()

    def _check_pace(self, what: str) -> None:
        now, most, sent = self._world.clock.now(), self._plan.requests_per_minute, self.sent
        if now < self.away_until - _ROUNDING_S:
            message = f"{what} was sent {self.away_until - now:.3f} s too early"
            self._world.breaks("a backend that says when to come back is left alone until then", message)
        sent.append(now)
        while sent[0] <= now - 60.0 + _ROUNDING_S:
            sent.popleft()
        if most is not None and len(sent) > most:
            message = f"{what} was number {len(sent)} in a minute, {most} may be sent"
            self._world.breaks("no more calls are sent in a minute than may be", message)

    def _check_caps(self) -> None:
        budget, billed = self.budget, self._ledger.billed
        if budget is None:
            return
        for cap, used, unit in (
            (budget.calls, billed.calls, "calls"),
            (budget.tokens, billed.tokens, "tokens"),
            (budget.picodollars, billed.picodollars, "picodollars"),
        ):
            if cap is not None and used > cap:
                self._world.breaks("spending stays within its cap", f"{used} {unit} were billed, the cap is {cap}")

    async def _befall(self, fault: str | None, dialog: str, luck: Random) -> None:
        match fault:
            case "overloaded":
                self.away_until = max(self.away_until, self._world.clock.now() + _RETRY_AFTER_S)
                raise BackendOverloaded(self.name, "429: too many requests", _RETRY_AFTER_S)
            case "unavailable" | "dead":
                raise BackendUnavailable(self.name, "500: internal error", may_have_cost=False)
            case "refused":
                raise BackendRefused(self.name, "400: not this one")
            case "cut":
                raise BackendUnavailable(self.name, "the connection was cut")
            case "hang":
                await anyio.sleep(_TIMEOUT_S)
                raise BackendUnavailable(self.name, f"no answer within {_TIMEOUT_S:g} s")
            case "malformed":
                raise ReplyInvalid(self.name, "the reply is not JSON")
            case "called_off" if luck.random() < 0.7:  # a little later, whatever the dialog does then
                self._world.later(luck.random(), partial(self.call_off, dialog))
            case "called_off":
                self.call_off(dialog)
                await anyio.sleep_forever()

    def _give(self, key: CallKey, usage: Usage) -> None:
        cost = self._plan.price.cost(usage)
        self._world.tell("reply", *key, f"{usage.prompt_tokens}+{usage.completion_tokens} tokens")
        self._ledger.answered.add(key)
        self._ledger.times_given[key] += 1
        self._ledger.given[key] = (usage, cost)


class OneModel(Models):
    """Gives this one for any: whatever models orchestrators, moderators, seats and generators name is left aside."""

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self._backend = backend

    def get(self, model: str | Backend) -> Backend | None:
        return super().get(self._backend)

    async def open(self, model: str | Backend) -> Backend:
        return await super().open(self._backend)
