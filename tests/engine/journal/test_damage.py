"""A spoiled journal opens with the damage named and an earlier moment intact, or is refused: never wrong data.

`PLAYACT_FLIPS` says in how many places a bit is flipped, 1,000 unless said otherwise.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path

import pytest

from playact.engine.errors import JournalInvalid
from playact.engine.journal.file import Batch, JournalFile
from playact.engine.journal.rows import sealed
from tests.journals import Moment, Story, copy_of, flip

FLIPS = int(os.environ.get("PLAYACT_FLIPS", "1000"))
PAGE = 4096
FRAME = PAGE + 24

Opener = Callable[[Path], JournalFile]


def opened(path: Path) -> JournalFile:
    return JournalFile.open(path, synchronous="OFF")


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """A run under way: 20 transactions in the file, six more in the log only."""
    story = Story(tmp_path / "run.db")
    story.go_on(20)
    story.checkpoint(is_log_emptied=True)
    story.go_on(6)
    yield story
    story.file.close()


def moment_in(path: Path, story: Story, how: Opener) -> tuple[int, str | None] | None:
    """Which moment of the story a file holds, and what it says is lost; None when it is refused."""
    try:
        file = how(path)
    except JournalInvalid:
        return None
    try:
        moment = Moment.of(file)
    except JournalInvalid:
        return None
    finally:
        file.close()
    return story.moments.index(moment), file.damage  # a moment that never was is a ValueError


def test_a_log_cut_at_any_byte_gives_an_earlier_moment_and_names_what_is_lost(tmp_path: Path) -> None:
    story = Story(tmp_path / "run.db")
    story.go_on(2)
    story.checkpoint(is_log_emptied=True)
    story.go_on(2)
    path = copy_of(story.file.path, tmp_path / "killed")
    log = path.with_name("run.db-wal")
    size = log.stat().st_size
    moments = set()

    for cut in [*range(1, FRAME + 1), *range(FRAME + 1, size + 1, 59)]:
        os.truncate(log, size - cut)
        found = moment_in(path, story, JournalFile.read)
        assert found is not None
        moment, damage = found
        assert damage is not None
        moments.add(moment)

    assert moments == {2, 3}
    story.file.close()


def test_a_log_cut_anywhere_gives_an_earlier_moment_also_where_nothing_was_noted(story: Story, tmp_path: Path) -> None:
    path = copy_of(story.file.path, tmp_path / "copied", marked=False)
    log = path.with_name("run.db-wal")
    moments = []

    for size in range(log.stat().st_size, -1, -97):
        os.truncate(log, size)
        found = moment_in(path, story, JournalFile.read)
        assert found is not None
        moments.append(found[0])

    assert moments == sorted(moments, reverse=True)
    assert moments[0] == len(story.moments) - 1
    assert moments[-1] == 20


def test_a_file_cut_at_any_byte_of_its_last_pages_is_refused_or_whole(story: Story, tmp_path: Path) -> None:
    killed = copy_of(story.file.path, tmp_path / "killed")
    story.file.close()
    closed = copy_of(story.file.path, tmp_path / "closed")
    last = len(story.moments) - 1

    for path in (killed, closed):
        size = path.stat().st_size
        for cut in range(1, 2 * PAGE, 1 if path is closed else 61):
            os.truncate(path, size - cut)
            assert moment_in(path, story, JournalFile.read) in (None, (last, None))


@pytest.mark.parametrize("how", [opened, JournalFile.read], ids=["open", "read"])
def test_a_missing_log_is_named(story: Story, tmp_path: Path, how: Opener) -> None:
    path = copy_of(story.file.path, tmp_path / "killed")
    path.with_name("run.db-wal").unlink()

    found = moment_in(path, story, how)

    lost = "what was written last is lost, 6 transactions, for its write-ahead log is cut or missing"
    assert found == (20, lost)


def test_what_was_lost_is_named_until_the_run_goes_on_from_there(story: Story, tmp_path: Path) -> None:
    path = copy_of(story.file.path, tmp_path / "killed")
    flip(path.with_name("run.db-wal"), (32 + FRAME) * 8 + 77)
    for how in (JournalFile.read, opened, opened, JournalFile.read, opened):
        file = how(path)
        assert file.damage is not None
        assert Moment.of(file) == story.moments[20]
        file.close()
    file = opened(path)

    file.commit(Batch())

    file.close()
    file = opened(path)
    assert file.damage is None
    assert Moment.of(file) == story.moments[20]
    file.close()
    assert os.listdir(path.parent) == ["run.db"]


@pytest.mark.parametrize("marked", [True, False], ids=["noted", "not noted"])
def test_a_flipped_bit_in_the_log_gives_an_earlier_moment_that_is_named(
    story: Story, tmp_path: Path, marked: bool
) -> None:
    rng = random.Random(1)
    last = len(story.moments) - 1
    bits = story.file.path.with_name("run.db-wal").stat().st_size * 8

    for place in range(FLIPS // 4):
        path = copy_of(story.file.path, tmp_path / "killed", marked=marked)
        flip(path.with_name("run.db-wal"), rng.randrange(bits))
        found = moment_in(path, story, opened if place % 2 else JournalFile.read)
        if found is not None:
            moment, damage = found
            assert moment == last or damage is not None


def test_a_flipped_bit_in_a_log_that_is_in_the_file_already_mixes_no_old_pages_with_new(tmp_path: Path) -> None:
    """SQLite lays what it can still read of the log over the file, which holds all of it and more."""
    rng = random.Random(2)
    story = Story(tmp_path / "run.db")
    story.go_on(60)
    story.checkpoint()
    last = len(story.moments) - 1
    bits = story.file.path.with_name("run.db-wal").stat().st_size * 8
    refused = 0

    for place in range(FLIPS // 10):
        path = copy_of(story.file.path, tmp_path / "killed", marked=place % 2 == 0)
        flip(path.with_name("run.db-wal"), rng.randrange(bits))
        found = moment_in(path, story, opened)
        refused += found is None
        if found is not None:
            moment, damage = found
            assert moment == last or damage is not None

    assert refused  # it does happen
    story.file.close()


def test_a_log_that_is_in_the_file_already_and_is_cut_mixes_no_old_pages_with_new(tmp_path: Path) -> None:
    story = Story(tmp_path / "run.db")
    story.go_on(40)
    story.checkpoint()
    path = copy_of(story.file.path, tmp_path / "copied", marked=False)
    log = path.with_name("run.db-wal")

    for size in range(log.stat().st_size, 0, -FRAME):
        os.truncate(log, size)
        moment_in(path, story, JournalFile.read)  # which looks whether there ever was such a moment

    story.file.close()


def test_a_flipped_bit_in_the_file_never_gives_other_data(story: Story, tmp_path: Path) -> None:
    rng = random.Random(3)
    killed = len(story.moments) - 1
    bits = story.file.path.stat().st_size * 8
    found: list[tuple[int, str | None] | None] = []

    for place in range(FLIPS // 2):
        path = copy_of(story.file.path, tmp_path / "killed")
        flip(path, rng.randrange(bits))
        found.append(moment_in(path, story, opened if place % 2 else JournalFile.read))

    assert {each[0] for each in found if each is not None} == {killed}
    assert found.count(None) > FLIPS // 20


def test_a_journal_that_is_refused_is_left_as_it_is(story: Story, tmp_path: Path) -> None:
    path = copy_of(story.file.path, tmp_path / "killed")
    flip(path.with_name("run.db-wal"), (32 + FRAME) * 8 + 77)
    flip(path, path.read_bytes().index(b'{"cast":"Ada"}') * 8)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}

    with pytest.raises(JournalInvalid):
        JournalFile.open(path)

    after = {file.name: file.read_bytes() for file in path.parent.iterdir() if not file.name.endswith("-shm")}
    assert after == before


def test_a_lost_ending_of_a_dialog_is_found_when_the_dialogs_are_read(story: Story) -> None:
    """As when an older version of a page came back: every row of it is whole."""
    row = next(row for row in story.file.dialogs() if row.reason is not None)
    earlier = next(dialog for moment in story.moments for dialog in moment.dialogs if dialog.number == row.number)
    story.file._database.execute("DELETE FROM dialog WHERE number = ?", (row.number,))
    story.file._database.execute("INSERT INTO dialog VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", sealed(astuple(earlier)))

    with pytest.raises(JournalInvalid, match="the dialogs do not agree with the tally"):
        list(story.file.dialogs())


@pytest.mark.parametrize(
    ("table", "column", "message"),
    [
        ("log", "position", r"log ends at \d+, not at \d+"),
        ("dialog", "number", r"dialog ends at \d+, not at \d+"),
        ("plan", "place", "plan ends at 7, not at 8"),
        ("scenario", "number", "scenario ends at 0, not at 1"),
    ],
)
def test_a_lost_last_row_of_any_table_is_found_at_once(story: Story, table: str, column: str, message: str) -> None:
    story.file._database.execute(f"DELETE FROM {table} WHERE {column} = (SELECT max({column}) FROM {table})")  # noqa: S608

    with pytest.raises(JournalInvalid, match=message):
        JournalFile.read(story.file.path)


def test_a_lost_row_within_is_found_when_it_is_read(story: Story) -> None:
    story.file._database.execute("DELETE FROM log WHERE position = 5")

    assert next(story.file.entries(4)).position == 4
    with pytest.raises(JournalInvalid, match="log 5 is missing"):
        list(story.file.entries(4))
