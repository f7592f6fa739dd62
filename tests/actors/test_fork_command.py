"""Going on otherwise from a turn of a dialog, on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from playact.actors.cli import main
from playact.engine import Dialog, Parameters
from playact.engine.program.resumption import config_in, parameters_in

SCENARIO = """
cast:
  - persona: {name: Ann}
  - persona: {name: Ben}
max_turns: 6
dialogs: 4
"""
OTHERS = """
cast:
  - persona: {name: Ann}
  - persona: {name: Zoe, role: inspector}
    orchestrators: [{LengthOrchestrator: {max: 4}}]
max_turns: 8
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with a finished run: `run.db`, `run.jsonl`."""
    (tmp_path / "pair.yaml").write_text(SCENARIO)
    (tmp_path / "others.yaml").write_text(OTHERS)
    line = ["run", str(tmp_path / "pair.yaml"), "--model", "scripted", "--seed", "5", "--quiet", "--ordered"]
    assert main([*line, "--journal", str(tmp_path / "run.db"), "--out", str(tmp_path / "run.jsonl")]) == 0
    return tmp_path


def dialogs(path: Path) -> list[Dialog]:
    return list(Dialog.read_lines(path))


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return line


def test_a_fork_shares_the_first_turns_pays_for_the_others_and_names_its_parent(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run / "fork.jsonl"

    assert main(["fork", str(run / "run.db"), "2", "--turn", "4", "--seed", "9", "--out", str(out), "--json"]) == 0

    (fork,), parent = dialogs(out), dialogs(run / "run.jsonl")[2]
    assert [turn.text for turn in fork][:4] == [turn.text for turn in parent][:4]
    assert [turn.text for turn in fork][4:] != [turn.text for turn in parent][4:]
    assert fork.parentId == parent.id != fork.id
    assert summary(capsys)["calls"] == 2


def test_a_fork_has_the_seed_of_its_parent_unless_another_is_asked_for(run: Path) -> None:
    out = run / "fork.jsonl"

    assert main(["fork", str(run / "run.db"), "2", "--turn", "3", "--out", str(out), "--quiet"]) == 0

    (fork,), parent = dialogs(out), dialogs(run / "run.jsonl")[2]
    assert fork.seed == parent.seed


def test_many_forks_differ_and_repeat(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["fork", str(run / "run.db"), "0", "--turn", "2", "-n", "20", "--json", "--quiet"]

    digests = [(main(line), summary(capsys)["digest"]) for _ in range(2)]
    assert main([*line, "--out", str(run / "forks.jsonl")]) == 0

    assert digests[0] == digests[1]
    assert len({str(fork) for fork in dialogs(run / "forks.jsonl")}) > 15
    assert len({fork.id for fork in dialogs(run / "forks.jsonl")}) == 20


@pytest.mark.parametrize("source", ["run.db", "run.jsonl"])
def test_another_scenario_goes_on_from_either_kind_of_file(run: Path, source: str) -> None:
    wanted = dialogs(run / "run.jsonl")[1]
    line = ["fork", str(run / source), str(wanted.id)[:12], "--turn", "2", "--scenario", str(run / "others.yaml")]

    assert main([*line, "--model", "scripted", "--out", str(run / "fork.jsonl"), "--quiet"]) == 0

    (fork,) = dialogs(run / "fork.jsonl")
    assert fork.get_speakers() == ["Ann", "Zoe"]
    assert [turn.text for turn in fork][:2] == [turn.text for turn in wanted][:2]
    assert len(fork) == 8


def test_forks_in_a_journal_are_a_run_like_any_other(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = str(run / "forks.db")
    assert main(["fork", str(run / "run.db"), "0", "--turn", "2", "-n", "5", "--journal", journal, "--json"]) == 0
    forked = summary(capsys)

    assert main(["replay", journal, "--json"]) == 0
    assert summary(capsys)["digest"] == forked["digest"]
    assert main(["resume", journal, "--json"]) == 0
    assert summary(capsys)["session"]["calls"] == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (["run.db", "0", "--turn", "7"], "6 turns; say --turn 6 or less"),
        (["run.db", "99", "--turn", "1"], "no dialog that is over and goes by '99'"),
        (["run.db", "", "--turn", "1"], "4 dialogs that go by ''"),
        (["run.jsonl", "1", "--turn", "1"], "say --scenario FILE.yaml"),
        (["none.db", "1", "--turn", "1"], "cannot be read: No such file"),
        (["pair.yaml", "1", "--turn", "1", "--scenario", "pair.yaml"], "pair.yaml"),
    ],
)
def test_what_cannot_be_forked_is_one_clear_line(
    run: Path, line: list[str], reason: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    capsys.readouterr()

    assert main(["fork", *line]) == 2

    (said,) = capsys.readouterr().err.splitlines()
    assert reason in said


def test_a_fork_samples_as_its_parent_did_but_for_what_is_asked(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent, fork = run / "parent.db", run / "fork.db"
    line = ["run", str(run / "pair.yaml"), "--model", "scripted", "--seed", "5", "--quiet", "--journal", str(parent)]
    assert main([*line, "--max-tokens", "40", "--temperature", "0.5"]) == 0
    monkeypatch.setenv("PLAYACT_TOP_P", "0.1")
    monkeypatch.setenv("PLAYACT_IN_FLIGHT", "3")
    again = ["fork", str(parent), "1", "--turn", "2", "--temperature", "0", "--journal", str(fork), "--quiet"]

    assert main(again) == 0

    config = config_in(fork)
    assert config["in_flight"] == 3
    assert parameters_in(config) == Parameters(temperature=0, max_tokens=40)
