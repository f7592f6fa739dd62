"""Killed at random moments, as often as you like, a run comes to what it would have come to anyway.

The environment variable PLAYACT_SOAK_KILLS says how often, in all; `pytest -s` shows the account.
"""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest

from tests.durability.command import SCENARIO, Ended, Place
from tests.durability.kills import Killer, reference
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
    server: CountingServer, place: Place
) -> None:
    digest, needed = reference(place)
    killer = Killer(place, server, seed=1, needed=needed)

    while killer.account.kills < KILLS:
        check(place, killer.run_until_it_ends(KILLS - killer.account.kills), digest)

    print(f"\n{killer.account}")
    assert killer.account.paid <= killer.account.needed + 16 * killer.account.kills


@pytest.mark.timeout(60 + 20 * FEW)
def test_an_ordered_file_is_in_order_after_any_kills(server: CountingServer, place: Place) -> None:
    digest, needed = reference(place, "--ordered")
    in_order = [str(dialog.id) for dialog in place.dialogs()]
    killer = Killer(place, server, seed=2, needed=needed, more=("--ordered",))

    while killer.account.kills < FEW:
        check(place, killer.run_until_it_ends(FEW - killer.account.kills), digest)
        assert [str(dialog.id) for dialog in place.dialogs()] == in_order


@pytest.mark.timeout(60 + 20 * FEW)
def test_what_an_orchestrator_said_before_a_kill_is_said_after_it(server: CountingServer, tmp_path: Path) -> None:
    place = Place(tmp_path, server.till(), ORCHESTRATED)
    digest, needed = reference(place)
    killer = Killer(place, server, seed=3, needed=needed)

    while killer.account.kills < FEW:
        check(place, killer.run_until_it_ends(FEW - killer.account.kills), digest)

    assert all(any(event.action == "instruct" for event in dialog.events or ()) for dialog in place.dialogs())


@pytest.mark.timeout(60 + 20 * FEW)
def test_a_server_that_fails_now_and_then_makes_no_difference(server: CountingServer, place: Place) -> None:
    digest, needed = reference(place)
    killer = Killer(place, server, seed=4, needed=needed, manners=Manners(stumbles=0.03))

    while killer.account.kills < FEW:
        check(place, killer.run_until_it_ends(FEW - killer.account.kills), digest)


@pytest.mark.timeout(60 + 20 * FEW)
def test_a_budget_holds_over_all_sessions_and_can_be_raised(server: CountingServer, place: Place) -> None:
    """The till counts every token it was ever asked for, also by processes that are dead: that costs below the cap."""
    digest, needed = reference(place)
    prices, cap = place.folder.parent / "prices.json", Decimal(10)
    a_token = {"input": 1000, "output": 1000}  # a tenth of a cent
    prices.write_text(json.dumps({"models": {"openai:any": a_token}}), encoding="utf-8")
    more = ("--prices", str(prices), "--budget", f"usd={cap}")
    killer = Killer(place, server, seed=5, needed=needed, more=more, spoils=False)

    last = killer.run_until_it_ends(FEW)
    while last.code == 3:
        assert spent(place) <= cap
        assert last.summary["left"] > 0
        cap *= 2
        last = killer.go_on(FEW, "--budget", f"usd={cap}")

    check(place, last, digest)
    assert 40 < spent(place) <= cap
