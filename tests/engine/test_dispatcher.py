"""Calls go when their backend has room, oldest dialog first, and again where that helps; one given up blocks none."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from playact.backends.scripted import ScriptedBackend
from playact.engine import CallRetried, CompletionRequest, PaceSlowed, VirtualClock, virtual_time
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
from playact.engine.pace import Pace
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


def dispatcher(
    bus: Bus, in_flight: int | None = None, purse: Purse | None = None, pace: Pace | None = None, **retry: Any
) -> Dispatcher:
    paces = {} if pace is None else {"": pace}
    return Dispatcher(bus, Scheduler(concurrency=100), Retry(**retry), in_flight, paces=paces, purse=purse)


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
            raise BackendUnavailable("scripted", "cut")
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


@pytest.mark.parametrize(("seconds", "error"), [(None, BackendUnavailable), (60, BackendUnavailable), (3, BudgetSpent)])
async def test_a_call_that_takes_too_long_is_given_up_by_whichever_time_is_over_first(
    seconds: int | None, error: type[Exception]
) -> None:
    gate = Gate()
    async with Bus("run", VirtualClock()) as bus:
        purse = None
        if seconds is not None:
            purse = Purse(Budget(seconds=seconds), Prices.load(), seconds=bus.clock.now)
        calls = Dispatcher(bus, Scheduler(concurrency=1), Retry(attempts=2, first_s=2), purse=purse, timeout_s=5)

        with pytest.raises(error, match="no reply within 5 s" if error is BackendUnavailable else "budget"):
            await calls.complete(ScriptedBackend(gate), request(), Caller())

        assert bus.clock.now() == pytest.approx(3 if seconds == 3 else 11.5, abs=0.6)

    assert gate.asked == [0] * (1 if seconds == 3 else 2)


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


class Times:
    """A backend's reply after a second; notes when each call came, in order, by the number of its dialog."""

    def __init__(self, clock: VirtualClock, takes_s: float = 1.0) -> None:
        self.clock = clock
        self.came: list[tuple[float, int]] = []
        self._takes_s = takes_s

    async def __call__(self, request: CompletionRequest) -> str:
        self.came.append((round(self.clock.now(), 2), request.sequence))
        await anyio.sleep(self._takes_s)
        return f"line {request.sequence}"


async def test_no_more_requests_are_sent_in_any_minute_than_may_be_and_none_waits_longer_than_it_must() -> None:
    clock = VirtualClock()
    times = Times(clock)
    async with Bus("run", clock) as bus:
        calls = dispatcher(bus, pace=Pace(requests_per_minute=10))
        async with anyio.create_task_group() as tasks:
            for number in range(35):
                tasks.start_soon(calls.complete, ScriptedBackend(times), request(number), Caller(number))

    assert [at for at, _ in times.came] == [0.0] * 10 + [60.0] * 10 + [120.0] * 10 + [180.0] * 5
    numbers = [number for _, number in times.came]
    assert max(numbers[10:20]) < min(numbers[20:30])
    assert max(numbers[20:30]) < min(numbers[30:])


async def test_no_more_tokens_are_sent_in_any_minute_than_may_be() -> None:
    clock = VirtualClock()
    times = Times(clock)

    async def model(request: CompletionRequest) -> Completion:
        return Completion(text=await times(request), usage=Usage(40, 10))

    async with Bus("run", clock) as bus:
        calls = dispatcher(bus, pace=Pace(tokens_per_minute=200))
        for number in range(20):
            await calls.complete(ScriptedBackend(model), request(number), Caller(number))

    assert clock.now() == pytest.approx(60 * 4 + 4, abs=0.01)
    for at, _ in times.came:
        assert sum(50 for other, _ in times.came if at - 60 < other <= at) <= 200


async def test_nobody_asks_a_backend_before_its_retry_after_is_over_and_then_one_goes_first() -> None:
    clock = VirtualClock()
    times = Times(clock)

    async def model(request: CompletionRequest) -> str:
        if clock.now() < 30.0:
            times.came.append((clock.now(), request.sequence))
            raise BackendOverloaded("scripted", "429", 30.0 - clock.now())
        return await times(request)

    async with Bus("run", clock) as bus:
        calls = dispatcher(bus)
        async with anyio.create_task_group() as tasks:
            for number, begins_s in enumerate((0.0, 5.0, 7.0, 9.0)):

                async def call(number: int = number, begins_s: float = begins_s) -> None:
                    await anyio.sleep(begins_s)
                    await calls.complete(ScriptedBackend(model), request(number), Caller(number))

                tasks.start_soon(call)

    assert times.came[:2] == [(0.0, 0), (30.0, 1)]
    assert all(at >= 31.0 for at, _ in times.came[2:])
    assert {number for _, number in times.came} == {0, 1, 2, 3}


