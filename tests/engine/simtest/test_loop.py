"""The loop of a simulation: its order is the seed's, its time is virtual, and it says when nothing can happen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable

import anyio
import pytest

from playact.engine.simtest.loop import Order, SeededLoop, Stuck


def played(main: Callable[[], Awaitable[None]], seed: int, order: Order = "steps") -> None:
    anyio.run(main, backend_options={"loop_factory": lambda: SeededLoop(seed, order)})


def order_of_steps(seed: int, order: Order = "steps") -> list[tuple[int, int]]:
    taken: list[tuple[int, int]] = []

    async def walk(task: int) -> None:
        for step in range(3):
            await anyio.lowlevel.checkpoint()
            taken.append((task, step))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for task in range(4):
                tasks.start_soon(walk, task)

    played(main, seed, order)
    return taken


@pytest.mark.parametrize("order", ["steps", "tasks"])
def test_seeds_give_many_orders_and_the_same_seed_the_same_one(order: Order) -> None:
    orders = [order_of_steps(seed, order) for seed in range(20)]

    assert len({tuple(each) for each in orders}) >= 8
    assert orders == [order_of_steps(seed, order) for seed in range(20)]


def test_no_task_is_reordered_with_itself() -> None:
    for seed in range(20):
        taken = order_of_steps(seed)

        assert all([step for task, step in taken if task == each] == [0, 1, 2] for each in range(4))


def test_in_order_of_arrival_tasks_take_turns_as_on_any_loop() -> None:
    assert order_of_steps(0, "arrival") == [(task, step) for step in range(3) for task in range(4)]


def test_what_waits_where_nothing_may_interrupt_it_goes_on_though_it_was_cancelled() -> None:
    times: list[float] = []

    async def main() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.sleep(100)
        times.append(anyio.current_time())

    played(main, 1)

    assert times == [100.0]


def test_a_wait_that_nothing_can_end_is_told_with_its_place() -> None:
    async def main() -> None:
        await anyio.Event().wait()

    with pytest.raises(Stuck, match=r"nothing can happen any more; waiting: .*main line"):
        played(main, 1)


def test_tasks_that_never_stop_working_are_told() -> None:
    async def main() -> None:
        while True:
            await anyio.lowlevel.checkpoint()

    with pytest.raises(Stuck, match="no end after"):
        played(main, 1)


def test_an_interruption_comes_between_two_steps() -> None:
    at: list[int] = []

    async def main() -> None:
        for _ in range(20):
            await anyio.lowlevel.checkpoint()

    loop = SeededLoop(1)
    loop.at_step(7, lambda: at.append(loop.steps))
    anyio.run(main, backend_options={"loop_factory": lambda: loop})

    assert at == [7]


def test_the_order_is_the_same_in_every_process() -> None:
    code = (
        "from pathlib import Path; from playact.actors.trial_file import trial_in; import sys;"
        "trial = trial_in(Path(sys.argv[1])); print([trial.run(seed).trace_digest for seed in range(6)])"
    )
    subject = __file__.replace("test_loop", "subject")
    said = [
        subprocess.run(
            [sys.executable, "-c", code, subject],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    ]

    assert len(said[0]) > 6 * 64
    assert len(set(said)) == 1
