"""A new journal is there whole or not at all, and never takes the place of anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from playact.engine.errors import JournalInvalid, JournalUnwritable
from playact.engine.journal.file import JournalFile
from tests.journals import Moment, Story


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_new_journal_is_empty_and_whole(tmp_path: Path) -> None:
    file = JournalFile.create(tmp_path / "run.db", {"seed": 1, "name": "Zoë 🎭"})

    tally = file.verify()

    assert file.config() == {"seed": 1, "name": "Zoë 🎭"}
    assert (tally.entries, tally.dialogs, tally.sessions) == (0, 0, 0)
    assert file.damage is None
    file.close()
    assert names_in(tmp_path) == ["run.db"]


def test_a_journal_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    story = Story(path)
    story.go_on(5)
    story.file.close()
    before = path.read_bytes()

    with pytest.raises(JournalInvalid, match="holds something already"):
        JournalFile.create(path, {"seed": 2})

    assert path.read_bytes() == before
    assert names_in(tmp_path) == ["run.db"]


def test_any_other_file_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    path.write_text("my notes")

    with pytest.raises(JournalInvalid, match="holds something already"):
        JournalFile.create(path, {})

    assert path.read_text() == "my notes"


def test_an_empty_file_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    path.touch()

    file = JournalFile.create(path, {"seed": 1})

    assert file.config() == {"seed": 1}
    file.close()


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalInvalid, match="is a folder"):
        JournalFile.create(tmp_path, {})


def test_a_missing_folder_is_named_as_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(JournalUnwritable, match="cannot write"):
        JournalFile.create(tmp_path / "nowhere" / "run.db", {})


def test_a_write_ahead_log_without_its_journal_is_refused_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    story = Story(path)
    story.go_on(5)
    log = path.with_name("run.db-wal").read_bytes()
    story.file.close()
    path.unlink()
    path.with_name("run.db-wal").write_bytes(log)

    with pytest.raises(JournalInvalid, match=r"its write-ahead log is still there; move .*run.db-wal away first"):
        JournalFile.create(path, {})

    assert names_in(tmp_path) == ["run.db-wal"]


def test_what_an_earlier_creation_left_half_done_is_no_obstacle(tmp_path: Path) -> None:
    for leftover in ("run.db-new", "run.db-new-wal", "run.db-new-shm", "run.db-mark"):
        (tmp_path / leftover).write_bytes(b"00000000000000000099")

    file = JournalFile.create(tmp_path / "run.db", {})

    assert file.damage is None
    file.close()
    assert names_in(tmp_path) == ["run.db"]


def test_a_rename_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(old: Path, new: Path) -> None:
        assert old.exists()
        raise OSError(28, "No space left on device")

    with pytest.raises(JournalUnwritable, match=r"cannot write .*run.db: No space left on device"):
        JournalFile.create(tmp_path / "run.db", {}, rename=fail)

    assert names_in(tmp_path) == []


def test_at_the_moment_of_the_rename_all_is_in_the_file(tmp_path: Path) -> None:
    def look(old: Path, new: Path) -> None:
        assert names_in(tmp_path) == ["run.db-new"]
        (tmp_path / "copy.db").write_bytes(old.read_bytes())
        os.replace(old, new)

    JournalFile.create(tmp_path / "run.db", {"seed": 3}, rename=look).close()

    copy = JournalFile.open(tmp_path / "copy.db")
    assert copy.config() == {"seed": 3}
    assert Moment.of(copy).entries == ()
    copy.close()


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "run.db")

    file = JournalFile.create(tmp_path / "link.db", {"seed": 1})

    assert (tmp_path / "link.db").is_symlink()
    assert (tmp_path / "real" / "run.db").stat().st_size
    file.close()


def test_a_link_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.db").symlink_to(tmp_path / "a.db")

    with pytest.raises((JournalInvalid, JournalUnwritable)):
        JournalFile.create(tmp_path / "a.db", {})


KILLED_AT_EACH_STEP = """
import os, sys
from pathlib import Path
from playact.engine.errors import JournalInvalid
from playact.engine.journal.file import JournalFile

folder = Path(sys.argv[1])
WATCHED = ("open", "sqlite3.connect", "os.remove", "os.rename", "os.truncate")

def create_and_die(path, step):
    left = step
    def count(event, arguments):
        nonlocal left
        if event in WATCHED:
            left -= 1
            if left < 0:
                os._exit(9)
    sys.addaudithook(count)
    JournalFile.create(path, {"seed": 1}).close()
    os._exit(0)

for step in range(1000):
    path = folder / f"{step}.db"
    child = os.fork()
    if child == 0:
        create_and_die(path, step)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    state = "none" if not path.exists() else "whole"
    if state == "whole":
        file = JournalFile.open(path)
        file.verify()
        assert file.damage is None, file.damage
        file.close()
    else:
        JournalFile.create(path, {"seed": 2}).close()
    print(step, status, state)
    if status == 0:
        break
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_killed_at_any_step_of_a_creation_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    """The steps are those that Python reports to its audit hooks: each file opened, removed, renamed."""
    run = subprocess.run([sys.executable, "-c", KILLED_AT_EACH_STEP, tmp_path], capture_output=True, text=True)

    assert run.stderr == ""
    lines = [line.split() for line in run.stdout.splitlines()]
    states = [state for _, _, state in lines]
    assert {"none", "whole"} == set(states)
    assert states == sorted(states)  # once it is there, it is there
    assert [status for _, status, _ in lines] == ["9"] * (len(lines) - 1) + ["0"]
