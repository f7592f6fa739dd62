"""How a session ends: its exit code, and what it says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playact.actors.cli import main
from playact.engine import Dialog
from tests.durability.command import KEY, Expected, Place
from tests.servers.counting_server import Manners


@pytest.fixture(autouse=True)
def at_the_till(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", place.till.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


SESSION = {"dialogs", "failed", "ended", "turns", "flaws", "tokens", "prompt_tokens", "calls", "retries", "seconds"}
RUN = (SESSION - {"retries"}) | {"digest", "usd", "unpriced", "seed", "model", "planned", "left", "journal", "session"}


def test_0_when_all_is_well(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(place.run_line(dialogs=4)) == 0

    said = json.loads(capsys.readouterr().out)
    assert set(said) == RUN
    assert set(said["session"]) == SESSION
    assert said["journal"] == str(place.journal)


def test_without_a_journal_the_figures_are_those_of_the_session(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(place.scenario), "--model", "scripted", "--json", "--quiet"]) == 0

    assert set(json.loads(capsys.readouterr().out)) == SESSION | {"digest", "usd", "unpriced", "seed", "model"}


def test_1_when_a_dialog_failed_and_the_rows_say_why(
    place: Place, expected: Expected, capsys: pytest.CaptureFixture[str]
) -> None:
    place.till.mind(Manners(refuses=0.02))

    assert main(place.run_line()) == 1

    said = json.loads(capsys.readouterr().out)
    endings = [dialog.ending for dialog in place.dialogs()]
    errors = [ending.error for ending in endings if ending and ending.failed]
    assert said["dialogs"] == len(endings) == 60
    assert said["failed"] == {"BackendRefused": len(errors)}
    assert all(error and "HTTP 400" in error and "***" in error for error in errors)
    assert said["digest"] == place.digest() != expected.digest


def test_1_when_so_many_failed_that_the_run_stopped_and_the_others_can_be_resumed(
    place: Place, expected: Expected, capsys: pytest.CaptureFixture[str]
) -> None:
    place.till.mind(Manners(refuses=0.9))
    line = [word for word in place.run_line("--stop-share", "0.3") if word != "--quiet"]

    assert main(line) == 1

    said = capsys.readouterr()
    summary = json.loads(said.out)
    assert "stopped since " in said.err
    assert f"go on with: playact resume {place.journal}" in said.err
    assert summary["left"] == 60 - summary["dialogs"] > 0
    assert summary["digest"] == place.digest()
    place.till.mind(Manners())
    assert main(place.resume_line("--retry-failed")) == 0
    assert place.digest() == expected.digest


def test_2_for_what_must_be_put_right(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*place.run_line(), "--prices", "/no/such/file.json"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not place.journal.exists()


def test_2_when_the_file_cannot_be_made_and_then_there_is_no_journal_either(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(place.run_line("--out", "/no/such/folder/out.jsonl")) == 2

    assert "cannot write /no/such/folder/out.jsonl" in capsys.readouterr().err
    assert not place.journal.exists()
    assert main(place.run_line(dialogs=2)) == 0


def test_3_when_the_budget_is_spent_with_a_word_on_how_to_go_on(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [word for word in place.run_line("--budget", "calls=100") if word != "--quiet"]

    assert main(line) == 3

    said = capsys.readouterr()
    assert f"go on with: playact resume {place.journal} --budget" in said.err
    assert json.loads(said.out)["calls"] == 100
    assert place.till.settled().paid == 100


def test_dialogs_on_standard_output_are_followed_by_the_summary(
    place: Place, expected: Expected, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(place.run_line("--out", "-", "--ordered")) == 0

    *dialogs, summary = capsys.readouterr().out.splitlines()
    assert [str(Dialog.from_json(line).id) for line in dialogs] == list(expected.ids)
    assert json.loads(summary)["digest"] == expected.digest


def test_overwriting_keeps_nothing_of_what_was_there(place: Place, expected: Expected) -> None:
    place.out.write_text("old\n" * 1000, encoding="utf-8")

    assert main(place.run_line("--overwrite")) == 0

    assert place.digest() == expected.digest


def test_a_run_that_was_to_overwrite_a_file_and_was_broken_off_before_it_did_must_be_told_again(
    place: Place, expected: Expected
) -> None:
    place.out.write_text("old\n" * 1000, encoding="utf-8")
    assert main(place.run_line("--overwrite", "--budget", "calls=5")) == 3
    assert place.out.read_text(encoding="utf-8").startswith("old")

    assert main(place.resume_line("--budget", "calls=1000")) == 2
    assert place.out.read_text(encoding="utf-8").startswith("old")
    assert main(place.resume_line("--budget", "calls=1000", "--overwrite")) == 0

    assert place.digest() == expected.digest


def test_nothing_is_left_beside_the_journal(place: Place) -> None:
    assert main(place.run_line(dialogs=2)) == 0
    assert main(place.resume_line()) == 0

    assert not place.left_behind()


def test_a_journal_behind_a_link_is_one_journal(place: Place, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    assert main(place.run_line("--budget", "calls=20", dialogs=5)) == 3
    link.symlink_to(place.journal)

    assert main(["resume", str(link), "--budget", "calls=1000", "--quiet"]) == 0

    assert len(place.dialogs()) == 5
    assert not place.left_behind()


def test_a_reader_that_goes_away_leaves_a_journal_to_go_on_with(place: Place, expected: Expected) -> None:
    with place.started(place.run_line("--out", "-")) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == 141  # as a shell says of a command that a closed pipe ended

    done = place.play(place.resume_line("--out", str(place.out)))

    assert done.summary["digest"] == place.digest() == expected.digest
