"""`playact run --dry-run` foretells what a run takes, and a pilot is the beginning of the run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest

from playact.actors.dry_run import DryRun
from playact.actors.dry_run_command import dry_run
from playact.actors.foretold import Foretold
from playact.actors.playbill import Playbill
from playact.backends.faults import Latency
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Parameters, Settings, Simulation, VirtualClock, virtual_time
from playact.engine.budget import Budget, Prices
from playact.engine.errors import BackendRefused, UnknownBackend
from playact.engine.journal.disk import Step

T = TypeVar("T")
MODEL = "openai:gpt-4.1-mini"


class InLoopDisk:
    """Works in the event loop itself, so that virtual time stands still meanwhile."""

    synchronous: Any = "OFF"

    async def run(self, step: Step, work: Callable[[], T]) -> T:
        return work()

    def rename(self, old: Path, new: Path) -> None:
        old.replace(new)


def playbill(**more: Any) -> Playbill:
    cast = [{"persona": {"name": name}, "model_parameters": {"max_tokens": 20}} for name in ("Ada", "Bob")]
    return Playbill.model_validate({"cast": cast, "max_turns": 30, "dialogs": 100, **more})


def run_virtually(play: Callable[[], Any]) -> Any:
    backend, options = virtual_time("asyncio")
    return anyio.run(play, backend=backend, backend_options=dict(options))


def plan(seed: int, clock: VirtualClock, dialogs: int, concurrency: int) -> DryRun:
    return DryRun(
        playbill=playbill(),
        dialogs=dialogs,
        model=ScriptedBackend(name=MODEL, latency=Latency(2.0, 0.8), seed=seed),
        concurrency=concurrency,
        prices=Prices.load(),
        seed=seed,
        clock=clock,
        disk=InLoopDisk(),
    )


async def whole_run(seed: int, dialogs: int, concurrency: int) -> dict[str, float]:
    """What the run took that a dry run foretells."""
    clock = VirtualClock()
    run = plan(seed, clock, dialogs, concurrency)
    async with Simulation(
        model=run.model, concurrency=concurrency, seed=seed, clock=clock, prices=run.prices
    ) as simulation:
        dataset_bytes = 0
        async for dialog in simulation.run(run.scenarios):
            dataset_bytes += len(dialog.to_line().encode()) + 1
        now = simulation.statistics()
    assert now.usd is not None
    return {
        "turns": now.turns,
        "calls": now.calls,
        "prompt_tokens": now.prompt_tokens,
        "completion_tokens": now.completion_tokens,
        "tokens": now.prompt_tokens + now.completion_tokens,
        "usd": now.usd,
        "seconds": now.seconds,
        "dataset_bytes": dataset_bytes,
    }


@pytest.mark.timeout(300)
def test_the_intervals_hold_what_the_run_then_takes(tmp_path: Path) -> None:
    """95 of 100 are promised; with 100 trials, fewer than 90 would happen by chance once in a hundred times."""
    trials, held = 100, dict.fromkeys(("turns", "calls", "tokens", "usd", "seconds", "dataset_bytes"), 0)
    for seed in range(trials):
        journal = tmp_path / f"{seed}.db"

        async def pilot(seed: int = seed, journal: Path = journal) -> Foretold:
            return await plan(seed, VirtualClock(), 40, 8).predicted(10, journal)

        async def whole(seed: int = seed) -> dict[str, float]:
            return await whole_run(seed, 40, 8)

        foretold, taken = run_virtually(pilot), run_virtually(whole)
        for name in held:
            estimate = getattr(foretold.forecast, name)
            held[name] += estimate.low <= taken[name] <= estimate.high
            assert estimate.high < 3 * taken[name], "an interval that holds everything says nothing"

    assert {name: count for name, count in held.items() if count < 90} == {}, held


def test_the_longest_reply_is_what_the_agent_the_run_or_the_settings_say() -> None:
    def longest(own: int | None, of_run: int | None, of_settings: int | None) -> list[int | None]:
        cast = [{"persona": {"name": name}, "model_parameters": {"max_tokens": own}} for name in ("Ada", "Bob")]
        run = DryRun(
            playbill=Playbill.model_validate({"cast": cast}),
            dialogs=1,
            model=ScriptedBackend(name=MODEL, max_tokens=64),
            concurrency=1,
            prices=Prices.load(),
            model_parameters=Parameters(max_tokens=of_run),
            settings=Settings(max_tokens=of_settings),
        )
        return [voice.longest_reply for voice in run.supposed().outlines[0].voices]

    assert longest(10, 20, 30) == [10, 10]
    assert longest(None, 20, 30) == [20, 20]
    assert longest(None, None, 30) == [30, 30]


def test_without_a_pilot_no_model_is_asked_and_the_assumptions_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    backend = ScriptedBackend(name=MODEL)

    code = dry_run(playbill(), model=backend, seed=1)

    said = capsys.readouterr().out
    assert code == 0
    assert backend.statistics()["calls"] == 0
    assert "forecast of 100 dialogs" in said
    assert "an estimate from assumptions: nothing was played" in said
    assert "- a dialog has from 1 to 30 turns" in said
    assert "unknown" in said.partition("time, 256 at once")[2].splitlines()[0]


def test_without_a_pilot_the_bounds_hold_what_the_run_then_takes(capsys: pytest.CaptureFixture[str]) -> None:
    dry_run(playbill(), model=ScriptedBackend(name=MODEL), seed=1, dialogs=50, as_json=True)

    told = json.loads(capsys.readouterr().out)

    async def whole() -> dict[str, float]:
        return await whole_run(1, 50, 50)

    taken = run_virtually(whole)
    for name in ("turns", "calls", "completion_tokens", "usd", "dataset_bytes"):
        low, point, high = told[name]
        assert low <= taken[name] <= high, name
        assert low <= point <= high


def test_money_is_unknown_where_the_price_is(capsys: pytest.CaptureFixture[str]) -> None:
    for pilot in (0, 3):
        dry_run(playbill(), model=ScriptedBackend(name="odd:one"), pilot=pilot)

        said = capsys.readouterr().out
        assert "unknown" in said.partition("US dollars")[2].splitlines()[0]
        assert "no price is known of odd:one; give it in a file: --prices FILE" in said


def test_a_pilot_says_what_it_cost_and_is_thrown_away_without_a_journal(capsys: pytest.CaptureFixture[str]) -> None:
    backend = ScriptedBackend(name=MODEL)

    code = dry_run(playbill(), model=backend, pilot=4, seed=1, as_json=True)

    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert told["pilot"]["played"] == told["pilot"]["asked_for"] == 4
    assert told["pilot"]["calls"] == backend.statistics()["calls"]
    assert 0 < told["pilot"]["usd"] < told["usd"][0]
    assert told["dialogs"] == 100
    assert told["journal"] is None


def test_one_dialog_says_that_it_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    dry_run(playbill(), model=ScriptedBackend(name=MODEL), pilot=1)

    said = capsys.readouterr().out
    assert "one dialog says nothing of how dialogs differ" in said
    assert "the pilot: 1 dialog in " in said


def test_the_pilot_is_the_beginning_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = tmp_path / "cafe.db"
    bill = playbill(dialogs=12)
    dry_run(bill, model=ScriptedBackend(name=MODEL), pilot=4, seed=7, journal=journal)
    assert f"go on with: playact resume {journal}" in capsys.readouterr().out
    backend = ScriptedBackend(name=MODEL)

    async def resumed() -> list[str]:
        async with Simulation.resume(journal, model=backend) as simulation:
            return [dialog.digest() async for dialog in simulation.run()]

    async def at_once() -> tuple[list[str], int]:
        whole = ScriptedBackend(name=MODEL)
        async with Simulation(model=whole, seed=7) as simulation:
            digests = [dialog.digest() async for dialog in simulation.run(bill.scenarios(12), ordered=True)]
        return digests, whole.statistics()["calls"]

    rest, (all_of_it, calls) = anyio.run(resumed), anyio.run(at_once)

    assert sorted(rest) == sorted(all_of_it[4:])
    assert backend.statistics()["calls"] < calls


def test_a_pilot_of_more_than_all_is_the_whole_run(capsys: pytest.CaptureFixture[str]) -> None:
    dry_run(playbill(), model=ScriptedBackend(name=MODEL), dialogs=3, pilot=50, as_json=True)

    told = json.loads(capsys.readouterr().out)
    assert told["pilot"]["played"] == 3
    assert told["calls"][0] == told["calls"][1] == told["calls"][2] == told["pilot"]["calls"]


def test_a_pilot_keeps_to_the_budget_and_says_that_it_ended_there(capsys: pytest.CaptureFixture[str]) -> None:
    backend = ScriptedBackend(name=MODEL)

    code = dry_run(playbill(), model=backend, pilot=10, budget=Budget(calls=30), concurrency=1, seed=1)

    said = capsys.readouterr().out
    assert code == 3
    assert backend.statistics()["calls"] == 30
    assert "of 10 dialogs: the budget of 30 calls is spent; go on with a higher cap" in said


def test_a_budget_that_does_not_do_for_all_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    dry_run(playbill(), model=ScriptedBackend(name=MODEL), pilot=4, budget=Budget(usd="0.005"), seed=1)

    assert "the budget of 0.005 US dollars does for about" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("budget", "line"),
    [
        (Budget(usd=5), r"of the budget of 5 US dollars, about 0\.\d{4}, at the most 1\.\d{4}: it suffices"),
        (
            Budget(tokens=800_000),
            r"of the budget of 800000 tokens, about [\d,]+, at the most [\d,]+: it may be reached",
        ),
        (Budget(seconds=60), r"whether the budget of 60 seconds is reached cannot be told"),
    ],
)
def test_what_is_to_be_taken_of_a_budget_that_is_likely_to_do_is_told(
    budget: Budget, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dry_run(playbill(), model=ScriptedBackend(name=MODEL), budget=budget, seed=1)

    assert re.search(f"^{line}$", capsys.readouterr().out, re.MULTILINE)


def test_under_a_budget_no_more_than_that_is_foretold(capsys: pytest.CaptureFixture[str]) -> None:
    dry_run(playbill(), model=ScriptedBackend(name=MODEL), pilot=4, budget=Budget(usd="0.005"), seed=1, as_json=True)

    told = json.loads(capsys.readouterr().out)
    assert told["usd"][0] > 0.005
    assert told["within_budget"]["usd"] == [0.005, 0.005, 0.005]
    assert told["within_budget"]["calls"] == told["calls"]
    assert told["reaches"]["cap"] == "0.005 US dollars"


def test_a_pilot_whose_dialogs_fail_is_told_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def refuses(request: CompletionRequest) -> str:
        raise BackendRefused("scripted", "no such model")

    code = dry_run(playbill(), model=ScriptedBackend(refuses, name=MODEL), pilot=3)

    assert code == 1
    assert "3 dialogs of the pilot failed" in capsys.readouterr().out


def test_a_model_that_nobody_offers_is_refused_without_a_pilot_too() -> None:
    with pytest.raises(UnknownBackend):
        dry_run(playbill(), model="opnai:gpt-4.1")
