"""`playact export`: dialogs of a journal or a file as data for training, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playact.actors.cli import main

SCENARIO = """
cast:
  - persona: {name: Ana, role: barista}
  - persona: {name: Bob}
max_turns: 4
dialogs: 3
"""


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cafe.yaml").write_text(SCENARIO, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["run", "cafe.yaml", "--model", "scripted", "--seed", "1", "--journal", "cafe.db", "--quiet"]) == 0
    return tmp_path / "cafe.db"


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("format", "key"), [("openai", "messages"), ("sharegpt", "conversations")])
def test_a_journal_becomes_chats_with_a_card_beside_them(journal: Path, format: str, key: str) -> None:
    assert main(["export", str(journal), "--format", format, "--assistant", "Ana", "--out", "chats.jsonl"]) == 0

    chats = lines(journal.with_name("chats.jsonl"))
    assert len(chats) == 3
    assert all(chat[key] for chat in chats)
    assert "dialogs: 3" in journal.with_name("chats.jsonl.README.md").read_text(encoding="utf-8")


@pytest.mark.engine
def test_chats_in_chatml_are_written_by_the_template_of_the_packaged_model(journal: Path) -> None:
    assert main(["export", str(journal), "--format", "chatml", "--assistant", "Ana", "--out", "chats.jsonl"]) == 0

    text = str(lines(journal.with_name("chats.jsonl"))[0]["text"])
    assert text.startswith("<|im_start|>system\nYou are Ana. Role: barista.")
    assert text.count("<|im_start|>assistant\n") == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--format", "openai", "--assistant", "Zed", "--out", "x"],
            "no dialog has words of 'Zed'; there speaks Ana, Bob",
        ),
        (["--format", "csv", "--assistant", "Ana", "--out", "x"], "--assistant is for chats"),
        (["--format", "tea", "--out", "x"], "invalid choice: 'tea'"),
    ],
)
def test_what_cannot_be_exported_is_one_line_and_leaves_no_file(
    journal: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(["export", str(journal), *arguments]) == 2

    assert told in capsys.readouterr().err
    assert sorted(path.name for path in journal.parent.iterdir()) == ["cafe.db", "cafe.yaml"]


def test_a_file_that_is_there_is_written_over_only_when_that_is_said(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal.with_name("chats.jsonl").write_text("mine", encoding="utf-8")

    assert exit_code(["export", str(journal), "--format", "openai", "--out", "chats.jsonl"]) == 2
    assert journal.with_name("chats.jsonl").read_text(encoding="utf-8") == "mine"
    assert exit_code(["export", str(journal), "--format", "openai", "--out", "chats.jsonl", "--overwrite"]) == 0
    assert len(lines(journal.with_name("chats.jsonl"))) == 3


@pytest.mark.parametrize("format", ["jsonl", "openai", "csv", "txt"])
def test_a_file_without_dialogs_has_nothing_to_export_just_as_it_has_nothing_to_show(
    tmp_path: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "none.jsonl", tmp_path / "out"
    source.touch()

    codes = [
        exit_code(["show", str(source)]),
        exit_code(["export", str(source), "--format", format, "--out", str(out)]),
    ]

    assert codes == [2, 2]
    assert capsys.readouterr().err == f"playact: {source} holds no dialogs\n" * 2
    assert not out.exists()


def test_a_journal_of_which_no_dialog_is_over_is_told_and_what_to_do(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = journal.with_name("begun.db")
    main(["run", "cafe.yaml", "--model", "scripted", "--journal", str(begun), "--budget", "calls=1", "--quiet"])
    capsys.readouterr()

    codes = [exit_code(["show", str(begun)]), exit_code(["export", str(begun)])]

    assert codes == [2, 2]
    told = f"playact: {begun} holds no dialog that is over; see how far its run is: playact status {begun}\n"
    assert capsys.readouterr().err == told * 2


def test_a_table_always_has_turns_and_messages_when_it_is_told_whose(journal: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")

    assert main(["export", str(journal), "--out", "plain.parquet"]) == 0
    assert main(["export", str(journal), "--out", "chats.parquet", "--assistant", "Ana"]) == 0

    plain, chats = (parquet.read_schema(journal.with_name(name)).names for name in ("plain.parquet", "chats.parquet"))
    assert "turns" in plain
    assert set(chats) - set(plain) == {"assistant", "messages"}


def test_what_shapes_messages_is_refused_for_a_table_without_them(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(["export", str(journal), "--out", "x.parquet", "--thoughts"]) == 2

    assert "--thoughts is for the messages, which parquet has beside the turns when --assistant says whose" in (
        capsys.readouterr().err
    )


def exit_code(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as error:
        return int(error.code or 0)
