"""A disk that is full is one clear line; what was acknowledged is kept, and with room made the run goes on."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.durability.command import Ended, Expected, Place
from tests.servers.counting_server import CountingServer

CONCURRENCY = 16
KIB = 1024


def room_for(size: int) -> Callable[[], None]:
    """For a process that is to begin: none of its files may grow beyond this. Python has it get an error, no signal."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a MiB."""
    yield from disk(tmp_path / "disk", "512k")


@pytest.fixture
def roomy_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that a run of ten dialogs cannot fill, however many transactions it makes of them."""
    yield from disk(tmp_path / "disk", "16m")


def disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def one_line(done: Ended) -> str:
    """What a command says that cannot go on."""
    assert done.code == 2, done
    (line,) = done.err.splitlines()
    assert line.startswith("playact: cannot write ")
    return line


def check_goes_on(place: Place, expected: Expected, *, sessions: int) -> None:
    done = place.play(place.resume_line())

    assert done.code == 0, done
    assert done.summary["digest"] == place.digest() == expected.digest
    assert place.till.settled().paid <= expected.needed + CONCURRENCY * sessions
    assert not place.left_behind()


@pytest.mark.parametrize("size", [4, 40, 200, 500])
def test_a_journal_that_may_grow_no_more_ends_the_run_in_one_line(place: Place, expected: Expected, size: int) -> None:
    line = place.run_line()
    line[line.index("--out") + 1] = os.devnull  # which takes anything, so that the journal meets the limit

    said = one_line(place.play(line, preexec_fn=room_for(size * KIB)))

    assert str(place.journal) in said
    replies = place.tally().calls
    assert place.till.settled().answered - replies <= CONCURRENCY
    if place.tally().has_begun:
        done = place.play(place.resume_line("--out", str(place.out)))
        assert done.summary["digest"] == place.digest() == expected.digest
        assert place.till.settled().paid <= expected.needed + CONCURRENCY
    else:
        assert place.play(place.run_line()).summary["digest"] == expected.digest
    assert not place.left_behind()


def test_a_journal_that_may_grow_no_more_can_be_resumed_again_and_again(place: Place, expected: Expected) -> None:
    sizes = (150, 200, 260, 330, 410)
    line = place.run_line()
    for size in sizes:
        before = place.tally().calls

        one_line(place.play(line, preexec_fn=room_for(size * KIB)))

        assert place.tally().calls >= before
        line = place.resume_line()
    check_goes_on(place, expected, sessions=len(sizes))


def test_on_a_full_disk_a_run_ends_in_one_line_and_goes_on_once_there_is_room(
    small_disk: Path, server: CountingServer, tmp_path: Path, expected: Expected
) -> None:
    place = Place(small_disk, server)

    said = one_line(place.play(place.run_line()))

    assert "the disk is full" in said or "No space left on device" in said
    assert place.till.settled().answered - place.tally().calls <= CONCURRENCY
    assert len(place.dialogs()) == place.lines()
    roomy = tmp_path / "roomy"
    shutil.copytree(small_disk, roomy, ignore=shutil.ignore_patterns("*-lock"))
    elsewhere = Place(roomy, server)
    elsewhere.till = place.till
    done = elsewhere.play(elsewhere.resume_line("--out", str(elsewhere.out)))
    assert done.code == 0, done
    assert done.summary["digest"] == elsewhere.digest() == expected.digest
    assert place.till.settled().paid <= expected.needed + CONCURRENCY


def test_a_full_disk_can_still_tell_where_the_run_stands(small_disk: Path, server: CountingServer) -> None:
    place = Place(small_disk, server)
    one_line(place.play(place.run_line()))
    (small_disk / "filler").write_bytes(b"x" * os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize)

    status = place.status()

    assert status["over"] == place.tally().over
    assert status["state"] in ("stopped", "killed")


def test_a_full_disk_for_the_file_alone_costs_nothing_of_the_journal(
    small_disk: Path, server: CountingServer, place: Place, expected: Expected
) -> None:
    here = small_disk / "run.jsonl"
    (small_disk / "filler").write_bytes(b"x" * 480 * KIB)
    line = place.run_line()
    line[line.index("--out") + 1] = str(here)

    said = one_line(place.play(line))

    assert f"{here}: No space left on device; it holds" in said
    assert here.read_bytes().endswith(b"\n")
    assert place.tally().over > 0
    again = one_line(place.play(place.resume_line()))
    assert str(here) in again
    (small_disk / "filler").unlink()
    done = place.play(place.resume_line())
    assert done.code == 0, done
    place.out = here
    assert done.summary["digest"] == place.digest() == expected.digest


def test_a_journal_on_a_disk_that_may_only_be_read_is_refused_in_one_line_and_can_be_looked_at(
    roomy_disk: Path, server: CountingServer, tmp_path: Path
) -> None:
    place = Place(roomy_disk, server)
    assert place.play(place.run_line(dialogs=10)).code == 0
    out = str(tmp_path / "run.jsonl")
    subprocess.run(["mount", "-o", "remount,ro", str(roomy_disk)], check=True)

    done = place.play(place.resume_line("-n", "20", "--out", out))

    assert "Read-only file system" in one_line(done)
    assert place.status()["over"] == 10
    place.journal, place.out = roomy_disk / "new.db", tmp_path / "new.jsonl"
    assert "Read-only file system" in one_line(place.play(place.run_line()))


@pytest.mark.skipif(os.geteuid() == 0, reason="whoever is root may write anything")
@pytest.mark.parametrize("spared", ["journal", "folder"])
def test_a_journal_whose_file_or_folder_may_only_be_read_is_refused_in_one_line_and_can_be_looked_at(
    place: Place, tmp_path: Path, spared: str
) -> None:
    assert place.play(place.run_line(dialogs=10)).code == 0
    (place.folder if spared == "journal" else place.journal).chmod(0o500)

    done = place.play(place.resume_line("-n", "20", "--out", str(tmp_path / "run.jsonl")))

    place.folder.chmod(0o700)
    assert "may only be read" in one_line(done) or "Permission denied" in one_line(done)
    assert place.status()["over"] == 10
