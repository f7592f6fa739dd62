"""Calls end in time, or when their backend closes, and closing waits until they have ended."""

from __future__ import annotations

import anyio
import pytest

from playact.backends.open_calls import OpenCalls
from playact.engine.errors import BackendUnavailable

pytestmark = pytest.mark.anyio


async def test_a_call_in_time_goes_its_way() -> None:
    calls = OpenCalls("b", timeout_s=60)

    with calls.until(calls.deadline()):
        await anyio.lowlevel.checkpoint()

    assert repr(calls) == "<OpenCalls b 0 under way>"


async def test_a_call_whose_time_is_over_is_unavailable() -> None:
    calls = OpenCalls("b", timeout_s=0.01)

    with pytest.raises(BackendUnavailable, match=r"no reply within 0\.01 s"), calls.until(calls.deadline()):
        await anyio.sleep_forever()


async def test_giving_up_returns_once_all_have_ended() -> None:
    calls = OpenCalls("b", timeout_s=60)
    ended: list[str] = []

    async def call() -> None:
        with pytest.raises(BackendUnavailable) as caught, calls.until(calls.deadline()):
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.wait_all_tasks_blocked()  # takes its time to leave
                ended.append("one")
        assert caught.value.reason == "the backend was closed during the call"

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        tasks.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        await calls.give_up()
        assert ended == ["one", "one"]

    assert repr(calls) == "<OpenCalls b 0 under way, closed>"


async def test_nothing_begins_once_given_up() -> None:
    calls = OpenCalls("b", timeout_s=60)
    await calls.give_up()

    with pytest.raises(BackendUnavailable, match="closed"), calls.until(calls.deadline()):
        pytest.fail("it must not begin")


async def test_a_call_that_is_cancelled_from_outside_stays_cancelled() -> None:
    calls = OpenCalls("b", timeout_s=60)

    with anyio.CancelScope() as outside:
        with calls.until(calls.deadline()):
            outside.cancel()
            await anyio.lowlevel.checkpoint()

    assert outside.cancelled_caught
