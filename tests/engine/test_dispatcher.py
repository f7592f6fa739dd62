"""Calls go when their backend has room, oldest dialog first, and again where that helps; one given up blocks none."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from playact.backends.scripted import ScriptedBackend
from playact.engine import CallRetried, CompletionRequest, VirtualClock, virtual_time
from playact.engine.budget import Account, Budget, Price, Prices, Purse
from playact.engine.bus import Bus
from playact.engine.completion import Completion, Message, Parameters, Usage
from playact.engine.dispatcher import Dispatcher
from playact.engine.errors import (
    BackendError,
    BackendOverloaded,
    BackendRefused,
    BackendUnavailable,
    BudgetSpent,
    ReplyInvalid,
)
from playact.engine.retry import Retry
from playact.engine.scheduler import Scheduler

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, Any]:
    return virtual_time(request.param)


class Caller:
    """A dialog as the dispatcher sees it."""

    account: Account | None = None
    diary = None

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.replies: list[str] = []

    def take_reply(self, request: CompletionRequest, completion: Completion, picodollars: int | None) -> None:
        self.replies.append(completion.text)


def request(sequence: int = 0) -> CompletionRequest:
    parameters = Parameters(max_tokens=10)
    return CompletionRequest(messages=(Message("user", "Hi"),), parameters=parameters, sequence=sequence, seed=sequence)


class Gate:
    """A backend's reply that waits to be let through; notes who is asking, in order."""

    def __init__(self) -> None:
        self.open = anyio.Event()
        self.asked: list[int] = []

    async def __call__(self, request: CompletionRequest) -> str:
        self.asked.append(request.sequence)
        await self.open.wait()
        return f"line {request.sequence}"


def dispatcher(bus: Bus, in_flight: int | None = None, purse: Purse | None = None, **retry: Any) -> Dispatcher:
    return Dispatcher(bus, Scheduler(concurrency=100), Retry(**retry), in_flight, purse=purse)


async def test_calls_that_wait_for_room_go_oldest_dialog_first() -> None:
    gate = Gate()
    backend = ScriptedBackend(gate)
    async with Bus("run", VirtualClock()) as bus:
        calls = dispatcher(bus, in_flight=1)
        async with anyio.create_task_group() as tasks:
            for number in (0, 7, 3, 5):
                tasks.start_soon(calls.complete, backend, request(number), Caller(number))
                await anyio.wait_all_tasks_blocked()
            assert gate.asked == [0]
            gate.open.set()

    assert gate.asked == [0, 3, 5, 7]


@pytest.mark.parametrize("given_up", [0, 3, 7])
async def test_a_call_that_is_given_up_leaves_its_place_to_the_next(given_up: int) -> None:
    gate = Gate()
    backend = ScriptedBackend(gate)
    callers = {number: Caller(number) for number in (0, 7, 3)}
    scopes = {number: anyio.CancelScope() for number in callers}
    async with Bus("run", VirtualClock()) as bus:
        calls = dispatcher(bus, in_flight=1)

        async def call(number: int) -> None:
            with scopes[number]:
                await calls.complete(backend, request(number), callers[number])

        async with anyio.create_task_group() as tasks:
            for number in callers:
                tasks.start_soon(call, number)
                await anyio.wait_all_tasks_blocked()
            scopes[given_up].cancel()
            await anyio.wait_all_tasks_blocked()
            gate.open.set()

    assert {number for number, caller in callers.items() if caller.replies} == {0, 3, 7} - {given_up}


async def test_the_smaller_limit_of_run_and_backend_holds() -> None:
    gate = Gate()
    backend = ScriptedBackend(gate, in_flight=5)
    async with Bus("run", VirtualClock()) as bus:
        calls = dispatcher(bus, in_flight=3)
        async with anyio.create_task_group() as tasks:
            for number in range(9):
                tasks.start_soon(calls.complete, backend, request(number), Caller(number))
            await anyio.wait_all_tasks_blocked()
            assert len(gate.asked) == 3
            gate.open.set()

    assert backend.statistics()["most_in_flight"] == 3


