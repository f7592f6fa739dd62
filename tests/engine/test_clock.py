"""Virtual time: hours pass at once, in the right order, on both event loops."""

from __future__ import annotations

from typing import Literal

import anyio
import pytest

from playact.engine.clock import RealClock, VirtualClock, virtual_time

Library = Literal["asyncio", "trio"]
on_both = pytest.mark.parametrize("library", ["asyncio", "trio"])


@on_both
def test_a_thousand_sleepers_wake_in_order_without_real_time_passing(library: Library) -> None:
    woken: list[int] = []
    real = RealClock()

    async def main() -> float:
        clock = VirtualClock()
        start = clock.now()

        async def sleeper(number: int) -> None:
            await clock.sleep(3600 + number)
            woken.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(999, -1, -1):
                tasks.start_soon(sleeper, number)
        return clock.now() - start

    backend, options = virtual_time(library)
    before = real.now()
    passed = anyio.run(main, backend=backend, backend_options=dict(options))

    assert woken == list(range(1000))
    assert passed == pytest.approx(3600 + 999)
    assert real.now() - before < 60


@on_both
def test_time_limits_run_on_virtual_time_too(library: Library) -> None:
    async def main() -> bool:
        with anyio.move_on_after(86_400) as limit:
            await anyio.sleep_forever()
        return limit.cancelled_caught

    backend, options = virtual_time(library)
    assert anyio.run(main, backend=backend, backend_options=dict(options))


@on_both
def test_the_virtual_wall_clock_starts_at_its_epoch_and_repeats_exactly(library: Library) -> None:
    async def main() -> list[float]:
        clock = VirtualClock(epoch=1000.0)
        times = [clock.wall()]
        await clock.sleep(2.5)
        return [*times, clock.wall()]

    backend, options = virtual_time(library)
    assert anyio.run(main, backend=backend, backend_options=dict(options)) == [1000.0, 1002.5]


@on_both
def test_time_limits_hold_also_after_a_century(library: Library) -> None:
    """So far from its beginning a loop's time is no longer exact to the nanosecond."""

    async def main() -> float:
        for _ in range(100):
            await anyio.sleep(365 * 86_400)
        start = anyio.current_time()
        with anyio.move_on_after(10):
            await anyio.Event().wait()
        return anyio.current_time() - start

    backend, options = virtual_time(library)
    assert anyio.run(main, backend=backend, backend_options=dict(options)) == pytest.approx(10)
