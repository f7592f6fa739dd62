"""The thread that writes a journal waits for nobody, and loses nothing that it began."""

from __future__ import annotations

import threading
from typing import Literal

import anyio
import anyio.to_thread
import pytest

from playact.engine.journal import WriterThread


@pytest.mark.anyio
async def test_it_does_not_wait_for_other_work_in_threads() -> None:
    gate = threading.Event()

    def wait() -> None:
        gate.wait()

    try:
        async with anyio.create_task_group() as tasks:
            for _ in range(50):  # more than there are threads for all
                tasks.start_soon(anyio.to_thread.run_sync, wait)
            await anyio.wait_all_tasks_blocked()

            done = await WriterThread().run("commit", lambda: "done")
            gate.set()
    finally:
        gate.set()

    assert done == "done"


@pytest.mark.anyio
async def test_its_work_is_done_one_piece_after_another() -> None:
    disk, busy, most = WriterThread(), 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        threading.Event().wait(0.002)
        with lock:
            busy -= 1

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(disk.run, "commit", work)

    assert most == 1


@pytest.mark.anyio
async def test_what_was_begun_is_waited_for_by_who_is_cancelled() -> None:
    started, gate, done = threading.Event(), threading.Event(), []

    def work() -> None:
        started.set()
        gate.wait()
        done.append(True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(WriterThread().run, "commit", work)
        await anyio.to_thread.run_sync(started.wait)
        tasks.cancel_scope.cancel()
        gate.set()

    assert done == [True]


@pytest.mark.anyio
async def test_what_goes_wrong_is_passed_on() -> None:
    def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await WriterThread().run("read", work)


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_it_may_be_made_before_any_event_loop(library: Literal["asyncio", "trio"]) -> None:
    disk = WriterThread()

    async def main() -> int:
        return await disk.run("read", lambda: 7)

    assert anyio.run(main, backend=library) == 7
