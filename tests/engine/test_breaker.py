"""A backend that is down is left alone, but for one call now and then; its calls wait, and cost no dialog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from playact.backends.scripted import ScriptedBackend
from playact.engine import CircuitClosed, CircuitOpened, CompletionRequest, VirtualClock, virtual_time
from playact.engine.breaker import Breaker, Circuit
from playact.engine.bus import Bus
from playact.engine.completion import Completion, Message
from playact.engine.dispatcher import Dispatcher
from playact.engine.errors import BackendOverloaded, BackendRefused, BackendUnavailable
from playact.engine.retry import Retry
from playact.engine.scheduler import Call, Scheduler

DOWN = BackendUnavailable("scripted", "cannot connect", may_have_cost=False)
BUSY = BackendOverloaded("scripted", "HTTP 503")


def circuit(**breaker: Any) -> Circuit:
    """Of a backend that has answered somebody."""
    made = Circuit(Breaker(**breaker))
    made.answered(0.0)
    return made


def fail(circuit: Circuit, *dialogs: int, now: float = 0.0, calls: int = 100, in_flight: int = 100) -> list[bool]:
    calls_failed = [Call(dialog, 0) for dialog in dialogs]
    return [circuit.failed(call, DOWN, calls=calls, in_flight=in_flight, now=now) for call in calls_failed]


def test_so_many_failures_in_a_row_open_it() -> None:
    breaker = circuit(failures=4)

    assert fail(breaker, 1, 2, 3, 4) == [False, False, False, True]
    assert breaker.is_holding
    assert not breaker.lets(0.9)


def test_an_answer_between_begins_the_count_anew() -> None:
    breaker = circuit(failures=3)
    fail(breaker, 1, 2)
    breaker.answered(0.0)

    assert not any(fail(breaker, 3, 4))


def test_one_call_counts_three_times_at_the_most() -> None:
    breaker = circuit(failures=4)

    assert not any(fail(breaker, *[1] * 20))
    assert fail(breaker, 2) == [True]


def test_where_there_are_few_calls_three_failures_of_each_do() -> None:
    breaker = circuit()

    assert fail(breaker, 1, 2, 1, 2, 1, 2, calls=2) == [False] * 5 + [True]


def test_a_backend_that_has_answered_nobody_is_not_down_but_not_there() -> None:
    breaker = Circuit(Breaker(failures=1))

    assert not any(fail(breaker, *range(100)))


def test_without_failures_it_never_opens() -> None:
    breaker = circuit(failures=None)

    assert not any(fail(breaker, *range(100)))
    assert breaker.is_idle


def test_a_busy_backend_counts_as_down_only_when_nothing_is_under_way_in_it() -> None:
    breaker = circuit(failures=1)

    assert not breaker.failed(Call(1, 0), BUSY, calls=9, in_flight=2, now=0.0)
    assert breaker.failed(Call(2, 0), BUSY, calls=9, in_flight=1, now=0.0)


def test_one_call_tries_after_waits_that_double_up_to_the_longest() -> None:
    breaker, now, waits = circuit(failures=1, first_s=1.0, longest_s=5.0), 0.0, []
    fail(breaker, 0)
    for dialog in range(1, 5):
        waits.append(breaker.tries_at - now)
        now = breaker.tries_at
        assert breaker.lets(now)
        breaker.goes(Call(dialog, 0))
        assert not breaker.lets(now)
        fail(breaker, dialog, now=now)
        breaker.over(Call(dialog, 0))

    assert waits == [1.0, 2.0, 4.0, 5.0]


def test_the_call_to_try_with_is_the_one_that_failed_least_then_the_oldest() -> None:
    breaker = circuit(failures=1)
    fail(breaker, 1, 1, 2)

    assert sorted([Call(1, 0), Call(2, 0), Call(4, 0), Call(3, 0)], key=breaker.order) == [
        Call(3, 0),
        Call(4, 0),
        Call(2, 0),
        Call(1, 0),
    ]


def test_an_answer_closes_it_and_tells_how_long_it_was_open() -> None:
    breaker = circuit(failures=1)
    fail(breaker, 1, now=10.0)

    assert breaker.answered(52.0) == 42.0
    assert breaker.lets(52.0)
    assert breaker.is_idle


def test_a_try_that_is_given_up_makes_room_for_another() -> None:
    breaker = circuit(failures=1)
    fail(breaker, 1)
    breaker.goes(Call(2, 0))

    breaker.over(Call(2, 0))

    assert breaker.lets(1.0)


def test_it_gives_up_once_and_lets_all_go_then() -> None:
    breaker = circuit(failures=1, gives_up_after_s=60.0)
    fail(breaker, 1)

    assert [breaker.gives_up(now) for now in (59.9, 60.0, 61.0)] == [False, True, False]
    assert breaker.lets(61.0)
    assert not any(fail(breaker, *range(50)))


def test_a_call_that_failed_to_the_end_while_others_did_not_opens_it_no_more() -> None:
    """So the second chance of a dialog whose request kills the server delays nobody."""
    breaker = circuit()
    fail(breaker, 7)
    breaker.suspects(Call(7, 0))
    breaker.answered(0.0)

    assert not any(fail(breaker, 7, 7, 7, 7, calls=1))


@pytest.mark.parametrize("breaker", [{"failures": 0}, {"first_s": 0.0}, {"first_s": 9.0, "longest_s": 1.0}])
def test_settings_that_make_no_sense_are_refused(breaker: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"at least 1|above 0"):
        Breaker(**breaker)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, Any]:
    return virtual_time(request.param)


class Caller:
    """A dialog as the dispatcher sees it: five calls, one after the other, each ten seconds after the last."""

    account = None
    diary = None

    def __init__(self, number: int) -> None:
        self.number = number
        self.error: Exception | None = None
        self.replies = 0

    def take_reply(self, request: CompletionRequest, completion: Completion, picodollars: int | None) -> None:
        self.replies += 1

    async def call(self, calls: Dispatcher, backend: ScriptedBackend) -> None:
        message = Message("user", "Hi")
        try:
            for sequence in range(5):
                request = CompletionRequest(
                    messages=(message,), dialog=f"d{self.number}", sequence=sequence, seed=self.number
                )
                await calls.complete(backend, request, self)
                await anyio.sleep(10.0)
        except BackendUnavailable as error:
            self.error = error


class Outage:
    """A server that is down from one moment to another."""

    def __init__(self, begins_s: float, ends_s: float, error: Callable[[], Exception]) -> None:
        self.asked: list[float] = []
        self._begins_s = begins_s
        self._ends_s = ends_s
        self._error = error

    async def __call__(self, request: CompletionRequest) -> str:
        now = self.clock.now()
        self.asked.append(now)
        if self._begins_s <= now < self._ends_s:
            raise self._error()
        await anyio.sleep(0.2)
        return "line"

    clock: VirtualClock


async def played(callers: int, outage: Outage) -> tuple[list[Caller], float, list[Any]]:
    outage.clock = clock = VirtualClock()
    dialogs, backend = [Caller(number) for number in range(callers)], ScriptedBackend(outage)
    async with Bus("run", clock) as bus:
        facts = bus.subscribe(CircuitOpened, CircuitClosed)
        calls = Dispatcher(bus, Scheduler(concurrency=100), Retry())
        async with anyio.create_task_group() as tasks:
            for dialog in dialogs:
                tasks.start_soon(dialog.call, calls, backend)
        seconds = clock.now()
        facts.close()
        told = [record.fact async for record in facts]
        assert repr(calls._scheduler) == "<Scheduler 0/100 dialogs live, 0 calls waiting>"
    return dialogs, seconds, told


@pytest.mark.anyio
@pytest.mark.parametrize("error", [DOWN, BUSY])
@pytest.mark.parametrize("callers", [1, 2, 5, 60])
async def test_an_outage_of_two_minutes_costs_no_dialog_and_few_calls(callers: int, error: Exception) -> None:
    outage = Outage(5.0, 125.0, lambda: type(error)(*error.args))

    dialogs, seconds, told = await played(callers, outage)

    assert [dialog.error for dialog in dialogs] == [None] * callers
    assert all(dialog.replies == 5 for dialog in dialogs)
    assert seconds < 125 + 30 + 60
    assert [type(fact) for fact in told] == [CircuitOpened, CircuitClosed]
    assert sum(15 < at < 125 for at in outage.asked) <= 8


@pytest.mark.anyio
async def test_a_backend_that_stays_away_fails_its_calls_after_five_minutes() -> None:
    dialogs, seconds, _ = await played(20, Outage(5.0, 1e9, lambda: BackendUnavailable("scripted", "cannot connect")))

    assert all("cannot connect" in str(dialog.error) for dialog in dialogs)
    assert 300 < seconds < 400


@pytest.mark.anyio
async def test_a_backend_that_was_never_there_fails_its_calls_as_soon_as_retry_says() -> None:
    outage = Outage(0.0, 1e9, lambda: BackendUnavailable("scripted", "cannot connect"))

    dialogs, seconds, told = await played(20, outage)

    assert all(dialog.error for dialog in dialogs)
    assert seconds < 20
    assert told == []


@pytest.mark.anyio
async def test_a_call_that_can_never_succeed_fails_by_itself_and_holds_up_no_other() -> None:
    async def model(request: CompletionRequest) -> str:
        await anyio.sleep(0.2)
        if request.dialog == "d0":
            raise BackendUnavailable("scripted", "HTTP 500")
        return "line"

    clock, backend = VirtualClock(), ScriptedBackend(model)
    dialogs = [Caller(number) for number in range(4)]
    async with Bus("run", clock) as bus:
        calls = Dispatcher(bus, Scheduler(concurrency=100), Retry())
        async with anyio.create_task_group() as tasks:
            for dialog in dialogs:
                tasks.start_soon(dialog.call, calls, backend)

    assert [dialog.error is None for dialog in dialogs] == [False, True, True, True]
    assert clock.now() < 120


@pytest.mark.anyio
async def test_a_refusal_for_good_is_an_answer() -> None:
    async with Bus("run", VirtualClock()) as bus:
        calls = Dispatcher(bus, Scheduler(concurrency=1), Retry())

        def refuses(request: CompletionRequest) -> str:
            raise BackendRefused("scripted", "HTTP 400")

        with pytest.raises(BackendRefused):
            await calls.complete(ScriptedBackend(refuses), CompletionRequest(messages=()), Caller(0))

        assert calls._scheduler.lanes["scripted"].circuit.is_idle