@pytest.mark.parametrize("given_up", [1, 2, 4])
async def test_a_paced_call_that_is_given_up_leaves_nothing_behind(given_up: int) -> None:
    clock = VirtualClock()
    times = Times(clock)
    scopes = [anyio.CancelScope() for _ in range(5)]
    async with Bus("run", clock) as bus:
        calls = dispatcher(bus, pace=Pace(requests_per_minute=1))

        async def call(number: int) -> None:
            with scopes[number]:
                await calls.complete(ScriptedBackend(times), request(number), Caller(number))

        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(call, number)
                await anyio.wait_all_tasks_blocked()
            scopes[given_up].cancel()

        assert [number for _, number in times.came] == [number for number in range(5) if number != given_up]
        assert [at for at, _ in times.came] == [0.0, 60.0, 120.0, 180.0]
        lane = calls._scheduler.lanes["scripted"]
        assert (lane.in_flight, lane.waiting, lane.resting, calls._waiting) == (0, 0, 0, {})
        assert repr(calls._alarms[lane]) == "<Alarm not set>"


async def test_paced_calls_are_ended_by_the_cap_on_the_runs_time() -> None:
    clock = VirtualClock()
    times = Times(clock)
    async with Bus("run", clock) as bus:
        purse = Purse(Budget(seconds=100), Prices({}), seconds=clock.now)
        calls = dispatcher(bus, purse=purse, pace=Pace(requests_per_minute=1))
        spent: list[int] = []

        async def call(number: int) -> None:
            try:
                await calls.complete(ScriptedBackend(times), request(number), Caller(number))
            except BudgetSpent:
                spent.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(call, number)
                await anyio.wait_all_tasks_blocked()

    assert clock.now() == pytest.approx(100.0)
    assert sorted(spent) == [2, 3, 4]
    assert calls._scheduler.lanes["scripted"].in_flight == 0


async def test_a_call_that_waits_for_money_while_its_backend_goes_away_is_not_sent_before_it_is_back() -> None:
    clock = VirtualClock()
    came: list[tuple[float, int]] = []

    async def model(request: CompletionRequest) -> Completion:
        came.append((round(clock.now(), 2), request.sequence))
        await anyio.sleep(1.0)
        if request.sequence == 0 and request.attempt == 0:
            raise BackendOverloaded("scripted", "429", 20.0)
        return Completion(text="line", usage=Usage(1, 1))

    async with Bus("run", clock) as bus:
        prices = Prices({"scripted": Price(10**11, 10**10, 10**10)})
        purse = Purse(Budget(usd=20), prices, seconds=lambda: 0.0)
        calls = dispatcher(bus, purse=purse)
        async with anyio.create_task_group() as tasks:
            for number in range(2):
                tasks.start_soon(calls.complete, ScriptedBackend(model), request(number), Caller(number))
                await anyio.wait_all_tasks_blocked()

    assert came[0] == (0.0, 0)
    assert all(at >= 21.0 for at, _ in came[1:])
    assert {number for _, number in came} == {0, 1}


async def test_a_burst_on_a_server_with_few_places_is_served_without_a_call_lost() -> None:
    """It refuses at once whatever is above 20 calls; with six attempts each, all 400 come through."""
    under_way = refused = most = 0

    async def model(request: CompletionRequest) -> str:
        nonlocal under_way, refused, most
        await anyio.sleep(0.01)
        if under_way >= 20:
            refused += 1
            raise BackendOverloaded("scripted", "429", 1.0)
        under_way += 1
        try:
            await anyio.sleep(1.0)
        finally:
            under_way -= 1
        return "line"

    clock = VirtualClock()
    callers = [Caller(number) for number in range(400)]
    async with Bus("run", clock) as bus:
        slowed = bus.subscribe(PaceSlowed)
        calls = dispatcher(bus)
        async with anyio.create_task_group() as tasks:
            for caller in callers:
                tasks.start_soon(calls.complete, ScriptedBackend(model), request(caller.number), caller)
        slowed.close()
        told = [record.fact async for record in slowed]
        window = calls._scheduler.lanes["scripted"].pacer.most_in_flight

    assert all(caller.replies for caller in callers)
    assert window is not None
    assert 15 <= window <= 21
    assert refused < 2 * 400
    assert 1 <= len(told) <= 8
    assert clock.now() < 2 * 400 / 20


async def test_what_a_lane_waits_for_is_told() -> None:
    clock = VirtualClock()
    async with Bus("run", clock) as bus:
        calls = dispatcher(bus, pace=Pace(requests_per_minute=2, in_flight=9))
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(calls.complete, ScriptedBackend(Times(clock)), request(number), Caller(number))
            await anyio.sleep(10.0)

            now = calls._scheduler.lanes["scripted"].statistics(clock.now())

            tasks.cancel_scope.cancel()

    assert (now.in_flight, now.waiting, now.limit, now.waits_for) == (0, 3, 9, "pace")
    assert now.looks_again_s == pytest.approx(50.0)
