"""A journal of another version of playact, or no journal at all, is refused in one line and left as it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from playact.actors.cli import main
from playact.engine.journal.schema import SCHEMA_VERSION
from tests.durability.command import Place

COMMANDS = ("resume", "status", "replay")


def with_version(place: Place, version: int) -> bytes:
    """A journal whose run is over, as a playact of that version might have made it."""
    assert main(["run", str(place.scenario), "--model", "scripted", "--quiet", "--journal", str(place.journal)]) == 0
    with closing(sqlite3.connect(place.journal)) as database:
        database.execute(f"PRAGMA user_version = {version}")
    return place.journal.read_bytes()


def refused(place: Place, command: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main([command, str(place.journal)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"playact: {place.journal}")
    return line


@pytest.mark.parametrize("command", COMMANDS)
def test_a_newer_schema_says_to_update(place: Place, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = with_version(place, SCHEMA_VERSION + 1)

    said = refused(place, command, capsys)

    assert "newer playact" in said
    assert "update" in said
    assert place.journal.read_bytes() == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_schema_that_there_never_was_is_named(place: Place, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = with_version(place, 0)

    assert "schema 0" in refused(place, command, capsys)

    assert place.journal.read_bytes() == before


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"my notes\n", "is no journal of playact"),
        (b"", "is no journal of playact"),
        (None, "there is no such journal"),
    ],
)
def test_what_is_no_journal_is_refused(
    place: Place, command: str, content: bytes | None, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        place.journal.write_bytes(content)

    assert reason in refused(place, command, capsys)

    assert not place.left_behind()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_is_no_journal(place: Place, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    place.journal.mkdir()

    assert "is a folder" in refused(place, command, capsys)
