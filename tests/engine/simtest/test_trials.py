"""The engine keeps its laws under seeded schedules, faults and kills; and a trial repeats to the byte."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random

import pytest

from playact.actors.trial_file import trial_in
from playact.engine import Simulation
from playact.engine.simtest import verdicts
from playact.engine.simtest.disk import torn
from playact.engine.simtest.network import OneModel
from playact.engine.simtest.plan import Plan
from playact.engine.simtest.play import Play

SUBJECT = Path(__file__).with_name("subject.py")
PARTY = Path(__file__).with_name("party.py")
SEEDS = int(os.environ.get("PLAYACT_SIMTEST_SEEDS", "1000"))  # `make soak` tries 10,000


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("subject", "count"), [(SUBJECT, SEEDS), (PARTY, SEEDS // 20)], ids=["pair", "party"])
def test_the_engine_keeps_its_laws_at_every_seed(subject: Path, count: int) -> None:
    sessions = calls = seeds = 0
    for verdict in verdicts(partial(trial_in, subject), range(count), jobs=2):
        assert verdict.is_well, f"playact simtest {subject} --seed {verdict.seed}: {verdict.broken[0]}"
        seeds, sessions, calls = seeds + 1, sessions + verdict.sessions, calls + verdict.calls

    assert seeds == count
    assert sessions > 2 * seeds
    assert calls > 10 * seeds


def test_a_journal_alone_is_enough_to_go_on_with_a_party() -> None:
    assert trial_in(PARTY).is_self_contained


@pytest.mark.anyio
async def test_a_party_has_all_that_is_to_be_tried() -> None:
    trial, happened = trial_in(PARTY), Counter[str]()
    simulation = Simulation(model=(model := trial.backend(0)), seed=5)
    simulation.models = OneModel(model)
    async with simulation:
        async for dialog in simulation.run([each for each in trial.scenarios for _ in range(8)]):
            assert dialog.ending is not None
            assert not dialog.ending.failed, dialog.ending
            rows = dialog.events or []
            happened.update(row.action for row in rows)
            happened.update(row.content["outcome"] for row in rows if row.action == "flaw")
            happened.update(row.actionLabel or "" for row in rows if row.action == "instruct")
            happened.update(key for turn in dialog for key in turn.model_extra or ())
            happened[dialog.ending.detail] += 1

    assert {
        "choose",
        "generate",
        "verdict",
        "drift",
        "step_reached",
        "plan_ended",
        "request_suggestions",
        "flaw",
    } <= set(happened)
    assert {"heard_by", "parts", "action", "thought", "tool", "think", "reply", "retried", "ended"} <= set(happened)
    assert {"paraphrased", "generated", "turn policy", "end marker"} <= set(happened)
    assert {f"{name}Orchestrator" for name in ("ChangeMind", "Director", "InstructionList", "SimpleResponse")} <= set(
        happened
    )


def test_runs_begin_with_another_scenario_at_other_seeds() -> None:
    trial = trial_in(PARTY)
    begun = {id(Play(trial, Plan.drawn(seed)).scenarios[0]) for seed in range(200)}

    assert len(begun) == len(trial.scenarios)


def test_the_same_seed_gives_the_same_trace_to_the_byte() -> None:
    trial = trial_in(SUBJECT)

    for seed in range(10):
        first, second = trial.run(seed, keeps_trace=True), trial.run(seed, keeps_trace=True)
        assert first.trace == second.trace
        assert first.trace_digest == second.trace_digest
    assert first.trace_digest != trial.run(0).trace_digest


def test_verdicts_come_in_the_order_of_the_seeds_from_any_number_of_processes() -> None:
    make, seeds = partial(trial_in, SUBJECT), range(5, 45)

    alone, shared = list(verdicts(make, seeds)), list(verdicts(make, seeds, jobs=2))

    assert [verdict.seed for verdict in shared] == list(seeds)
    assert shared == alone


def test_plans_have_all_that_they_can_have() -> None:
    plans = [Plan.drawn(seed) for seed in range(400)]

    kinds = Counter(mishap.kind for plan in plans for mishap in plan.mishaps)
    assert set(kinds) == {"step", "time", "torn", "io", "full", "fsync", "rename", "create"}
    assert min(kinds.values()) > 10
    for name in ("is_ordered", "is_stream", "from_journal", "order", "capped", "in_flight"):
        assert len({getattr(plan, name) for plan in plans}) > 1, name
    assert {plan.storm.is_hopeless for plan in plans} == {True, False}


def test_a_commit_that_is_torn_leaves_old_or_new_bytes_or_garbage_in_what_it_changed_only() -> None:
    before = {"run.db": b"a" * 50, "run.db-wal": b"0123456789"}
    after = {"run.db": b"a" * 50, "run.db-wal": b"01234XYZ89" + b"new", "run.db-mark": b"2"}
    found = [torn(before, after, Random(seed)) for seed in range(300)]

    assert before in found
    assert after in found
    for files in found:
        assert files["run.db"] == before["run.db"]
        assert files["run.db-wal"][:5] == b"01234"
        if files["run.db-wal"] != after["run.db-wal"]:
            assert "run.db-mark" not in files  # it is written last
    assert len({files["run.db-wal"] for files in found}) > 10
