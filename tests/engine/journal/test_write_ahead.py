"""The write-ahead log tells by itself what of it was lost, and never of a loss where there is none."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from playact.engine.journal.file import JournalFile
from playact.engine.journal.mark import Mark
from playact.engine.journal.write_ahead import Loss, loss_in
from tests.journals import Story, copy_of, flip

FRAME = 4096 + 24


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    story = Story(tmp_path / "run.db")
    story.go_on(6)
    yield story
    story.file.close()


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def commits_in(log: Path) -> list[int]:
    """The numbers of the frames that end a transaction."""
    content = log.read_bytes()
    frames = range((len(content) - 32) // FRAME)
    return [number for number in frames if struct.unpack_from(">2I", content, 32 + number * FRAME)[1]]


def test_a_whole_log_is_no_loss(story: Story) -> None:
    assert loss_in(story.file.path) is None


def test_no_log_or_an_empty_one_is_no_loss(tmp_path: Path) -> None:
    assert loss_in(tmp_path / "run.db") is None

    (tmp_path / "run.db-wal").touch()

    assert loss_in(tmp_path / "run.db") is None


def test_a_transaction_without_its_last_frame_was_never_committed(story: Story, tmp_path: Path) -> None:
    path = copy_of(story.file.path, tmp_path / "killed")
    *_, last = commits_in(log_of(path))

    for size in range(32 + (last - 1) * FRAME, 32 + (last + 1) * FRAME, 500):
        os.truncate(log_of(path), size)
        assert loss_in(path) is None


def test_a_damaged_frame_loses_the_transactions_from_there_on(story: Story, tmp_path: Path) -> None:
    commits = commits_in(log_of(story.file.path))

    for lost, frame in enumerate(reversed(commits), 1):
        path = copy_of(story.file.path, tmp_path / "killed")
        flip(log_of(path), (32 + frame * FRAME + 2000) * 8)
        told = f"its write-ahead log is damaged; what was written last is lost, {lost} transactions at least"
        assert loss_in(path) == Loss(told, is_last_only=lost == 1)


@pytest.mark.parametrize("place", range(24))
def test_any_byte_of_the_head_of_the_last_frame_counts(story: Story, tmp_path: Path, place: int) -> None:
    path = copy_of(story.file.path, tmp_path / "killed")
    *_, last = commits_in(log_of(path))

    flip(log_of(path), (32 + last * FRAME + place) * 8 + 5)

    assert loss_in(path) is not None


@pytest.mark.parametrize("place", range(32))
def test_any_byte_of_the_logs_head_counts(story: Story, tmp_path: Path, place: int) -> None:
    path = copy_of(story.file.path, tmp_path / "killed")

    flip(log_of(path), place * 8)

    assert loss_in(path) == Loss("its write-ahead log cannot be read; what was written last may be lost")


def test_frames_of_an_earlier_use_of_the_file_are_no_loss(story: Story) -> None:
    story.go_on(40)
    story.checkpoint()
    size = log_of(story.file.path).stat().st_size

    for _ in range(5):
        story.go_on(1)
        assert log_of(story.file.path).stat().st_size == size  # it was begun anew, over what it held before
        assert loss_in(story.file.path) is None


@pytest.mark.parametrize(("noted", "is_lost"), [(46, False), (47, True), (0, True)])
def test_a_last_frame_written_in_part_is_a_loss_unless_it_is_noted_that_nobody_was_told_of_it(
    story: Story, tmp_path: Path, noted: int, is_lost: bool
) -> None:
    """Killed between the head of the frame and the page behind it, where the log had begun anew over older frames."""
    story.go_on(40)
    story.checkpoint()
    before = log_of(story.file.path).read_bytes()
    story.go_on(1)
    path = copy_of(story.file.path, tmp_path / "killed")
    after = log_of(path).read_bytes()
    places = [32 + frame * FRAME for frame in commits_in(log_of(path))]
    last = max(place for place in places if after[place : place + 24] != before[place : place + 24])
    log_of(path).write_bytes(after[: last + 24] + before[last + 24 : last + FRAME] + after[last + FRAME :])
    mark = Mark(path)
    mark.note(noted)
    mark.close(is_needed=True)

    file = JournalFile.read(path)

    assert (file.damage is not None) == is_lost
    file.close()


def test_a_log_that_goes_on_after_a_kill_is_no_loss(story: Story, tmp_path: Path) -> None:
    """The next process writes over what the killed one had begun."""
    path = copy_of(story.file.path, tmp_path / "killed")
    *_, last = commits_in(log_of(path))
    os.truncate(log_of(path), 32 + last * FRAME)
    path.with_name("run.db-mark").unlink()

    file = JournalFile.open(path)

    assert file.damage is None
    assert loss_in(path) is None
    file.close()


WRITER = """
import sys
from pathlib import Path
from tests.journals import Story
story = Story(Path(sys.argv[1]))
print("begun", flush=True)
while True:
    story.go_on(1)
    if len(story.moments) % 50 == 0:
        story.moments[1:] = story.moments[-1:] * (len(story.moments) - 1)
"""


def test_a_journal_that_another_process_is_writing_is_never_called_damaged(tmp_path: Path) -> None:
    """It is looked at 80 times while it grows and its log begins anew, without any lock that would say so."""
    path = tmp_path / "run.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"begun\n"
        try:
            entries = []
            for place in range(80):
                if place % 10 == 0:  # also in the midst of a transaction
                    writer.send_signal(signal.SIGSTOP)
                file = JournalFile.read(path)
                entries.append(file.tally().entries)
                assert file.damage is None
                file.close()
                writer.send_signal(signal.SIGCONT)
        finally:
            writer.kill()

    assert entries == sorted(entries)
    assert entries[-1] > entries[0]


def test_a_journal_that_is_being_written_can_be_read_whole_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"begun\n"
        try:
            for _ in range(8):
                file = JournalFile.read(path)
                assert len(list(file.dialogs())) >= 0
                file.verify()
                file.close()
        finally:
            writer.kill()
