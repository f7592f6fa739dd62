"""Work in threads that nobody has to wait for."""

from __future__ import annotations

import sys
import threading
from contextvars import ContextVar

import anyio
import pytest

from playact.engine import daemon_thread

pytestmark = pytest.mark.anyio

WHO: ContextVar[str] = ContextVar("who")


async def test_it_gives_what_the_function_gives_in_the_callers_context() -> None:
    WHO.set("ada")

    said = await daemon_thread.run_sync(lambda greeting: f"{greeting}, {WHO.get()}", "Hello")

    assert said == "Hello, ada"


async def test_it_raises_what_the_function_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        await daemon_thread.run_sync(lambda: 1 // 0)


async def test_functions_run_at_the_same_time() -> None:
    meeting = threading.Barrier(8)

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(daemon_thread.run_sync, meeting.wait, 5)


async def test_cancelling_leaves_the_thread_to_itself() -> None:
    go_on, has_ended = threading.Event(), threading.Event()

    def block() -> None:
        go_on.wait(5)
        has_ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(daemon_thread.run_sync, block)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    go_on.set()

    assert await daemon_thread.run_sync(has_ended.wait, 5)


async def test_a_function_that_never_ends_does_not_keep_the_process_from_ending() -> None:
    code = (
        "import anyio, threading\n"
        "from playact.engine import daemon_thread\n"
        "async def main():\n"
        "    with anyio.move_on_after(0.05):\n"
        "        await daemon_thread.run_sync(threading.Event().wait)\n"
        "anyio.run(main)\n"
    )

    with anyio.fail_after(30):
        done = await anyio.run_process([sys.executable, "-c", code])

    assert done.returncode == 0
