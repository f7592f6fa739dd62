"""A run with a budget ends in good order when it is spent, and goes on with a higher one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from playact.actors import Agent, Persona, Scenario
from playact.backends.faults import Latency
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Dialog, Simulation, VirtualClock, virtual_time
from playact.engine.budget import Amount, Budget, Caps, Price, Prices
from playact.engine.completion import Completion, Parameters, Usage
from playact.engine.errors import BackendOverloaded, BackendUnavailable, PriceUnknown, SetupError
from playact.engine.failures import FailurePolicy
from playact.engine.retry import Retry

pytestmark = pytest.mark.anyio

CAST = tuple(Agent(Persona(name=name), model_parameters=Parameters(max_tokens=20)) for name in ("Ada", "Bob"))
FOUR_TURNS = Scenario(cast=CAST, max_turns=4)
TEN_CENTS_A_CALL = Prices({"priced": Price(0, 10**11 // 20, 0)})


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, Any]:
    return virtual_time(request.param)


def numbered(request: CompletionRequest) -> Completion:
    return Completion(text=f"This is line {request.sequence}.", usage=Usage(10, 20))


def model(**more: Any) -> ScriptedBackend:
    return ScriptedBackend(numbered, name="priced", **more)


def ended(dialogs: list[Dialog]) -> dict[str, int]:
    reasons = [dialog.ending.reason for dialog in dialogs if dialog.ending is not None]
    return {reason: reasons.count(reason) for reason in reasons}


async def test_a_cap_on_calls_ends_the_run_after_so_many() -> None:
    backend = model()
    async with Simulation(model=backend, budget=Budget(calls=10), concurrency=3) as simulation:
        dialogs = [dialog async for dialog in simulation.run([FOUR_TURNS] * 20)]

    assert backend.statistics()["calls"] == 10
    assert simulation.is_out_of_money
    assert ended(dialogs)["budget"] <= 3
    assert sum(map(len, dialogs)) == 10


async def test_money_is_spent_to_the_last_cent_and_not_beyond() -> None:
    backend = model(latency=Latency(1.0, 0.5))
    async with Simulation(
        model=backend, budget=Budget(usd="0.7"), prices=TEN_CENTS_A_CALL, concurrency=100, clock=VirtualClock()
    ) as simulation:
        async for _ in simulation.run([FOUR_TURNS] * 100):
            pass
        assert simulation.statistics().usd == 0.7

    assert backend.statistics()["calls"] == 7


async def test_a_budget_below_the_first_call_ends_the_run_without_one_and_says_so() -> None:
    backend = model()
    async with Simulation(model=backend, budget=Budget(usd="0.09"), prices=TEN_CENTS_A_CALL) as simulation:
        dialogs = [dialog async for dialog in simulation.run([FOUR_TURNS] * 3)]

    assert backend.statistics()["calls"] == 0
    assert ended(dialogs).keys() <= {"budget"}
    assert simulation.purse is not None
    assert "0.09 is left, and one may take up to 0.1; raise the cap" in str(simulation.purse.end)


async def test_calls_under_way_when_the_budget_is_spent_are_finished_and_their_replies_kept() -> None:
    backend = model(latency=Latency(1.0, 0.5))
    async with Simulation(model=backend, budget=Budget(calls=13), concurrency=8, clock=VirtualClock()) as simulation:
        dialogs = [dialog async for dialog in simulation.run([FOUR_TURNS] * 8)]

    assert sum(map(len, dialogs)) == 13
    assert backend.statistics()["most_in_flight"] == 8


async def test_a_dialog_that_meets_its_own_cap_ends_and_the_others_go_on() -> None:
    long = Scenario(cast=CAST, max_turns=9)
    async with Simulation(model=model(), budget=Budget(per_dialog=Caps(calls=5))) as simulation:
        dialogs = [dialog async for dialog in simulation.run([long, FOUR_TURNS, long])]

    assert ended(dialogs) == {"turn_limit": 1, "budget": 2}
    assert [len(dialog) for dialog in dialogs if dialog.ending and dialog.ending.reason == "budget"] == [5, 5]
    assert {dialog.ending.detail for dialog in dialogs if dialog.ending} == {"", "5 calls a dialog"}
    assert not simulation.is_out_of_money


async def test_a_cap_on_time_ends_the_run_when_it_is_over() -> None:
    clock = VirtualClock()
    async with Simulation(
        model=model(latency=Latency(7.0)), budget=Budget(seconds=20), concurrency=2, clock=clock
    ) as simulation:
        dialogs = [dialog async for dialog in simulation.run([FOUR_TURNS] * 50)]
        assert clock.now() == 20  # the third call of each was under way
        assert simulation.purse is not None
        assert str(simulation.purse.end) == "the budget of 20 seconds is spent; go on with a higher cap"
        assert (simulation.purse.account.spent.calls, simulation.purse.account.reserved) == (6, Amount())

    assert ended(dialogs) == {"budget": 2}
    assert [len(dialog) for dialog in dialogs] == [2, 2]


async def test_calls_that_are_given_up_when_time_is_over_cost_their_most_and_those_that_wait_nothing() -> None:
    clock = VirtualClock()
    slow = model(latency=Latency(7.0), in_flight=2)
    async with Simulation(
        model=slow, budget=Budget(seconds=10, usd=5), prices=TEN_CENTS_A_CALL, concurrency=5, clock=clock
    ) as simulation:
        dialogs = [dialog async for dialog in simulation.run([FOUR_TURNS] * 50)]
        assert clock.now() == 10
        assert simulation.statistics().usd == 0.4

    assert sum(map(len, dialogs)) == 2
    assert slow.statistics()["calls"] == 4
    assert ended(dialogs) == {"budget": 5}


async def test_a_run_that_ends_before_its_time_is_over_is_not_touched() -> None:
    async with Simulation(
        model=model(latency=Latency(7.0)), budget=Budget(seconds=28.5), clock=VirtualClock()
    ) as simulation:
        dialogs = [dialog async for dialog in simulation.run([FOUR_TURNS] * 9)]

    assert ended(dialogs) == {"turn_limit": 9}
    assert not simulation.is_out_of_money


# --- Without a budget. ---


async def test_what_a_run_costs_is_known_without_a_budget() -> None:
    async with Simulation(model=model(), prices=TEN_CENTS_A_CALL) as simulation:
        assert simulation.statistics().usd == 0.0
        async for _ in simulation.run([FOUR_TURNS] * 5):
            pass
        now = simulation.statistics()

    assert now.usd == 2.0
    assert now.unpriced == ()


async def test_models_whose_price_is_not_known_are_named_and_the_cost_is_not_said() -> None:
    odd = Agent(Persona(name="Cy"), model=ScriptedBackend(numbered, name="odd:one"))
    async with Simulation(model=model(), prices=TEN_CENTS_A_CALL) as simulation:
        async for _ in simulation.run([Scenario(cast=(CAST[0], odd), max_turns=4)]):
            pass
        now = simulation.statistics()

    assert now.usd is None
    assert now.unpriced == ("odd:one",)


async def test_the_models_that_ship_with_playact_cost_nothing_unless_a_user_says_so() -> None:
    async with Simulation(model=ScriptedBackend()) as simulation:
        async for _ in simulation.run([FOUR_TURNS]):
            pass
        assert simulation.statistics().usd == 0.0

    own = Prices({"scripted": Price(10**9, 0, 10**9)})
    async with Simulation(model=ScriptedBackend(), prices=own) as simulation:
        async for _ in simulation.run([FOUR_TURNS]):
            pass
        now = simulation.statistics()

    assert now.usd == now.prompt_tokens / 1000 > 0


async def test_nobody_waits_to_try_again_for_longer_than_calls_may_begin() -> None:
    def busy(request: CompletionRequest) -> str:
        raise BackendOverloaded("priced", "429", 250.0)

    clock = VirtualClock()
    async with Simulation(
        model=ScriptedBackend(busy), budget=Budget(seconds=20), concurrency=5, clock=clock
    ) as simulation:
        dialogs = [dialog async for dialog in simulation.run([FOUR_TURNS] * 50)]
        assert clock.now() == 20

    assert ended(dialogs) == {"budget": 5}


async def test_each_try_of_a_call_that_may_have_cost_counts() -> None:
    def cut(request: CompletionRequest) -> Completion:
        if request.attempt < 2:
            raise BackendUnavailable("priced", "cut")
        return numbered(request)

    async with Simulation(
        model=ScriptedBackend(cut, name="priced"), budget=Budget(calls=7), concurrency=1, retry=Retry(first_s=0.1)
    ) as simulation:
        dialogs = [dialog async for dialog in simulation.run([FOUR_TURNS])]
        assert simulation.purse is not None
        assert simulation.purse.account.spent.calls == 7

    assert sum(map(len, dialogs)) == 2


async def test_tries_that_cost_nothing_do_not_count() -> None:
    def shy(request: CompletionRequest) -> Completion:
        if request.attempt < 2:
            raise BackendUnavailable("priced", "no connection", may_have_cost=False)
        return numbered(request)

    async with Simulation(
        model=ScriptedBackend(shy, name="priced"), budget=Budget(calls=4), retry=Retry(first_s=0.1)
    ) as simulation:
        dialogs = [dialog async for dialog in simulation.run([FOUR_TURNS])]

    assert ended(dialogs) == {"turn_limit": 1}


async def test_a_call_that_is_given_up_counts_as_paid() -> None:
    async with Simulation(
        model=model(latency=Latency(100.0)), budget=Budget(usd=5), prices=TEN_CENTS_A_CALL, clock=VirtualClock()
    ) as simulation:
        run = simulation.run([FOUR_TURNS] * 3)
        await anyio.sleep(1)
        await run.aclose()

        assert simulation.purse is not None
        assert simulation.purse.account.spent.picodollars == 3 * 10**11
        assert simulation.purse.account.reserved == Amount()


async def test_a_model_without_a_known_price_is_refused_under_a_cap_on_money() -> None:
    with pytest.raises(PriceUnknown, match="--prices FILE"):
        async with Simulation(model=ScriptedBackend(numbered, name="odd:one"), budget=Budget(usd=1)) as simulation:
            async for _ in simulation.run([FOUR_TURNS]):
                pass


async def test_a_free_model_is_played_under_a_cap_on_money_without_max_tokens() -> None:
    endless = Scenario(cast=(Agent(Persona(name="Ada")), Agent(Persona(name="Bob"))), max_turns=4)
    async with Simulation(model=ScriptedBackend(lambda request: f"{request.sequence}"), budget=Budget(usd=0)) as sim:
        dialogs = [dialog async for dialog in sim.run([endless] * 3)]

    assert ended(dialogs) == {"turn_limit": 3}


async def test_a_reply_without_a_limit_is_refused_under_a_cap_on_tokens_and_small_talk_has_one() -> None:
    endless = Scenario(cast=(Agent(Persona(name="Ada")), Agent(Persona(name="Bob"))), max_turns=4)
    with pytest.raises(SetupError, match="set max_tokens"):
        async with Simulation(model=ScriptedBackend(lambda request: "Hi"), budget=Budget(tokens=9000)) as simulation:
            async for _ in simulation.run([endless]):
                pass

    async with Simulation(model=ScriptedBackend(), budget=Budget(tokens=9000)) as simulation:
        assert len([dialog async for dialog in simulation.run([endless])]) == 1


# --- Over several sessions. ---


async def play(journal: Path, dialogs: int, **more: Any) -> Simulation:
    async with Simulation(journal=journal, seed=1, **more) as simulation:
        async for _ in simulation.run([FOUR_TURNS] * dialogs):
            pass
    return simulation


async def resume(journal: Path, **changes: Any) -> tuple[Simulation, list[Dialog]]:
    async with Simulation.resume(journal, **changes) as simulation:
        dialogs = [dialog async for dialog in simulation.run()]
    return simulation, dialogs


class TestOverSessions:
    """On real time: a journal's writer is a thread, and virtual time does not wait for it."""

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    async def test_a_higher_cap_takes_the_run_to_the_same_end_as_if_it_had_never_stopped(self, tmp_path: Path) -> None:
        whole = await play(tmp_path / "whole.db", 5, model=model())
        stopped = await play(tmp_path / "cut.db", 5, model=model(), budget=Budget(calls=9), concurrency=3)
        assert stopped.is_out_of_money
        backend = model()

        resumed, _ = await resume(tmp_path / "cut.db", model=backend, budget=Budget(calls=20))

        assert backend.statistics()["calls"] == 20 - 9
        assert not resumed.is_out_of_money
        assert digests(tmp_path / "cut.db") == digests(tmp_path / "whole.db")
        assert whole.seed == resumed.seed

    async def test_the_same_cap_ends_the_run_again_without_a_call(self, tmp_path: Path) -> None:
        await play(tmp_path / "cut.db", 5, model=model(), budget=Budget(calls=9), concurrency=3)
        backend = model()

        resumed, dialogs = await resume(tmp_path / "cut.db", model=backend)

        assert backend.statistics()["calls"] == 0
        assert resumed.is_out_of_money
        assert {dialog.id for dialog in dialogs} == resumed.cut_short

    async def test_what_was_given_up_in_one_session_counts_in_the_next(self, tmp_path: Path) -> None:
        all_sent, sent = anyio.Event(), []

        async def endless(request: CompletionRequest) -> Completion:
            sent.append(request)
            if len(sent) == 3:
                all_sent.set()
            await anyio.sleep_forever()
            raise AssertionError

        slow = ScriptedBackend(endless, name="priced")
        budget = Budget(usd="0.45")
        async with Simulation(journal=tmp_path / "cut.db", model=slow, budget=budget, prices=TEN_CENTS_A_CALL) as first:
            first.run([FOUR_TURNS] * 3)
            await all_sent.wait()
        backend = model()

        resumed, _ = await resume(tmp_path / "cut.db", model=backend, prices=TEN_CENTS_A_CALL)

        assert backend.statistics()["calls"] == 1
        assert resumed.purse is not None
        assert resumed.purse.account.spent.picodollars == 4 * 10**11

    async def test_a_reply_without_usage_counts_as_much_in_the_next_session(self, tmp_path: Path) -> None:
        silent = ScriptedBackend(lambda request: Completion(text=f"Line {request.sequence}"), name="priced")
        stopped = await play(tmp_path / "cut.db", 1, model=silent, budget=Budget(tokens=1400), concurrency=1)
        assert stopped.purse is not None

        resumed, _ = await resume(tmp_path / "cut.db", model=silent, budget=Budget(tokens=1401))

        assert resumed.purse is not None
        assert resumed.purse.account.spent == stopped.purse.account.spent
        assert stopped.purse.account.spent.tokens > 1000

    async def test_a_dialogs_own_cap_holds_over_sessions(self, tmp_path: Path) -> None:
        long = Scenario(cast=CAST, max_turns=9)
        async with Simulation(
            journal=tmp_path / "cut.db", model=model(), budget=Budget(calls=3, per_dialog=Caps(calls=5))
        ) as simulation:
            async for _ in simulation.run([long]):
                pass
        backend = model()

        _, (dialog,) = await resume(
            tmp_path / "cut.db", model=backend, budget=Budget(calls=100, per_dialog=Caps(calls=5))
        )

        assert backend.statistics()["calls"] == 2
        assert dialog.ending is not None
        assert dialog.ending.detail == "5 calls a dialog"

    async def test_a_dialog_that_met_its_own_cap_goes_on_with_a_higher_one_on_request(self, tmp_path: Path) -> None:
        await play(tmp_path / "cut.db", 2, model=model(), budget=Budget(per_dialog=Caps(calls=3)))

        _, dialogs = await resume(
            tmp_path / "cut.db", model=model(), budget=Budget(per_dialog=Caps(calls=4)), retry_failed=True
        )

        assert ended(dialogs) == {"turn_limit": 2}

    async def test_a_dialog_whose_call_was_given_up_for_time_goes_on_with_more_of_it(self, tmp_path: Path) -> None:
        async def stuck(request: CompletionRequest) -> Completion:
            if request.sequence == 2:
                await anyio.sleep_forever()
            return numbered(request)

        slow = ScriptedBackend(stuck, name="priced")
        stopped = await play(tmp_path / "cut.db", 2, model=slow, budget=Budget(seconds=0.2))
        assert stopped.is_out_of_money
        assert len(stopped.cut_short) == 2

        _, dialogs = await resume(tmp_path / "cut.db", model=model(), budget=Budget(seconds=600))
        await play(tmp_path / "whole.db", 2, model=model())

        assert ended(dialogs) == {"turn_limit": 2}
        assert digests(tmp_path / "cut.db") == digests(tmp_path / "whole.db")

    async def test_the_cost_of_earlier_sessions_counts_without_a_budget_too(self, tmp_path: Path) -> None:
        backend = model()
        async with Simulation(
            journal=tmp_path / "cut.db", model=backend, prices=TEN_CENTS_A_CALL, concurrency=1
        ) as first:
            run = first.run([FOUR_TURNS] * 2)
            await anext(run)

        resumed, _ = await resume(tmp_path / "cut.db", model=backend)

        assert resumed.statistics().usd == 0.8

    async def test_a_price_that_was_not_known_in_one_session_leaves_the_cost_unknown(self, tmp_path: Path) -> None:
        await play(tmp_path / "run.db", 1, model=model(), failures=FailurePolicy(salvage=False))

        resumed, _ = await resume(tmp_path / "run.db", model=model(), prices=TEN_CENTS_A_CALL, dialogs=2)

        assert resumed.statistics().usd is None
        assert resumed.statistics().unpriced == ()
        assert resumed.journal is not None
        assert resumed.journal.tally.unpriced == 4

    async def test_a_budget_that_is_spent_while_dialogs_wait_for_a_second_chance_keeps_them(
        self, tmp_path: Path
    ) -> None:
        def moody(request: CompletionRequest) -> Completion:
            if request.sequence == 1:
                raise BackendUnavailable("priced", "out", may_have_cost=False)
            return numbered(request)

        backend = ScriptedBackend(moody, name="priced")
        options: dict[str, Any] = {"retry": Retry(attempts=1), "failures": FailurePolicy(stop_share=None)}
        await play(tmp_path / "cut.db", 6, model=backend, budget=Budget(calls=5), concurrency=1, **options)

        resumed, dialogs = await resume(tmp_path / "cut.db", model=model(), budget=Budget(calls=100))

        assert ended(dialogs) == {"turn_limit": 6}
        assert not resumed.is_out_of_money


def digests(journal: Path) -> list[str | None]:
    from playact.engine.journal.file import JournalFile

    file = JournalFile.read(journal)
    try:
        return [row.digest for row in file.dialogs()]
    finally:
        file.close()
