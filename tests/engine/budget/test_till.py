"""Calls pay before they are sent; those that must wait are paid for in order of age, and none is forgotten."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import capture_logs

from playact.backends.scripted import ScriptedBackend
from playact.engine.budget import NOTHING, Amount, Budget, Caps, Price, Prices, Purse
from playact.engine.budget.till import Hold, Till
from playact.engine.completion import Completion, CompletionRequest, Message, Parameters, ToolCall, Usage
from playact.engine.errors import BudgetSpent
from playact.engine.promise import promises

pytestmark = pytest.mark.anyio

BACKEND = ScriptedBackend(name="priced")
PRICES = Prices({"priced": Price(1, 10, 1), "priced:dear": Price(100, 1000, 100)})


def till(budget: Budget, seconds: list[float] | None = None) -> Till:
    return Till(Purse(budget, PRICES, seconds=lambda: seconds[0] if seconds else 0.0), promises())


def request(sequence: int = 0, max_tokens: int = 100, model: str = "") -> CompletionRequest:
    parameters = Parameters(max_tokens=max_tokens)
    messages = (Message("user", "Hi"),)
    return CompletionRequest(messages=messages, parameters=parameters, sequence=sequence, model=model)


async def served(till: Till, dialogs: list[int], cancelled: int | None = None) -> list[int]:
    """The order in which dialogs are served that come while one call takes all the money, with `calls=1` at a time."""
    order: list[int] = []
    scopes = {dialog: anyio.CancelScope() for dialog in dialogs}

    async def come(dialog: int) -> None:
        with scopes[dialog]:
            hold = await till.hold(BACKEND, request(), dialog)
            order.append(dialog)
            hold.cost_nothing()
            till.settle(BACKEND, hold, None)

    first = await till.hold(BACKEND, request(), 99)
    async with anyio.create_task_group() as tasks:
        for dialog in dialogs:
            tasks.start_soon(come, dialog)
            await anyio.wait_all_tasks_blocked()
        if cancelled is not None:
            scopes[cancelled].cancel()
            await anyio.wait_all_tasks_blocked()
        first.cost_nothing()
        till.settle(BACKEND, first, None)
    return order


async def test_of_those_that_wait_the_oldest_dialog_is_served_first() -> None:
    assert await served(till(Budget(calls=1)), [5, 3, 4, 1]) == [1, 3, 4, 5]


async def test_a_call_that_is_cancelled_while_it_waits_leaves_the_line_whole() -> None:
    spending = till(Budget(calls=1))

    assert await served(spending, [5, 3, 4], cancelled=3) == [4, 5]
    assert spending.purse.account.reserved == NOTHING


async def test_when_the_first_in_line_is_cancelled_the_next_is_served_if_the_money_does_for_it() -> None:
    big, small = request(max_tokens=10_000), request(max_tokens=10)
    spending = till(Budget(tokens=12_000))
    begun: list[str] = []
    async with anyio.create_task_group() as tasks:
        under_way = await spending.hold(BACKEND, request(max_tokens=5_000), 0)
        older, younger = anyio.CancelScope(), anyio.CancelScope()

        async def come(name: str, scope: anyio.CancelScope, wish: CompletionRequest, dialog: int) -> None:
            with scope:
                spending.settle(BACKEND, await spending.hold(BACKEND, wish, dialog), None)
                begun.append(name)

        tasks.start_soon(come, "older", older, big, 1)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(come, "younger", younger, small, 2)
        await anyio.wait_all_tasks_blocked()
        assert begun == []

        older.cancel()
        await anyio.wait_all_tasks_blocked()

        assert begun == ["younger"]
        spending.settle(BACKEND, under_way, None)


async def test_a_call_that_is_cancelled_in_the_moment_it_is_paid_for_gives_the_money_on() -> None:
    spending = till(Budget(calls=1))
    served: list[int] = []
    first = await spending.hold(BACKEND, request(), 0)
    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()

        async def come(dialog: int, scope: anyio.CancelScope) -> None:
            with scope:
                hold = await spending.hold(BACKEND, request(), dialog)
                served.append(dialog)
                hold.cost_nothing()
                spending.settle(BACKEND, hold, None)

        tasks.start_soon(come, 1, scope)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(come, 2, anyio.CancelScope())
        await anyio.wait_all_tasks_blocked()

        first.cost_nothing()
        spending.settle(BACKEND, first, None)
        scope.cancel()

    assert served[-1] == 2  # on trio a task that is to go on already does, and sees its end only then
    assert spending.purse.account.reserved == spending.purse.account.spent == NOTHING


async def test_when_the_money_is_gone_all_that_wait_are_told_at_once() -> None:
    spending = till(Budget(calls=1))
    refused: list[int] = []
    first = await spending.hold(BACKEND, request(), 0)
    async with anyio.create_task_group() as tasks:

        async def come(dialog: int) -> None:
            try:
                await spending.hold(BACKEND, request(), dialog)
            except BudgetSpent:
                refused.append(dialog)

        for dialog in range(1, 50):
            tasks.start_soon(come, dialog)
        await anyio.wait_all_tasks_blocked()
        spending.settle(BACKEND, first, None)

    assert sorted(refused) == list(range(1, 50))


async def test_time_that_runs_out_while_all_wait_ends_their_wait_with_the_call_under_way() -> None:
    seconds = [0.0]
    spending = till(Budget(calls=1, seconds=60), seconds)
    first = await spending.hold(BACKEND, request(), 0)
    caps: list[str] = []
    async with anyio.create_task_group() as tasks:

        async def come(dialog: int) -> None:
            with pytest.raises(BudgetSpent) as caught:
                await spending.hold(BACKEND, request(), dialog)
            caps.append(caught.value.cap)

        for dialog in (1, 2, 3):
            tasks.start_soon(come, dialog)
        await anyio.wait_all_tasks_blocked()
        seconds[0] = 60.0
        first.cost_nothing()
        spending.settle(BACKEND, first, None)

    assert caps == ["60 seconds"] * 3


async def test_a_call_waits_for_its_dialogs_own_call_and_goes_when_that_was_cheap() -> None:
    spending = till(Budget(per_dialog=Caps(calls=1)))
    account = spending.purse.account_for_dialog(NOTHING)
    first = await spending.hold(BACKEND, request(), 0, account)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(spending.hold, BACKEND, request(1), 0, account)
        await anyio.wait_all_tasks_blocked()

        first.cost_nothing()
        spending.settle(BACKEND, first, account)

    assert account is not None
    assert account.reserved == Amount(*spending.purse.account.reserved)
    assert account.reserved.calls == 1


async def held(completion: Completion, budget: Budget | None = None) -> tuple[Hold, Till, int | None]:
    spending = till(budget or Budget(tokens=10_000))
    hold = await spending.hold(BACKEND, request(), 0)
    return hold, spending, hold.answered(completion)


async def test_a_reply_costs_what_its_usage_says() -> None:
    hold, spending, cost = await held(Completion(text="Hello", usage=Usage(20, 5)))

    spending.settle(BACKEND, hold, None)

    assert cost == 20 + 50
    assert spending.purse.account.spent == Amount(1, 25, 70)


async def test_a_reply_without_usage_costs_all_that_was_laid_aside_for_it() -> None:
    hold, spending, cost = await held(Completion(text="Hello"))

    spending.settle(BACKEND, hold, None)

    assert spending.purse.account.spent == hold.reserved
    assert cost == hold.reserved.picodollars


@pytest.mark.parametrize(
    "completion",
    [
        Completion(text="Hello", usage=Usage(20, 0)),
        Completion(text="", thinking="Hm", usage=Usage(20, 0)),
        Completion(text="", tool_calls=(ToolCall("1", "f", "{}"),), usage=Usage(20, 0)),
    ],
)
async def test_a_reply_that_says_something_for_no_tokens_costs_the_longest_one(completion: Completion) -> None:
    hold, _, _ = await held(completion)

    assert hold.spent == Amount(1, 120, 20 + 1000)


async def test_an_empty_reply_for_no_tokens_is_believed() -> None:
    hold, _, _ = await held(Completion(text="", usage=Usage(20, 0)))

    assert hold.spent == Amount(1, 20, 20)


async def test_a_reply_that_costs_more_than_was_laid_aside_counts_in_full_and_is_the_last() -> None:
    hold, spending, _ = await held(Completion(text="Hello", usage=Usage(20, 50_000)))

    spending.settle(BACKEND, hold, None)

    assert spending.purse.account.spent.tokens == 50_020
    with pytest.raises(BudgetSpent):
        await spending.hold(BACKEND, request(max_tokens=1), 1)


async def test_a_request_for_another_model_has_that_models_price() -> None:
    spending = till(Budget(usd=1))

    own = await spending.hold(BACKEND, request(), 0)
    other = await spending.hold(BACKEND, request(model="dear"), 0)

    assert other.reserved.picodollars == 100 * own.reserved.picodollars


async def test_tokens_that_no_cap_counts_are_not_called_an_overcharge() -> None:
    spends_calls_only = till(Budget(calls=10))

    with capture_logs() as logs:
        hold = await spends_calls_only.hold(BACKEND, request(), 0)
        hold.answered(Completion(text="Hi", usage=Usage(10, 10)))
        spends_calls_only.settle(BACKEND, hold, None)

    assert logs == []