async def test_a_call_is_tried_again_after_its_wait_and_tells_of_it() -> None:
    def shaky(request: CompletionRequest) -> str:
        if request.attempt < 2:
            raise BackendUnavailable("scripted", "cut")
        return "at last"

    clock = VirtualClock()
    async with Bus("run", clock) as bus:
        retries = bus.subscribe(CallRetried)
        calls = dispatcher(bus, first_s=8.0)
        completion = await calls.complete(ScriptedBackend(shaky), request(), Caller())
        waited = clock.now()
        retries.close()
        told = [record.fact async for record in retries]

    assert completion.text == "at last"
    assert [fact.attempt for fact in told if isinstance(fact, CallRetried)] == [1, 2]
    assert waited == pytest.approx(sum(fact.wait_s for fact in told if isinstance(fact, CallRetried)))
    assert (calls.answered.calls, calls.failed_calls, calls.retries) == (1, 2, 2)


async def test_others_go_on_while_a_call_waits_to_be_tried_again() -> None:
    def model(request: CompletionRequest) -> str:
        if request.sequence == 0 and request.attempt == 0:
            raise BackendOverloaded("scripted", "429", 100.0)
        return f"line {request.sequence}"

    finished: list[int] = []
    backend = ScriptedBackend(model)
    async with Bus("run", VirtualClock()) as bus:
        calls = dispatcher(bus, in_flight=1)

        async def call(number: int) -> None:
            await calls.complete(backend, request(number), Caller(number))
            finished.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(call, number)
                await anyio.wait_all_tasks_blocked()

    assert finished == [1, 2, 0]


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (BackendRefused("scripted", "no such model"), 1),
        (ReplyInvalid("scripted", "half of a reply"), 1),
        (BackendOverloaded("scripted", "come back tomorrow", 86_400.0), 1),
        (BackendOverloaded("scripted", "429", 1.0), 4),
        (BackendUnavailable("scripted", "cut"), 4),
    ],
)
async def test_the_last_error_is_raised_when_trying_again_is_of_no_use(error: BackendError, tries: int) -> None:
    def fails(request: CompletionRequest) -> str:
        raise error

    backend = ScriptedBackend(fails)
    async with Bus("run", VirtualClock()) as bus:
        with pytest.raises(type(error)):
            await dispatcher(bus, attempts=4).complete(backend, request(), Caller())

    assert backend.statistics()["calls"] == tries


async def test_a_call_that_cannot_be_paid_for_leaves_its_place_and_is_not_sent() -> None:
    backend = ScriptedBackend(lambda request: Completion(text="Hi", usage=Usage(1, 1)), in_flight=1)
    async with Bus("run", VirtualClock()) as bus:
        purse = Purse(Budget(calls=2), Prices({}), seconds=lambda: 0.0)
        calls = dispatcher(bus, purse=purse)
        for number in range(2):
            await calls.complete(backend, request(number), Caller(number))
        for number in range(2, 5):
            with pytest.raises(BudgetSpent):
                await calls.complete(backend, request(number), Caller(number))

    assert backend.statistics()["calls"] == 2


async def test_whoever_waits_for_money_holds_up_no_call_that_costs_none() -> None:
    gate = Gate()
    dear, cheap = ScriptedBackend(gate, name="dear"), ScriptedBackend(name="cheap")
    prices = Prices({"dear": Price(0, 10**11, 0), "cheap": Price(0, 0, 0)})
    async with Bus("run", VirtualClock()) as bus:
        purse = Purse(Budget(usd=1), prices, seconds=lambda: 0.0)
        calls = dispatcher(bus, purse=purse)
        async with anyio.create_task_group() as tasks:
            for number in (2, 3):
                tasks.start_soon(calls.complete, dear, request(number), Caller(number))
                await anyio.wait_all_tasks_blocked()

            assert (await calls.complete(cheap, request(9), Caller(9))).text

            tasks.cancel_scope.cancel()

    assert gate.asked == [2]


async def test_a_reply_is_taken_before_the_call_counts_as_over() -> None:
    """So that, with a journal, what a reply cost is never missing from it while it is no longer reserved."""
    seen: list[int] = []

    class Watchful(Caller):
        def take_reply(self, request: CompletionRequest, completion: Completion, picodollars: int | None) -> None:
            seen.append(purse.account.reserved.calls)

    async with Bus("run", VirtualClock()) as bus:
        purse = Purse(Budget(calls=9), Prices({}), seconds=lambda: 0.0)
        await dispatcher(bus, purse=purse).complete(ScriptedBackend(), request(), Watchful())

    assert seen == [1]
    assert purse.account.reserved.calls == 0
