"""Second calls for stragglers, on virtual time and both event loops."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import pytest

from playact.actors import Agent, Persona, Scenario
from playact.backends.hedge import HedgedBackend
from playact.backends.scripted import ScriptedBackend
from playact.engine import Budget, Completion, CompletionRequest, Hedge, Message, Parameters, Simulation, Usage
from playact.engine.budget import Amount, Price, Prices, Purse
from playact.engine.budget.till import Till
from playact.engine.clock import VirtualClock, virtual_time
from playact.engine.completion import Delta
from playact.engine.errors import BackendOverloaded, BackendUnavailable, ScriptExhausted
from playact.engine.promise import promises
from tests.engine.troupe import InlineDisk

pytestmark = pytest.mark.anyio

HELLO = CompletionRequest(messages=(Message("user", "Hi!"),), parameters=Parameters(max_tokens=50))
Step = tuple[float, str | Exception]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    backend, options = virtual_time(request.param)
    return backend, dict(options)


def after(steps: Iterable[Step]) -> ScriptedBackend:
    """A backend whose calls, in the order of asking, take so many seconds and then say this, or fail with it."""
    coming = iter(steps)

    async def reply(request: CompletionRequest) -> Completion:
        seconds, said = next(coming)
        await anyio.sleep(seconds)
        if isinstance(said, Exception):
            raise said
        return Completion(text=said, usage=Usage(10, 5))

    return ScriptedBackend(reply)


async def timed(ask: Callable[[], Awaitable[Completion]]) -> tuple[Completion, float]:
    began = anyio.current_time()
    return await ask(), round(anyio.current_time() - began, 6)


async def test_a_straggler_gets_a_second_call_and_the_first_reply_counts() -> None:
    inner = after([(100, "slow"), (2, "fast")])
    backend = HedgedBackend(inner, Hedge(after_s=5))

    completion, seconds = await timed(lambda: backend.complete(HELLO))

    assert (completion.text, completion.calls, seconds) == ("fast", 2, 7)
    assert inner.statistics()["in_flight"] == 0  # the slow one was given up
    assert backend.statistics() == {"requests": 1, "hedged": 1, "won": 1}


async def test_the_first_call_may_still_be_the_faster() -> None:
    backend = HedgedBackend(after([(6, "first"), (9, "second")]), Hedge(after_s=5))

    completion, seconds = await timed(lambda: backend.complete(HELLO))

    assert (completion.text, completion.calls, seconds) == ("first", 2, 6)
    assert backend.statistics()["won"] == 0


async def test_two_replies_in_the_same_moment_are_both_billed() -> None:
    """The one that is not taken has been answered too, so it is no longer there to be given up."""
    answered = anyio.Event()

    async def reply(request: CompletionRequest) -> Completion:
        await answered.wait()
        return Completion(text="both", usage=Usage(10, 5))

    async with anyio.create_task_group() as tasks:

        async def answer() -> None:
            await anyio.sleep(9)
            answered.set()

        tasks.start_soon(answer)
        completion = await HedgedBackend(ScriptedBackend(reply), Hedge(after_s=5)).complete(HELLO)

    assert completion.calls == 2


async def test_a_fast_call_stays_alone() -> None:
    inner = after([(1, "fast")])

    completion = await HedgedBackend(inner, Hedge(after_s=5)).complete(HELLO)

    assert completion.calls == 1
    assert inner.statistics()["calls"] == 1


async def test_more_than_one_second_call_is_made_where_that_is_wanted() -> None:
    backend = HedgedBackend(after([(99, "a"), (99, "b"), (1, "c")]), Hedge(after_s=5, most=2, share=1))

    completion, seconds = await timed(lambda: backend.complete(HELLO))

    assert (completion.text, completion.calls, seconds) == ("c", 3, 11)


async def test_a_request_that_fails_before_its_second_call_fails_at_once() -> None:
    inner = after([(1, BackendUnavailable("m", "down"))])

    with pytest.raises(BackendUnavailable, match="down"):
        await HedgedBackend(inner, Hedge(after_s=5)).complete(HELLO)

    assert inner.statistics()["calls"] == 1


@pytest.mark.parametrize(("may_have_cost", "calls"), [(True, 2), (False, 1)])
async def test_a_first_call_that_fails_late_leaves_it_to_the_second(may_have_cost: bool, calls: int) -> None:
    inner = after([(6, BackendUnavailable("m", "cut", may_have_cost)), (9, "second")])

    completion = await HedgedBackend(inner, Hedge(after_s=5)).complete(HELLO)

    assert (completion.text, completion.calls) == ("second", calls)


async def test_a_second_call_that_is_refused_leaves_it_to_the_first() -> None:
    backend = HedgedBackend(after([(20, "first"), (1, BackendOverloaded("m", "429", 7.0))]), Hedge(after_s=5))

    completion, seconds = await timed(lambda: backend.complete(HELLO))

    assert (completion.text, completion.calls, seconds) == ("first", 1, 20)


async def test_when_all_fail_the_error_that_may_have_cost_is_told() -> None:
    backend = HedgedBackend(
        after([(9, BackendOverloaded("m", "429")), (9, BackendUnavailable("m", "cut"))]), Hedge(after_s=5)
    )

    with pytest.raises(BackendUnavailable, match="cut"):
        await backend.complete(HELLO)


async def test_what_is_no_failure_of_a_call_ends_the_race_at_once() -> None:
    inner = after([(100, "slow"), (1, ScriptExhausted(1))])

    with pytest.raises(ScriptExhausted):
        await HedgedBackend(inner, Hedge(after_s=5)).complete(HELLO)

    assert inner.statistics()["in_flight"] == 0


async def test_giving_a_request_up_gives_up_all_its_calls() -> None:
    inner = after([(100, "a"), (100, "b")])

    with anyio.move_on_after(10):
        await HedgedBackend(inner, Hedge(after_s=5)).complete(HELLO)

    assert inner.statistics() == {"calls": 2, "in_flight": 0, "most_in_flight": 2}


async def test_without_a_time_it_is_what_most_of_the_last_calls_took() -> None:
    backend = HedgedBackend(after([*[(n, "ok") for n in range(1, 21)], (99, "slow"), (1, "fast")]), Hedge())

    for _ in range(20):
        await backend.complete(HELLO)
    completion, seconds = await timed(lambda: backend.complete(HELLO))

    assert backend.statistics()["hedged"] == 1  # none of the first twenty
    assert (completion.text, seconds) == ("fast", 19 + 1)


async def test_no_more_than_a_share_of_the_requests_has_a_second_call() -> None:
    inner = after([(9, "slow")] * 200)
    backend = HedgedBackend(inner, Hedge(after_s=5, share=0.1))

    for _ in range(40):
        await backend.complete(HELLO)

    assert backend.statistics()["hedged"] == 4


async def test_no_second_call_is_made_where_the_backend_has_no_room() -> None:
    async def reply(request: CompletionRequest) -> str:
        await anyio.sleep(9)
        return "slow"

    inner = ScriptedBackend(reply, in_flight=2)
    backend = HedgedBackend(inner, Hedge(after_s=5, share=1))

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(backend.complete, HELLO)

    assert inner.statistics()["most_in_flight"] == 2
    assert backend.statistics()["hedged"] == 0


async def test_streams_are_passed_on() -> None:
    async with aclosing(HedgedBackend(ScriptedBackend(["One two."])).stream(HELLO)) as stream:
        deltas = [delta async for delta in stream]

    assert deltas[:2] == [Delta("One "), Delta("two.")]


@pytest.mark.parametrize(
    "wrong", [{"after_s": 0.0}, {"percentile": 1.0}, {"share": 0.0}, {"most": 0}], ids=lambda wrong: next(iter(wrong))
)
def test_a_setting_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"second call|percentile"):
        Hedge(**wrong)


class TestMoney:
    PRICES = Prices({"scripted": Price(1, 10, 1)})

    async def test_both_calls_are_laid_aside_and_both_are_billed(self) -> None:
        backend = HedgedBackend(after([(100, "slow"), (2, "fast")]), Hedge(after_s=5))
        purse = Purse(Budget(tokens=10_000, calls=10), self.PRICES, seconds=lambda: 0.0)
        till = Till(purse, promises())

        hold = await till.hold(backend, HELLO, 0)
        reserved = purse.account.reserved
        hold.answered(await backend.complete(HELLO))
        till.settle(backend, hold, None)

        assert reserved.calls == 2
        assert reserved.tokens == 2 * (hold.most.prompt_tokens + 50)
        # Of the accepted call all is known, of the other its prompt: its reply counts as the longest it could be.
        assert purse.account.spent == Amount(2, 15 + 60, (10 + 50 + 10 + 500) * purse_unit(self.PRICES))

    async def test_caps_hold_with_second_calls(self) -> None:
        inner = after([(9 if n % 3 else 1, f"Line {n}.") for n in range(1000)])
        scenario = Scenario(cast=(Agent(Persona(name="Ann")), Agent(Persona(name="Ben"))), max_turns=4)

        async with Simulation(
            model=inner, hedge=Hedge(after_s=5, share=1), budget=Budget(calls=20), seed=1, clock=VirtualClock()
        ) as simulation:
            dialogs = [dialog async for dialog in simulation.run([scenario] * 10)]
            spent = simulation.purse.account.spent if simulation.purse else None

        assert any(dialog.ending and dialog.ending.reason == "budget" for dialog in dialogs)
        assert inner.statistics()["calls"] <= 20
        assert spent is not None
        assert spent.calls <= 20


def purse_unit(prices: Prices) -> int:
    price = prices.of("scripted")
    assert price is not None
    return price.cost(Usage(1, 0))


async def test_a_run_hedges_when_told_to_and_its_journal_remembers(tmp_path: Path) -> None:
    inner = after([*[(1, "Hi.")] * 4, (99, "slow"), (1, "Fine.")] * 5)
    scenario = Scenario(cast=(Agent(Persona(name="Ann")), Agent(Persona(name="Ben"))), max_turns=4)
    path = tmp_path / "run.db"
    hedge = Hedge(after_s=5, share=1)

    async with Simulation(
        model=inner, hedge=hedge, journal=path, disk=InlineDisk(), seed=1, concurrency=1
    ) as simulation:
        dialogs = [dialog async for dialog in simulation.run([scenario] * 2)]
        name = simulation.models.get(inner)

    assert name is not None
    assert name.name == inner.name
    assert all(dialog.ending and not dialog.ending.failed for dialog in dialogs)
    assert next(turn.text for turn in dialogs[1]) == "Fine."
    assert Simulation.resume(path, model=inner)._wrappers.hedge == hedge
