"""Killed at random moments, as often as you like, a run comes to what it would have come to anyway.

The environment variable PLAYACT_SOAK_KILLS says how often, in all; `pytest -s` shows the account.
"""

from __future__ import annotations

import json
import os
import signal
from decimal import Decimal
from pathlib import Path

import pytest

from tests.durability.command import SCENARIO, Ended, Expected, Place
from tests.durability.kills import Killer
from tests.servers.counting_server import CountingServer, Manners

KILLS = int(os.environ.get("PLAYACT_SOAK_KILLS", "30"))
FEW = max(3, KILLS // 10)
ORCHESTRATED = SCENARIO.replace(
    "  - persona: {name: Ben",
    "    orchestrators:\n      - LengthOrchestrator: {max: 7}\n  - persona: {name: Ben",
)


def check(place: Place, last: Ended, digest: str, dialogs: int = 60) -> None:
    """What was promised of a run that has come to its end."""
    assert last.code == 0, last
    assert last.summary["digest"] == place.status()["digest"] == place.digest() == digest
    assert len(place.dialogs()) == last.summary["dialogs"] == dialogs
    assert last.summary["left"] == 0
    assert last.summary["failed"] == {}
    assert not place.left_behind()


def spent(place: Place) -> Decimal:
    """What the till would bill, at a tenth of a cent a token, for all that it was ever asked."""
    counts = place.till.settled()
    return Decimal(counts.prompt_tokens + counts.completion_tokens) / 1000


@pytest.mark.timeout(60 + 20 * KILLS)
def test_killed_at_random_moments_a_run_loses_nothing_and_pays_only_for_calls_under_way(
    place: Place, expected: Expected
) -> None:
    killer = Killer(place, seed=1, needed=expected.needed)

    while killer.account.kills < KILLS:
        check(place, killer.run_until_it_ends(KILLS - killer.account.kills), expected.digest)

    print(f"\n{killer.account}")
    assert killer.account.paid <= killer.account.needed + 16 * killer.account.kills


@pytest.mark.timeout(60 + 20 * FEW)
def test_an_ordered_file_is_in_order_after_any_kills(place: Place, expected: Expected) -> None:
    killer = Killer(place, seed=2, needed=expected.needed, more=("--ordered",))

    while killer.account.kills < FEW:
        check(place, killer.run_until_it_ends(FEW - killer.account.kills), expected.digest)
        assert [str(dialog.id) for dialog in place.dialogs()] == list(expected.ids)


@pytest.mark.timeout(60 + 20 * FEW)
def test_what_an_orchestrator_said_before_a_kill_is_said_after_it(server: CountingServer, tmp_path: Path) -> None:
    place = Place(tmp_path, server, ORCHESTRATED)
    expected = Expected.of(place)
    killer = Killer(place, seed=3, needed=expected.needed)

    while killer.account.kills < FEW:
        check(place, killer.run_until_it_ends(FEW - killer.account.kills), expected.digest)

    assert all(any(event.action == "instruct" for event in dialog.events or ()) for dialog in place.dialogs())


@pytest.mark.timeout(60 + 20 * FEW)
def test_a_server_that_fails_now_and_then_makes_no_difference(place: Place, expected: Expected) -> None:
    killer = Killer(place, seed=4, needed=expected.needed, manners=Manners(stumbles=0.03))

    while killer.account.kills < FEW:
        check(place, killer.run_until_it_ends(FEW - killer.account.kills), expected.digest)


@pytest.mark.timeout(60 + 20 * FEW)
def test_however_a_process_is_asked_to_end_or_not_asked_the_run_comes_to_the_same(
    place: Place, expected: Expected
) -> None:
    ways = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    killer = Killer(place, seed=6, needed=expected.needed, signals=ways)

    while killer.account.kills < 2 * FEW:
        check(place, killer.run_until_it_ends(2 * FEW - killer.account.kills), expected.digest)


@pytest.mark.timeout(60 + 20 * FEW)
def test_dialogs_that_failed_are_there_once_however_often_their_second_chance_is_cut_off(
    place: Place, expected: Expected
) -> None:
    killer = Killer(place, seed=8, needed=expected.needed, manners=Manners(refuses=0.05))
    last = killer.run_until_it_ends(FEW)
    assert last.code == 1, last
    assert last.summary["digest"] == place.digest()
    place.till.mind(Manners())

    for _ in range(FEW):
        last = killer.go_on(1, "--retry-failed")

    check(place, last, expected.digest)


@pytest.mark.timeout(60 + 20 * FEW)
def test_more_dialogs_can_be_asked_for_after_any_kills(place: Place, expected: Expected) -> None:
    killer = Killer(place, seed=9, needed=expected.needed, dialogs=40)
    last = killer.run_until_it_ends(FEW)
    assert last.summary["dialogs"] == 40

    check(place, killer.go_on(FEW, "-n", "60"), expected.digest)


@pytest.mark.timeout(60 + 20 * FEW)
def test_a_budget_holds_over_all_sessions_and_can_be_raised(place: Place, expected: Expected) -> None:
    """The till counts every token it was ever asked for, also by processes that are dead: that costs below the cap."""
    prices, cap = place.folder.parent / "prices.json", Decimal(10)
    a_token = {"input": 1000, "output": 1000}  # a tenth of a cent
    prices.write_text(json.dumps({"models": {"openai:any": a_token}}), encoding="utf-8")
    more = ("--prices", str(prices), "--budget", f"usd={cap}")
    killer = Killer(place, seed=5, needed=expected.needed, more=more, spoils=False)

    last = killer.run_until_it_ends(FEW)
    while last.code == 3:
        assert spent(place) <= cap
        assert last.summary["left"] > 0
        cap *= 2
        last = killer.go_on(FEW, "--budget", f"usd={cap}")

    check(place, last, expected.digest)
    assert 40 < spent(place) <= cap
