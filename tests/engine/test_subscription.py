"""Streams of records: lossless ones slow the publisher, latest-only ones never do."""

from __future__ import annotations

from dataclasses import dataclass

import anyio
import pytest

from playact.engine.bus import Bus
from playact.engine.messages import Fact

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Tick(Fact):
    number: int


@dataclass(frozen=True)
class Other(Fact):
    pass


async def publish(bus: Bus, count: int, done: list[int]) -> None:
    for number in range(count):
        await bus.scope.publish(Tick(number))
        done.append(number)


async def test_a_lossless_stream_slows_the_publisher_and_misses_nothing() -> None:
    done: list[int] = []
    read: list[int] = []
    async with Bus() as bus, bus.subscribe(Tick, capacity=3) as ticks, anyio.create_task_group() as tasks:
        tasks.start_soon(publish, bus, 10, done)
        await anyio.wait_all_tasks_blocked()
        assert done == [0, 1, 2]
        assert repr(ticks) == "<Subscription lossless 3/3 open>"

        async for record in ticks:
            assert isinstance(record.fact, Tick)
            read.append(record.fact.number)
            if len(read) == 10:
                break

    assert read == list(range(10))


async def test_a_latest_stream_holds_the_newest_record_and_counts_the_others() -> None:
    done: list[int] = []
    async with Bus() as bus, bus.subscribe(Tick, mode="latest") as ticks:
        await publish(bus, 10, done)

        assert (await anext(ticks)).fact == Tick(9)
        assert ticks.missed == 9


async def test_a_stream_has_only_the_kinds_it_asked_for() -> None:
    async with Bus() as bus, bus.subscribe(Other) as others:
        await bus.scope.publish(Tick(1), Other(), Tick(2))
        others.close()

        assert [record.fact async for record in others] == [Other()]


async def test_leaving_a_stream_lets_waiting_publishers_go_on() -> None:
    done: list[int] = []
    async with Bus() as bus, anyio.create_task_group() as tasks:
        async with bus.subscribe(Tick, capacity=1):
            tasks.start_soon(publish, bus, 5, done)
            await anyio.wait_all_tasks_blocked()
        await anyio.wait_all_tasks_blocked()

        assert done == [0, 1, 2, 3, 4]


async def test_a_stream_ends_with_the_run() -> None:
    ended = False

    async with Bus() as bus:
        ticks = bus.subscribe(Tick)
        await bus.scope.publish(Tick(1))
    async for _ in ticks:
        ended = True

    assert ended


async def test_what_was_published_is_told_in_order_though_its_publisher_is_cancelled_while_it_waits() -> None:
    async with Bus() as bus, bus.subscribe(Tick, capacity=1) as ticks:
        await bus.scope.publish(Tick(0))
        with anyio.move_on_after(0.01):
            await bus.scope.publish(Tick(1))
        assert (await anext(ticks)).fact == Tick(0)
        assert (await anext(ticks)).fact == Tick(1)
        await bus.scope.publish(Tick(2))

        assert (await anext(ticks)).fact == Tick(2)
