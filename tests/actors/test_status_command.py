"""`playact status` says where a run stands; of one that is being played see `tests/durability`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from playact.actors.cli import main
from tests.durability.command import KEY, Place
from tests.servers.counting_server import Manners

LETTERS_OF_A_DIGEST = 64


def run(place: Place, *more: str, model: str = "scripted", dialogs: int = 10) -> int:
    line = place.run_line(*more, dialogs=dialogs)
    line[line.index("openai:any")] = model
    return main(line)


def status(place: Place, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """What it prints."""
    capsys.readouterr()
    assert main(["status", str(place.journal), *more]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


def as_json(place: Place, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = status(place, capsys, "--json").splitlines()
    content: dict[str, Any] = json.loads(line)
    return content


def test_a_run_that_is_complete(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place)

    said = status(place, capsys).splitlines()

    assert said[0] == f"{place.journal}: is complete"
    assert said[1] == "10 of 10 dialogs are over: 10 turn limit; 0 begun"
    assert said[2].startswith("80 turns, 80 calls, ")
    assert said[3].endswith(" in 1 session")
    assert said[4] == f"model scripted, seed 7; digest of what is over {place.digest()}"
    assert len(said) == 5


def test_a_run_whose_budget_was_spent(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place, "--budget", "calls=43", "--dialog-budget", "tokens=100000")

    said = status(place, capsys)
    content = as_json(place, capsys)

    assert f"{place.journal}: is not being played, for the budget is spent\n" in said
    assert "used of the budget: calls 43 of 43\n" in said
    assert "the budget of 43 calls is spent; go on with a higher cap\n" in said
    assert f"; {len(content['live'])} begun\n" in said
    assert "cost" not in said
    assert f"go on with: playact resume {place.journal} --budget CAPS, with more than before\n" in said
    assert (content["state"], content["calls"]) == ("spent", 43)
    assert content["budget"] == {"calls": {"used": 43, "cap": 43}}
    assert content["budget_end"] == "the budget of 43 calls is spent; go on with a higher cap"
    assert content["left"] == 10 - content["over"] > 0


def test_of_a_budget_that_was_raised_and_did_no_more_is_said_than_what_is_used(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    run(place, "--budget", "calls=43,usd=5")
    assert main(["resume", str(place.journal), "--budget", "calls=1000,seconds=3600", "--quiet"]) == 0

    said = status(place, capsys)

    assert said.startswith(f"{place.journal}: is complete\n")
    assert re.search(r"^used of the budget: usd 0\.00 of 5, calls 80 of 1000, seconds \d+ of 3600$", said, re.MULTILINE)
    assert "is spent" not in said


def test_where_no_price_is_known_the_cost_is_not_said(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", place.till.base_url)
        patch.setenv("OPENAI_API_KEY", KEY)
        assert run(place, model="openai:any", dialogs=2) == 0

    said = status(place, capsys)
    content = as_json(place, capsys)

    assert "cost unknown: no price was known of 16 of 16 calls\n" in said
    assert (content["usd"], content["unpriced_calls"]) == (None, 16)


def test_failures_are_told_by_reason(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", place.till.base_url)
        patch.setenv("OPENAI_API_KEY", KEY)
        place.till.mind(Manners(refuses=0.05))
        assert run(place, model="openai:any", dialogs=20) == 1

    said = status(place, capsys)
    content = as_json(place, capsys)

    failed = content["failed"]["BackendRefused"]
    assert f"failed: {failed} x BackendRefused: openai:any: HTTP 400: the till is not well" in said
    assert content["ended"] == {"failed": failed, "turn_limit": 20 - failed}
    assert KEY not in said


def test_the_form_of_the_json(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place, "--budget", "usd=5")

    content = as_json(place, capsys)

    kinds = {name: type(value).__name__ for name, value in content.items()}
    assert kinds == {
        "state": "str",
        "holder": "NoneType",
        "damage": "NoneType",
        "planned": "int",
        "over": "int",
        "left": "int",
        "ended": "dict",
        "failed": "dict",
        "live": "list",
        "turns": "int",
        "calls": "int",
        "prompt_tokens": "int",
        "tokens": "int",
        "usd": "float",
        "unpriced_calls": "int",
        "budget": "dict",
        "budget_end": "str",
        "turns_per_s": "float",
        "seconds": "float",
        "sessions": "int",
        "digest": "str",
        "fingerprint": "str",
        "model": "str",
        "seed": "int",
    }
    assert len(content["digest"]) == LETTERS_OF_A_DIGEST
    assert content["turns"] == content["calls"] == 80


def test_a_dialog_that_was_cut_short_is_live_and_waits(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place, "--budget", "calls=43")

    (*live,) = as_json(place, capsys)["live"]

    assert live
    assert all(set(dialog) == {"number", "id", "waits_for", "silent_s", "is_stuck"} for dialog in live)
    assert any(dialog["waits_for"].startswith("a reply to what ") for dialog in live)
    assert not any(dialog["is_stuck"] for dialog in live)


def test_looking_leaves_nothing_behind_and_changes_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place, "--budget", "calls=43")
    before = {path.name: path.read_bytes() for path in place.folder.iterdir()}

    first, second = as_json(place, capsys), as_json(place, capsys)

    assert {path.name: path.read_bytes() for path in place.folder.iterdir()} == before
    assert {**first, "live": None} == {**second, "live": None}


@pytest.mark.parametrize("patience", ["0", "-1", "soon", "nan"])
def test_a_patience_that_is_none_is_refused(place: Place, patience: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["status", str(place.journal), "--stuck-after", patience])

    assert end.value.code == 2
    assert "must be a number of seconds" in capsys.readouterr().err


def test_runs_of_one_seed_model_and_plan_have_one_fingerprint(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    def fingerprint(seed: int, dialogs: int = 3) -> str:
        place.start_anew()
        line = place.run_line(dialogs=dialogs, seed=seed)
        line[line.index("openai:any")] = "scripted"
        assert main(line) == 0
        capsys.readouterr()
        assert main(["status", str(place.journal), "--json"]) == 0
        return str(json.loads(capsys.readouterr().out)["fingerprint"])

    assert fingerprint(seed=7) == fingerprint(seed=7)
    assert fingerprint(seed=7) != fingerprint(seed=8)
