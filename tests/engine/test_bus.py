"""What the bus promises: one message at a time, in order, and nothing lost without a word."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import pytest

from playact.engine.actor import Actor, ActorRef, OnFailure, Supervision, handles
from playact.engine.bus import Bus
from playact.engine.errors import ActorStopped, CircularAsk, UnhandledMessage
from playact.engine.messages import ActorFailed, DeadLetter, Fact, Record, Request
from playact.engine.scope import Scope

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Work(Request[int]):
    """Asks for a number back; waits for the gate if there is one."""

    number: int
    gate: anyio.Event | None = None


@dataclass(frozen=True)
class Relay(Request[int]):
    to: ActorRef
    request: Request[int]


@dataclass(frozen=True)
class Pass(Request[int]):
    """Has an actor send a chain of numbers on to another by tell."""

    to: ActorRef
    numbers: range


@dataclass(frozen=True)
class Fail(Request[int]):
    reason: str = "broken"


@dataclass(frozen=True)
class Count(Request[int]):
    pass


@dataclass(frozen=True)
class Counted(Fact):
    number: int


class Worker(Actor):
    def __init__(self, seen: list[int] | None = None) -> None:
        self.seen = [] if seen is None else seen
        self.running = 0
        self.total = 0

    def fold(self, fact: Fact) -> None:
        if isinstance(fact, Counted):
            self.total += fact.number

    @handles(Work)
    async def work(self, request: Work) -> int:
        assert self.running == 0, "two messages at once"
        self.running += 1
        if request.gate is not None:
            await request.gate.wait()
        self.seen.append(request.number)
        self.running -= 1
        return request.number

    @handles(Relay)
    async def relay(self, request: Relay) -> int:
        return await self.ask(request.to, request.request)

    @handles(Pass)
    async def pass_on(self, request: Pass) -> int:
        for number in request.numbers:
            await self.tell(request.to, Work(number))
        return len(request.numbers)

    @handles(Fail)
    async def fail(self, request: Fail) -> int:
        self.total = -1000  # half-way state that a restart must not keep
        raise ValueError(request.reason)

    @handles(Count)
    async def count(self, request: Count) -> int:
        return self.total


class Listener(Actor):
    def __init__(self, heard: list[int], gate: anyio.Event | None = None) -> None:
        self.heard = heard
        self.gate = gate

    @handles(Counted)
    async def hear(self, record: Record[Counted]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if record.fact.number < 0:
            raise ValueError("below zero")
        self.heard.append(record.fact.number)


@asynccontextmanager
async def a_scope(bus: Bus, name: str = "dialog") -> AsyncIterator[Scope]:
    with anyio.CancelScope() as cancel_scope:
        scope = bus.open_scope(name, cancel_scope)
        try:
            yield scope
        finally:
            scope.close()


async def settled() -> None:
    await anyio.wait_all_tasks_blocked()


async def test_an_ask_returns_what_the_handler_returned() -> None:
    async with Bus() as bus, a_scope(bus) as scope:
        ada, bob = scope.spawn(Worker, name="ada"), scope.spawn(Worker, name="bob")

        assert await scope.ask(ada, Relay(bob, Work(7))) == 7


async def test_a_busy_actor_handles_one_message_at_a_time_first_come_first_served() -> None:
    seen: list[int] = []
    gate = anyio.Event()
    async with Bus() as bus, a_scope(bus) as scope:
        ada = scope.spawn(partial(Worker, seen), name="ada")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(scope.ask, ada, Work(0, gate))
            await settled()
            for number in range(1, 6):
                ask: Callable[..., Coroutine[Any, Any, int]] = (
                    scope.ask if number % 2 else bus.ask
                )  # inline and mailbox, mixed
                tasks.start_soon(ask, ada, Work(number))
                await settled()
            assert repr(ada) == "<ActorRef dialog/ada busy 5/1024>"
            gate.set()

    assert seen == [0, 1, 2, 3, 4, 5]


async def test_messages_of_one_sender_are_handled_in_the_order_sent() -> None:
    seen: list[int] = []
    async with Bus() as bus, a_scope(bus, "one") as one, a_scope(bus, "two") as two:
        ada = one.spawn(Worker, name="ada")
        bob = two.spawn(partial(Worker, seen), name="bob", capacity=3)

        await one.ask(ada, Pass(bob, range(50)))
        await bus.ask(bob, Work(50))

    assert seen == list(range(51))


async def test_a_full_mailbox_makes_the_sender_wait_until_there_is_room() -> None:
    seen: list[int] = []
    gate = anyio.Event()
    async with Bus() as bus, a_scope(bus) as scope:
        ada = scope.spawn(partial(Worker, seen), name="ada", capacity=2)
        await bus.tell(ada, Work(0, gate))
        await settled()
        await bus.tell(ada, Work(1))
        await bus.tell(ada, Work(2))

        with anyio.move_on_after(0.01) as waiting:
            await bus.tell(ada, Work(99))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bus.tell, ada, Work(3))
            await settled()
            gate.set()
        await bus.ask(ada, Work(4))

    assert waiting.cancelled_caught
    assert seen == [0, 1, 2, 3, 4]


async def test_an_actor_that_tells_itself_something_never_waits() -> None:
    seen: list[int] = []
    async with Bus() as bus, a_scope(bus) as scope:
        ada = scope.spawn(partial(Worker, seen), name="ada", capacity=1)

        assert await scope.ask(ada, Pass(ada, range(5))) == 5
        await settled()

    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("across", [False, True])
async def test_a_circular_ask_raises_and_names_the_cycle(across: bool) -> None:
    async with Bus() as bus, a_scope(bus, "a") as one, a_scope(bus, "b") as two:
        restarting = Supervision(OnFailure.RESTART)
        ada = one.spawn(Worker, name="ada", supervision=restarting)
        bob = (two if across else one).spawn(Worker, name="bob", supervision=restarting)

        with anyio.fail_after(5), pytest.raises(CircularAsk) as caught:
            await one.ask(ada, Relay(bob, Relay(ada, Work(1))))

    assert caught.value.cycle == (bob.id, ada.id, bob.id)


async def test_an_actor_that_asks_itself_is_a_circle_of_one() -> None:
    async with Bus() as bus, a_scope(bus) as scope:
        ada = scope.spawn(Worker, name="ada")

        with pytest.raises(CircularAsk, match="dialog/ada -> dialog/ada"):
            await scope.ask(ada, Relay(ada, Work(1)))


async def test_an_ask_of_a_stopped_actor_is_an_error() -> None:
    async with Bus() as bus:
        async with a_scope(bus) as scope:
            ada = scope.spawn(Worker, name="ada")

        for ask in (scope.ask, bus.ask):
            with pytest.raises(ActorStopped, match="dialog/ada has stopped"):
                await ask(ada, Work(1))


async def test_those_who_wait_for_an_actor_that_stops_are_told_so() -> None:
    async with Bus() as bus:
        outcomes: list[str] = []

        async def expect_a_stop(ask: Callable[..., Awaitable[int]], ref: ActorRef, request: Request[int]) -> None:
            try:
                await ask(ref, request)
            except ActorStopped:
                outcomes.append("stopped")

        async with anyio.create_task_group() as tasks, a_scope(bus) as scope:
            ada = scope.spawn(Worker, name="ada")
            tasks.start_soon(expect_a_stop, bus.ask, ada, Work(1, anyio.Event()))
            await settled()
            tasks.start_soon(expect_a_stop, bus.ask, ada, Work(2))
            tasks.start_soon(expect_a_stop, scope.ask, ada, Work(3))
            await settled()

    assert outcomes == ["stopped"] * 3


async def test_what_cannot_be_delivered_becomes_a_dead_letter_that_can_be_seen() -> None:
    async with Bus() as bus, bus.subscribe(DeadLetter) as dead_letters:
        async with a_scope(bus) as scope:
            ada = scope.spawn(Worker, name="ada")
            await bus.tell(ada, Work(0, anyio.Event()))
            await settled()
            await bus.tell(ada, Work(1))
        await bus.tell(ada, Work(2))
        await settled()

        letters = [(await anext(dead_letters)).fact for _ in range(bus.dead_letters)]

    assert bus.dead_letters == 3
    assert {letter.actor for letter in letters if isinstance(letter, DeadLetter)} == {"dialog/ada"}


async def test_the_asker_of_a_failing_actor_gets_its_exception() -> None:
    async with Bus() as bus, a_scope(bus) as scope:
        ada = scope.spawn(Worker, name="ada", supervision=Supervision(OnFailure.RESTART))
        bob = scope.spawn(Worker, name="bob", supervision=Supervision(OnFailure.RESTART))

        for ask in (scope.ask, bus.ask):
            with pytest.raises(ValueError, match="broken"):
                await ask(ada, Relay(bob, Fail()))


async def test_a_request_without_a_handler_is_an_error_that_says_so() -> None:
    async with Bus() as bus, a_scope(bus) as scope:
        ada = scope.spawn(partial(Listener, []), name="ada")

        with pytest.raises(UnhandledMessage, match="dialog/ada has no handler for Work"):
            await scope.ask(ada, Work(1))


async def test_a_restarted_actor_is_made_anew_from_the_facts_of_its_scope() -> None:
    async with Bus() as bus, a_scope(bus) as scope:
        ada = scope.spawn(Worker, name="ada", supervision=Supervision(OnFailure.RESTART))
        await scope.publish(Counted(3), Counted(4))

        with pytest.raises(ValueError, match="broken"):
            await scope.ask(ada, Fail())

        assert await scope.ask(ada, Count()) == 7
        assert bus.restarts == 1


async def test_a_handler_cancelled_half_way_leaves_no_half_state() -> None:
    async with Bus() as bus, a_scope(bus) as scope:
        ada = scope.spawn(Worker, name="ada")
        await scope.publish(Counted(5))

        with anyio.move_on_after(0.01):
            await scope.ask(ada, Work(1, anyio.Event()))

        assert await scope.ask(ada, Work(2)) == 2  # `running` would still be 1
        assert await scope.ask(ada, Count()) == 5


async def test_too_many_restarts_fail_the_scope() -> None:
    async with Bus() as bus:
        async with a_scope(bus) as scope:
            ada = scope.spawn(Worker, name="ada", supervision=Supervision(OnFailure.RESTART, restarts=2))
            for _ in range(2):
                with pytest.raises(ValueError, match="broken"):
                    await scope.ask(ada, Fail())
            assert scope.failure is None
            with pytest.raises(ValueError, match="broken"):
                await scope.ask(ada, Fail())

        assert isinstance(scope.failure, ValueError)
        assert bus.scope.failure is None


async def test_a_failure_told_rather_than_asked_fails_the_scope_and_no_other() -> None:
    async with Bus() as bus, a_scope(bus, "other") as other:
        survivor = other.spawn(Worker, name="bob")
        async with a_scope(bus) as scope:
            ada = scope.spawn(Worker, name="ada")
            await bus.tell(ada, Fail())
            await anyio.sleep_forever()

        assert isinstance(scope.failure, ValueError)
        assert await other.ask(survivor, Work(1)) == 1


async def test_an_actor_may_stop_the_run_and_the_run_raises_its_exception() -> None:
    with pytest.raises(ValueError, match="enough"):
        async with Bus() as bus, a_scope(bus) as scope:
            ada = scope.spawn(Worker, name="ada", supervision=Supervision(OnFailure.STOP_RUN))
            await bus.tell(ada, Fail("enough"))
            await anyio.sleep_forever()


async def test_failures_are_published_with_the_decision_taken() -> None:
    async with Bus() as bus, bus.subscribe(ActorFailed) as failures, a_scope(bus) as scope:
        ada = scope.spawn(Worker, name="ada", supervision=Supervision(OnFailure.RESTART))
        with pytest.raises(ValueError, match="broken"):
            await scope.ask(ada, Fail())

        assert (await anext(failures)).fact == ActorFailed("dialog/ada", "ValueError: broken", "restart")


async def test_an_error_of_the_caller_leaves_the_bus_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Bus():
            raise ZeroDivisionError


async def test_cancelling_one_scope_cancels_only_its_own_work() -> None:
    heard: list[int] = []
    gate = anyio.Event()
    async with Bus() as bus:
        evaluator = bus.scope.spawn(partial(Listener, heard, gate), name="evaluator")
        bus.scope.subscribe(evaluator, Counted)
        async with a_scope(bus) as scope:
            await scope.publish(Counted(1))
            await settled()
            scope.cancel()
            await anyio.sleep_forever()
        gate.set()
        await settled()

    assert heard == [1]  # the evaluator's handler was in the middle of it and went on


async def test_subscribers_of_the_scope_and_of_the_run_get_every_record_in_order() -> None:
    near: list[int] = []
    far: list[int] = []
    async with Bus("run-1") as bus:
        bus.scope.subscribe(bus.scope.spawn(partial(Listener, far), name="far", capacity=2), Counted)
        stream = bus.subscribe(Counted)
        async with a_scope(bus) as scope:
            scope.subscribe(scope.spawn(partial(Listener, near), name="near"), Counted)
            for number in range(20):
                await scope.publish(Counted(number))
            await settled()

        records = [await anext(stream) for _ in range(20)]

    assert near == far == list(range(20))
    assert [(record.run, record.dialog, record.sequence) for record in records[:2]] == [
        ("run-1", "dialog", 0),
        ("run-1", "dialog", 1),
    ]


async def test_a_failing_subscriber_harms_neither_the_publisher_nor_other_subscribers() -> None:
    heard: list[int] = []
    async with Bus() as bus, a_scope(bus) as scope:
        restarting = Supervision(OnFailure.RESTART)
        bus.scope.subscribe(bus.scope.spawn(partial(Listener, []), name="bad", supervision=restarting), Counted)
        scope.subscribe(scope.spawn(partial(Listener, []), name="near", supervision=restarting), Counted)
        scope.subscribe(scope.spawn(partial(Listener, heard), name="good", supervision=restarting), Counted)

        await scope.publish(Counted(-1), Counted(1))
        await settled()

    assert heard == [1]


async def test_leaving_the_bus_stops_every_actor_and_calls_its_hook() -> None:
    stopped: list[str] = []

    class Closing(Worker):
        def stopped(self) -> None:
            stopped.append(self.self_ref.id)

    async with Bus() as bus:
        bus.scope.spawn(Closing, name="ada")

    assert stopped == ["run/ada"]
