"""A turn is tried again, a dialog gets a second chance, and a run in which too many fail stops by itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from playact.actors import Agent, Persona, Scenario
from playact.backends.faults import Latency
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Dialog, DialogEnded, Simulation, VirtualClock, virtual_time
from playact.engine.budget import Budget, Prices
from playact.engine.budget.prices import Price
from playact.engine.completion import Completion, Parameters, ToolCall
from playact.engine.errors import (
    BackendRefused,
    BackendUnavailable,
    PriceUnknown,
    ReplyInvalid,
    TooManyFailures,
)
from playact.engine.failures import FailurePolicy, Failures
from playact.engine.retry import Retry

pytestmark = pytest.mark.anyio

ADA = Agent(Persona(name="Ada"), model_parameters=Parameters(max_tokens=20))
BOB = Agent(Persona(name="Bob"), model_parameters=Parameters(max_tokens=20))
FOUR_TURNS = Scenario(cast=(ADA, BOB), max_turns=4)
ONCE = Retry(attempts=1)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, Any]:
    return virtual_time(request.param)


def line(request: CompletionRequest) -> str:
    return f"This is line {request.sequence}."


def endings(dialogs: list[Dialog]) -> Counter[str]:
    return Counter(dialog.ending.reason for dialog in dialogs if dialog.ending is not None)


class Outage:
    """No call gets through from one moment to another; all are noted."""

    def __init__(self, clock: VirtualClock, begins_s: float, ends_s: float) -> None:
        self.calls: Counter[tuple[str, int]] = Counter()
        self._clock = clock
        self._span = (begins_s, ends_s)

    def __call__(self, request: CompletionRequest) -> str:
        self.calls[request.dialog, request.sequence] += 1
        if self._span[0] <= self._clock.now() < self._span[1]:
            raise BackendUnavailable("scripted", "no route to host", may_have_cost=False)
        return line(request)


# --- A turn is tried again. ---


async def test_after_a_reply_that_is_none_only_that_call_is_made_again() -> None:
    asked: list[int] = []
    used: list[str] = []

    def weather(city: str) -> str:
        used.append(city)
        return "sunny"

    def model(request: CompletionRequest) -> str | Completion:
        asked.append(request.sequence)
        if request.sequence == 0:
            return Completion(text="", tool_calls=(ToolCall("1", "weather", '{"city": "Rome"}'),))
        if asked.count(1) == 1:
            raise ReplyInvalid("scripted", "half of a reply")
        return line(request)

    curious = Agent(Persona(name="Ada"), tools=[weather])
    async with Simulation(model=ScriptedBackend(model)) as simulation:
        dialogs = [d async for d in simulation.run([Scenario(cast=(curious, BOB), max_turns=1)])]

    assert asked == [0, 1, 1]
    assert used == ["Rome"]
    assert endings(dialogs) == {"turn_limit": 1}
    assert [event.action for event in dialogs[0].events or ()] == ["tool", "tool", "utter"]


async def test_after_empty_replies_the_turn_is_tried_with_other_seeds() -> None:
    asked: list[CompletionRequest] = []

    def model(request: CompletionRequest) -> str:
        asked.append(request)
        return "" if len(asked) <= 3 else line(request)

    async with Simulation(model=ScriptedBackend(model)) as simulation:
        dialogs = [d async for d in simulation.run([Scenario(cast=(ADA, BOB), max_turns=1)])]

    assert endings(dialogs) == {"turn_limit": 1}
    assert len({request.seed for request in asked}) == len(asked) == 4
    assert len({request.messages for request in asked}) == 1


async def test_a_turn_that_keeps_failing_fails_its_dialog_with_the_error() -> None:
    def model(request: CompletionRequest) -> str:
        if request.sequence == 2:
            raise ReplyInvalid("scripted", "half of a reply")
        return line(request)

    backend = ScriptedBackend(model)
    policy = FailurePolicy(turn_attempts=3, salvage=False)
    async with Simulation(model=backend, failures=policy) as simulation:
        (dialog,) = [d async for d in simulation.run([FOUR_TURNS])]

    assert backend.statistics()["calls"] == 2 + 3
    assert len(dialog) == 2
    assert dialog.ending is not None
    assert dialog.ending.error == "scripted: half of a reply"
    assert dialog.ending.detail == "ReplyInvalid"


async def test_an_agent_that_keeps_silent_fails_its_dialog_with_what_to_do() -> None:
    policy = FailurePolicy(salvage=False)
    async with Simulation(model=ScriptedBackend(lambda request: ""), failures=policy) as simulation:
        (dialog,) = [d async for d in simulation.run([FOUR_TURNS])]

    assert dialog.ending is not None
    assert "raise max_tokens or change the prompt" in str(dialog.ending.error)


async def test_an_agent_that_keeps_silent_is_not_asked_once_more_at_the_end() -> None:
    once, twice = ScriptedBackend(lambda request: ""), ScriptedBackend(lambda request: "")
    for backend, salvage in ((once, False), (twice, True)):
        async with Simulation(model=backend, failures=FailurePolicy(salvage=salvage)) as simulation:
            assert [dialog async for dialog in simulation.run([FOUR_TURNS])]

    assert once.statistics()["calls"] == twice.statistics()["calls"]


# --- A dialog gets a second chance. ---


@pytest.mark.parametrize("concurrency", [1, 5, 100])
async def test_dialogs_that_failed_in_an_outage_are_played_on_when_all_others_are_over(concurrency: int) -> None:
    clock = VirtualClock()
    outage = Outage(clock, 2.5, 4.0)
    backend = ScriptedBackend(outage, latency=Latency(1.0))
    async with Simulation(
        model=backend, retry=ONCE, failures=FailurePolicy(stop_share=None), clock=clock, concurrency=concurrency
    ) as simulation:
        ends = simulation.events(DialogEnded)
        dialogs = [d async for d in simulation.run([FOUR_TURNS] * 100)]
        ends.close()
        ended = [record.dialog async for record in ends]

    assert endings(dialogs) == {"turn_limit": 100}
    assert len(set(ended)) == len(ended) == 100, "each ends once"
    assert {len(dialog) for dialog in dialogs} == {4}
    assert max(outage.calls.values()) == 2
    repeated = sum(count - 1 for count in outage.calls.values())
    assert 0 < repeated <= 100, "turns that were had already are not asked for again"


async def test_where_dialogs_come_in_order_the_second_chance_is_taken_at_once() -> None:
    failed: set[str] = set()

    def model(request: CompletionRequest) -> str:
        if request.sequence == 2 and request.dialog not in failed:
            failed.add(request.dialog)
            raise BackendUnavailable("scripted", "cut")
        return line(request)

    async with Simulation(
        model=ScriptedBackend(model), retry=ONCE, failures=FailurePolicy(stop_share=None), concurrency=3, seed=4
    ) as simulation:
        dialogs = [d async for d in simulation.run([FOUR_TURNS] * 30, ordered=True)]
    async with Simulation(model=ScriptedBackend(line), seed=4) as calm:
        expected = [d.id async for d in calm.run([FOUR_TURNS] * 30, ordered=True)]

    assert endings(dialogs) == {"turn_limit": 30}
    assert [dialog.id for dialog in dialogs] == expected


async def test_a_second_chance_is_the_last() -> None:
    backend = ScriptedBackend(Outage(VirtualClock(), 0, 1e9))
    async with Simulation(model=backend, retry=ONCE, clock=VirtualClock()) as simulation:
        dialogs = [d async for d in simulation.run([FOUR_TURNS] * 5)]

    assert endings(dialogs) == {"failed": 5}
    assert backend.statistics()["calls"] == 10


@pytest.mark.parametrize("error", [BackendRefused("scripted", "no such model"), ZeroDivisionError("a bug")])
async def test_what_cannot_pass_gets_no_second_chance(error: Exception) -> None:
    def model(request: CompletionRequest) -> str:
        raise error

    backend = ScriptedBackend(model)
    async with Simulation(model=backend) as simulation:
        dialogs = [d async for d in simulation.run([FOUR_TURNS] * 5)]

    assert endings(dialogs) == {"failed": 5}
    assert backend.statistics()["calls"] == 5


async def test_without_salvage_there_is_no_second_chance() -> None:
    backend = ScriptedBackend(Outage(VirtualClock(), 0, 1e9))
    async with Simulation(
        model=backend, retry=ONCE, failures=FailurePolicy(salvage=False), clock=VirtualClock()
    ) as simulation:
        dialogs = [d async for d in simulation.run([FOUR_TURNS] * 5)]

    assert endings(dialogs) == {"failed": 5}
    assert backend.statistics()["calls"] == 5


async def test_leaving_while_some_wait_for_a_second_chance_hands_each_out_once() -> None:
    clock = VirtualClock()

    def model(request: CompletionRequest) -> str:
        if request.seed is not None and request.seed % 2 and request.sequence == 1:
            raise BackendUnavailable("scripted", "cut")
        return line(request)

    policy = FailurePolicy(stop_share=None)
    backend = ScriptedBackend(model, latency=Latency(1.0, 0.5))
    async with Simulation(model=backend, retry=ONCE, failures=policy, concurrency=8, clock=clock) as simulation:
        ends = simulation.events(DialogEnded)
        async with simulation.run([FOUR_TURNS] * 60) as run:
            for _ in range(10):
                await anext(run)
        assert simulation.statistics().live == 0
        ends.close()
        ended = [record.dialog async for record in ends]

    assert len(set(ended)) == len(ended)


async def test_a_dialog_that_waits_for_its_second_chance_is_not_live() -> None:
    def model(request: CompletionRequest) -> str:
        if not failed:
            failed.append(request.dialog)
            raise BackendUnavailable("scripted", "cut")
        return line(request)

    failed: list[str] = []
    backend = ScriptedBackend(model, latency=Latency(1.0))
    async with Simulation(model=backend, retry=ONCE, concurrency=2, clock=VirtualClock()) as simulation:
        run = simulation.run([FOUR_TURNS] * 6)
        first = await anext(run)
        assert simulation.statistics().failing == 1

        assert not simulation.cancel(failed[0])
        dialogs = [first] + [d async for d in run]

    assert endings(dialogs) == {"turn_limit": 6}
    assert dialogs[-1].id == failed[0]


# --- A run stops by itself. ---


def refuses(request: CompletionRequest) -> str:
    raise BackendRefused("scripted", "no such model")


async def test_a_run_in_which_all_fail_stops_after_so_many_and_says_why() -> None:
    dialogs: list[Dialog] = []
    async with Simulation(model=ScriptedBackend(refuses), concurrency=4) as simulation:
        with pytest.raises(TooManyFailures, match="most often so: scripted: no such model") as caught:
            async for dialog in simulation.run([FOUR_TURNS] * 1000):
                dialogs.append(dialog)  # a comprehension would lose them when it raises

    assert caught.value.failed == 20
    assert 20 <= len(dialogs) < 20 + 4 + 1


async def test_a_small_run_in_which_all_fail_is_played_to_its_end() -> None:
    async with Simulation(model=ScriptedBackend(refuses)) as simulation:
        dialogs = [d async for d in simulation.run([FOUR_TURNS] * 10)]

    assert endings(dialogs) == {"failed": 10}


async def test_a_run_in_which_few_fail_goes_on() -> None:
    def model(request: CompletionRequest) -> str:
        return refuses(request) if int(request.dialog[:4], 16) % 4 == 0 else line(request)

    async with Simulation(model=ScriptedBackend(model), seed=3) as simulation:
        dialogs = [d async for d in simulation.run([FOUR_TURNS] * 300)]

    assert endings(dialogs).keys() == {"failed", "turn_limit"}
    assert endings(dialogs).total() == 300


async def test_an_outage_stops_the_run_before_all_dialogs_have_met_it() -> None:
    clock = VirtualClock()
    backend = ScriptedBackend(Outage(clock, 0.0, 1e9))
    async with Simulation(model=backend, retry=ONCE, clock=clock, concurrency=1) as simulation:
        with pytest.raises(TooManyFailures, match="no route to host"):
            async for _ in simulation.run([FOUR_TURNS] * 1000):
                pass

    assert 20 <= backend.statistics()["calls"] <= 21


async def test_a_run_that_never_stops_by_itself_may_be_asked_for() -> None:
    async with Simulation(model=ScriptedBackend(refuses), failures=FailurePolicy(stop_share=None)) as simulation:
        dialogs = [d async for d in simulation.run([FOUR_TURNS] * 100)]

    assert endings(dialogs) == {"failed": 100}


def test_a_share_and_counts_that_make_no_sense_are_refused() -> None:
    for wrong in ({"stop_share": 0.0}, {"stop_share": 1.5}, {"turn_attempts": 0}, {"stop_after": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            FailurePolicy(**wrong)


def test_those_that_wait_for_a_second_chance_count_as_failed_until_they_have_it() -> None:
    failures = Failures(FailurePolicy(stop_after=2, stop_share=0.5))
    failures.has_failed("a")
    failures.has_failed("b")
    assert failures.verdict() is not None

    failures.gets_second_chance("a")
    failures.ended_well()

    assert failures.verdict() is None
    assert failures.reasons == {"b": 1}


def test_the_commonest_reason_is_told() -> None:
    failures = Failures(FailurePolicy(stop_after=5))
    for reason in ("a", "b", "b", "c", "b"):
        failures.has_failed(reason)

    verdict = failures.verdict()

    assert verdict is not None
    assert (verdict.failed, verdict.begun, verdict.reason) == (5, 5, "b")


def test_errors_that_are_worded_anew_each_time_do_not_fill_the_memory() -> None:
    failures = Failures(FailurePolicy(stop_share=None))

    for number in range(5000):
        failures.has_failed(f"request {number} failed")

    assert failures.failed == failures.reasons.total() == 5000
    assert len(failures.reasons) <= 1001


# --- With a journal. ---


class TestWithAJournal:
    """On real time: a journal's writer is a thread, and virtual time does not wait for it."""

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    async def test_what_failed_and_was_salvaged_is_in_the_journal_once_and_whole(self, tmp_path: Path) -> None:
        failed: set[str] = set()

        def model(request: CompletionRequest) -> str:
            if request.sequence == 2 and request.dialog not in failed:
                failed.add(request.dialog)
                raise BackendUnavailable("scripted", "cut")
            return line(request)

        policy = FailurePolicy(stop_share=None)
        journal = tmp_path / "run.db"
        async with Simulation(model=ScriptedBackend(model), retry=ONCE, failures=policy, journal=journal) as simulation:
            dialogs = [d async for d in simulation.run([FOUR_TURNS] * 12)]
            assert simulation.journal is not None
            tally = simulation.journal.tally
        async with Simulation.replay(journal) as replay:
            replayed = [d async for d in replay.run()]

        assert endings(dialogs) == {"turn_limit": 12}
        assert tally.ended == {"turn_limit": 12}
        assert sorted(d.digest() for d in replayed) == sorted(d.digest() for d in dialogs)

    async def test_a_run_that_stopped_by_itself_goes_on_when_the_cause_is_gone(self, tmp_path: Path) -> None:
        def model(request: CompletionRequest) -> str:
            return refuses(request) if request.sequence == 2 else line(request)

        journal = tmp_path / "run.db"
        async with Simulation(model=ScriptedBackend(model), concurrency=4, journal=journal) as simulation:
            with pytest.raises(TooManyFailures):
                async for _ in simulation.run([FOUR_TURNS] * 60):
                    pass
        backend = ScriptedBackend(line)

        async with Simulation.resume(journal, model=backend, retry_failed=True) as resumed:
            dialogs = [d async for d in resumed.run()]

        assert endings(dialogs) == {"turn_limit": 60}
        assert backend.statistics()["calls"] <= 60 * 4 - 20 * 2, "what was had already is not asked for again"

    async def test_those_that_waited_for_a_second_chance_when_the_run_stopped_are_resumed(self, tmp_path: Path) -> None:
        def model(request: CompletionRequest) -> str:
            raise BackendUnavailable("scripted", "no route to host", may_have_cost=False)

        journal = tmp_path / "run.db"
        async with Simulation(model=ScriptedBackend(model), retry=ONCE, concurrency=4, journal=journal) as simulation:
            with pytest.raises(TooManyFailures):
                async for _ in simulation.run([FOUR_TURNS] * 60):
                    pass

        async with Simulation.resume(journal, model=ScriptedBackend(line)) as resumed:
            dialogs = [d async for d in resumed.run()]

        assert endings(dialogs) == {"turn_limit": 60}

    async def test_what_must_be_put_right_first_is_no_failure_of_a_dialog(self, tmp_path: Path) -> None:
        journal = tmp_path / "run.db"
        with pytest.raises(PriceUnknown):
            async with Simulation(
                model=ScriptedBackend(line, name="odd:one"), budget=Budget(usd=1), journal=journal
            ) as simulation:
                async for _ in simulation.run([FOUR_TURNS] * 5):
                    pass

        prices = Prices({"odd:one": Price(1, 1, 1)})
        async with Simulation.resume(journal, model=ScriptedBackend(line, name="odd:one"), prices=prices) as resumed:
            dialogs = [d async for d in resumed.run()]

        assert endings(dialogs) == {"turn_limit": 5}
