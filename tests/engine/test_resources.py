"""What a run opens once: by whom it is held, what becomes of it when it fails, and when it is closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest

from playact.engine.errors import SetupError, SimulationClosed
from playact.engine.resources import Resources

pytestmark = pytest.mark.anyio


class Shop:
    """Counts how often it is opened and closed, and whether that is done by one task."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.may_open = anyio.Event()
        self.breaks = anyio.Event()
        self.is_closed = anyio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        task = anyio.get_current_task().id
        await self.may_open.wait()
        self.log.append("opened")
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._break)
                yield "goods"
                tasks.cancel_scope.cancel()
        finally:
            self.log.append("closed" if anyio.get_current_task().id == task else "closed by another")
            self.is_closed.set()

    async def _break(self) -> None:
        await self.breaks.wait()
        raise OSError("broke")


@asynccontextmanager
async def shut() -> AsyncIterator[str]:
    raise SetupError("it is shut")
    yield ""


async def test_it_is_opened_at_its_first_use_and_closed_when_the_run_ends() -> None:
    shop, got = Shop(), []

    async def take(resources: Resources) -> None:
        got.append(await resources.get("shop", shop.open))

    async with Resources() as resources:
        assert shop.log == []
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(take, resources)
            await anyio.wait_all_tasks_blocked()
            shop.may_open.set()
        during = list(shop.log)

    assert got == ["goods"] * 3
    assert during == ["opened"]
    assert shop.log == ["opened", "closed"]


async def test_cancelling_who_asked_first_leaves_it_to_the_others() -> None:
    shop = Shop()

    async with Resources() as resources:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(resources.get, "shop", shop.open)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        shop.may_open.set()

        assert await resources.get("shop", shop.open) == "goods"

    assert shop.log == ["opened", "closed"]


async def test_what_cannot_be_opened_says_so_each_time() -> None:
    async with Resources() as resources:
        for _ in range(2):
            with pytest.raises(SetupError, match="it is shut"):
                await resources.get("shop", shut)


async def test_one_that_breaks_off_takes_nothing_else_with_it() -> None:
    shop, other = Shop(), Shop()
    shop.may_open.set()
    other.may_open.set()

    async with Resources() as resources:
        await resources.get("shop", shop.open)
        shop.breaks.set()
        await shop.is_closed.wait()
        during = list(shop.log)

        assert await resources.get("other", other.open) == "goods"

    assert during == ["opened", "closed"]
    assert other.log == ["opened", "closed"]


async def test_a_run_that_is_cancelled_closes_it_all_the_same() -> None:
    shop = Shop()
    shop.may_open.set()

    with anyio.CancelScope() as scope:
        async with Resources() as resources:
            await resources.get("shop", shop.open)
            scope.cancel()
            await anyio.sleep_forever()

    assert shop.log == ["opened", "closed"]


async def test_nothing_is_opened_outside_a_run() -> None:
    opened: list[AbstractAsyncContextManager[Any]] = []
    resources = Resources()

    with pytest.raises(SimulationClosed):
        await resources.get("shop", Shop().open)
    async with resources:
        pass
    with pytest.raises(SimulationClosed):
        await resources.get("shop", Shop().open)

    assert opened == []
