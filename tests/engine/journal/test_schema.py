"""What is no journal of a version that is known here is refused with a line that says what it is."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from playact.engine.errors import JournalInvalid
from playact.engine.journal.file import JournalFile
from playact.engine.journal.schema import SCHEMA_VERSION

Opener = Callable[[Path], JournalFile]

HOW = pytest.mark.parametrize("how", [JournalFile.open, JournalFile.read], ids=["open", "read"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run.db"
    JournalFile.create(path, {}).close()
    return path


def change(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(sql)


@HOW
def test_a_newer_schema_asks_for_an_update(path: Path, how: Opener) -> None:
    change(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}; CREATE TABLE news (x)")

    with pytest.raises(JournalInvalid, match=r"made by a newer playact \(schema 2, known 1\); update playact"):
        how(path)


@HOW
def test_an_older_schema_is_refused(path: Path, how: Opener) -> None:
    change(path, "PRAGMA user_version = 0; DROP TABLE plan")

    with pytest.raises(JournalInvalid, match="has the schema 0, which no playact has ever made"):
        how(path)


@HOW
@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE plan",
        "CREATE INDEX i ON log (time)",
        "CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM log; END",
        "ALTER TABLE meta RENAME TO m; CREATE VIEW meta AS SELECT * FROM m",
        "PRAGMA application_id = 7",
    ],
    ids=["table gone", "index", "trigger", "view", "other application"],
)
def test_a_schema_that_is_not_exactly_ours_is_refused(path: Path, sql: str, how: Opener) -> None:
    change(path, sql)

    with pytest.raises(JournalInvalid, match="is damaged: its schema 1 is not as it was made"):
        how(path)


@HOW
def test_a_database_of_others_is_refused_and_stays_as_it_is(tmp_path: Path, how: Opener) -> None:
    path = tmp_path / "shop.db"
    change(path, "CREATE TABLE log (position INTEGER PRIMARY KEY, price REAL); INSERT INTO log VALUES (1, 2.5)")
    before = path.read_bytes()

    with pytest.raises(JournalInvalid, match="is no journal of playact"):
        how(path)

    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["shop.db"]


@HOW
@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n", b"Dear diary, " * 1000, os.urandom(9000), b"SQLite format 3\0" + b"\xff" * 5000],
    ids=["empty", "short", "text", "noise", "false head"],
)
def test_a_file_that_is_no_database_is_refused_and_stays_as_it_is(tmp_path: Path, content: bytes, how: Opener) -> None:
    path = tmp_path / "run.db"
    path.write_bytes(content)

    with pytest.raises(JournalInvalid, match="is no journal of playact"):
        how(path)

    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["run.db"]


@HOW
def test_a_missing_file_is_refused_and_not_made(tmp_path: Path, how: Opener) -> None:
    with pytest.raises(JournalInvalid, match="there is no such journal"):
        how(tmp_path / "run.db")

    assert os.listdir(tmp_path) == []


@HOW
def test_a_folder_is_refused(tmp_path: Path, how: Opener) -> None:
    with pytest.raises(JournalInvalid, match="is a folder"):
        how(tmp_path)


@HOW
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, how: Opener) -> None:
    with pytest.raises(JournalInvalid):
        how(tmp_path / ("x" * 300))


@HOW
def test_a_link_leads_to_the_journal_and_to_its_write_ahead_log(tmp_path: Path, how: Opener) -> None:
    (tmp_path / "real").mkdir()
    writer = JournalFile.create(tmp_path / "real" / "run.db", {"seed": 8})
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "run.db")

    file = how(tmp_path / "link.db")

    assert file.config() == {"seed": 8}
    assert sorted(os.listdir(tmp_path)) == ["link.db", "real"]
    file.close()
    writer.close()


@HOW
def test_links_that_lead_nowhere_or_in_a_circle_are_refused(tmp_path: Path, how: Opener) -> None:
    (tmp_path / "nowhere.db").symlink_to(tmp_path / "gone.db")
    (tmp_path / "circle.db").symlink_to(tmp_path / "circle.db")

    for name in ("nowhere.db", "circle.db"):
        with pytest.raises(JournalInvalid):
            how(tmp_path / name)
