"""The engine keeps its laws under seeded schedules, faults and kills; and a trial repeats to the byte."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random

import pytest

from playact.actors.trial_file import trial_in
from playact.engine.simtest import verdicts
from playact.engine.simtest.disk import torn
from playact.engine.simtest.plan import Plan

SUBJECT = Path(__file__).with_name("subject.py")
SEEDS = int(os.environ.get("PLAYACT_SIMTEST_SEEDS", "1000"))  # `make soak` tries 10,000


@pytest.mark.timeout(1800)
def test_the_engine_keeps_its_laws_at_every_seed() -> None:
    sessions = calls = seeds = 0
    for verdict in verdicts(partial(trial_in, SUBJECT), range(SEEDS), jobs=2):
        assert verdict.is_well, f"playact simtest {SUBJECT} --seed {verdict.seed}: {verdict.broken[0]}"
        seeds, sessions, calls = seeds + 1, sessions + verdict.sessions, calls + verdict.calls

    assert seeds == SEEDS
    assert sessions > 2 * seeds
    assert calls > 10 * seeds


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
