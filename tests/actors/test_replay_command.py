"""Playing a run again out of its journal, and getting its dialogs out of it, on the command line."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from playact.actors.cli import main

SCENARIO = """
cast:
  - persona: {name: Ann}
  - persona: {name: Ben}
max_turns: 6
dialogs: 5
"""


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "pair.yaml"
    path.write_text(SCENARIO)
    line = ["run", str(path), "--model", "scripted", "--seed", "5", "--quiet"]
    assert main([*line, "--ordered", "--journal", str(tmp_path / "run.db"), "--out", str(tmp_path / "run.jsonl")]) == 0
    return tmp_path / "run.db"


def test_a_replay_comes_out_as_it_was_and_asks_no_model(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(journal), "--json"]) == 0
    replayed = capsys.readouterr()
    assert main(["status", str(journal), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)

    assert json.loads(replayed.out.splitlines()[-1])["digest"] == status["digest"]
    assert json.loads(replayed.out.splitlines()[-1])["calls"] == 0
    assert "every dialog came out as in" in replayed.err


def test_a_replay_gives_the_dialogs_themselves(journal: Path) -> None:
    again = journal.with_name("again.jsonl")

    assert main(["replay", str(journal), "--out", str(again), "--quiet"]) == 0

    was = [json.loads(line) for line in journal.with_name("run.jsonl").read_text().splitlines()]
    now = [json.loads(line) for line in again.read_text().splitlines()]
    assert [dialog["turns"] for dialog in now] == [dialog["turns"] for dialog in was]


def test_an_export_is_the_file_that_the_run_wrote(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(journal)]) == 0

    assert capsys.readouterr().out == journal.with_name("run.jsonl").read_text()


def test_an_export_does_not_take_the_place_of_a_file_unless_asked_to(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = journal.with_name("run.jsonl")
    before = out.read_text()

    assert main(["export", str(journal), "--out", str(out)]) == 2
    assert "say --overwrite" in capsys.readouterr().err
    assert out.read_text() == before
    assert main(["export", str(journal), "--out", str(out), "--overwrite"]) == 0
    assert out.read_text() == before


@pytest.mark.parametrize("wanted", ["3", "id"])
def test_show_reads_a_dialog_out_of_a_journal(journal: Path, wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = journal.with_name("run.jsonl").read_text().splitlines()[3]
    dialog = json.loads(line)

    assert main(["show", str(journal), dialog["id"][:13] if wanted == "id" else wanted]) == 0

    shown = capsys.readouterr().out
    assert dialog["id"] in shown
    assert dialog["turns"][-1]["text"] in shown


@pytest.mark.parametrize("command", ["replay", "export", "show", "resume", "status"])
def test_what_is_no_journal_is_one_clear_line(tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE t (x)")
    database.close()

    assert main([command, str(other)]) == 2

    (said,) = capsys.readouterr().err.splitlines()
    assert "is no journal of playact" in said
