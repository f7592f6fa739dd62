"""A journal that cannot be written, since it may only be read or the disk is full: said clearly, nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from playact.actors import Agent, Persona, Scenario
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Simulation
from playact.engine.digest import DatasetDigest
from playact.engine.errors import JournalInvalid, JournalUnwritable
from playact.engine.journal.file import JournalFile
from tests.journals import Moment, Story, copy_of

SCENARIO = Scenario(cast=(Agent(Persona(name="Ada")), Agent(Persona(name="Bob"))), max_turns=8)
DIALOGS = 40
NEEDS_A_FOLDER = "the folder is missing or may not be written"


def words(request: CompletionRequest) -> str:
    return f"Line {request.sequence} of {request.dialog}. " * 12


async def digest_of_a_run_without_a_journal() -> str:
    digest = DatasetDigest()
    async with Simulation(model=ScriptedBackend(words), seed=4) as simulation:
        async for dialog in simulation.run([SCENARIO] * DIALOGS):
            digest.add(dialog)
    return digest.hexdigest()


async def digest_of_the_rest(path: Path) -> str:
    """Resumes to the end, then replays all there is."""
    async with Simulation.resume(path, model=ScriptedBackend(words)) as simulation:
        async for _ in simulation.run():
            pass
    digest = DatasetDigest()
    async with Simulation.replay(path) as simulation:
        async for dialog in simulation.run():
            digest.add(dialog)
    return digest.hexdigest()


PLAYING = """
import resource, signal, sys
import anyio
from playact.engine import Simulation
from playact.engine.errors import JournalUnwritable
from playact.backends.scripted import ScriptedBackend
from tests.engine.journal.test_unwritable import DIALOGS, SCENARIO, words

path, limit = sys.argv[1], int(sys.argv[2])
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
finished = 0

async def main():
    global finished
    async with Simulation(model=ScriptedBackend(words), journal=path, seed=4, concurrency=7) as simulation:
        async for dialog in simulation.run([SCENARIO] * DIALOGS):
            finished += 1

try:
    anyio.run(main)
except JournalUnwritable as error:
    print(error, file=sys.stderr)
    print(finished)
    sys.exit(2)
print(finished)
"""


def play(path: Path, *, most_bytes: int = 0) -> tuple[int, int, str]:
    """In a process of its own: exit code, dialogs handed out, and what it said."""
    run = subprocess.run([sys.executable, "-c", PLAYING, path, str(most_bytes)], capture_output=True, text=True)
    return run.returncode, int(run.stdout or 0), run.stderr


@pytest.mark.anyio
@pytest.mark.parametrize("most_bytes", [70_000, 200_000, 300_000])
async def test_a_run_on_a_full_disk_stops_clearly_and_goes_on_with_more_room(tmp_path: Path, most_bytes: int) -> None:
    path = tmp_path / "run.db"

    code, finished, said = play(path, most_bytes=most_bytes)

    assert code == 2
    assert said.startswith(f"cannot write {path}: ")
    assert said.endswith(f"; put that right, then go on with `playact resume {path}`\n")
    file = JournalFile.read(path)
    assert file.damage is None
    assert file.verify().over >= finished  # what was handed out is in the file
    file.close()
    assert await digest_of_the_rest(path) == await digest_of_a_run_without_a_journal()


def test_a_disk_that_is_full_from_the_start_holds_no_half_journal(tmp_path: Path) -> None:
    path = tmp_path / "run.db"

    code, finished, said = play(path, most_bytes=5_000)

    assert (code, finished) == (2, 0)
    assert said.startswith(f"cannot write {path}: ")
    assert os.listdir(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "playact-test", folder], capture_output=True)
    if mount.returncode:
        pytest.skip("this system lets us mount nothing")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.anyio
async def test_a_small_disk_that_fills_up_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    code, finished, said = play(small_disk / "run.db")
    path = copy_of(small_disk / "run.db", tmp_path / "larger")

    assert code == 2
    assert "the disk is full" in said
    file = JournalFile.read(path)
    assert file.damage is None
    assert file.verify().over >= finished
    file.close()
    assert await digest_of_the_rest(path) == await digest_of_a_run_without_a_journal()


LOOKING = """
import os, sys
from pathlib import Path
from playact.engine.errors import PlayactError
from playact.engine.journal import JournalFile, JournalLock
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
path = Path(sys.argv[1])
for how in (JournalFile.read, JournalFile.open, JournalLock):
    try:
        found = how(path)
    except PlayactError as error:
        print(f"{how.__name__}: {type(error).__name__}: {error}")
    else:
        print(f"{how.__name__}: {found.verify().entries if how is not JournalLock else ''}")
        found.close() if how is not JournalLock else found.release()
"""


def look(path: Path) -> list[str]:
    """As somebody who is not root, to whom permissions do not apply."""
    run = subprocess.run([sys.executable, "-c", LOOKING, path], capture_output=True, text=True)
    assert run.stderr == ""
    return run.stdout.splitlines()


@pytest.fixture
def runs() -> Iterator[Path]:
    """A folder that everybody may enter, as pytest's own may not be."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        Path(folder).chmod(0o755)


@pytest.fixture
def closed(runs: Path) -> Path:
    """A journal in a folder, both of which only their owner may write."""
    story = Story(runs / "run.db")
    story.go_on(4)
    story.file.close()
    story.file.path.chmod(0o444)
    runs.chmod(0o555)
    return story.file.path


def test_a_journal_that_may_only_be_read_is_read_and_not_opened(closed: Path) -> None:
    told = look(closed)

    assert told[0].startswith("read: ")
    assert told[0] != "read: 0"
    assert told[1].startswith(f"open: JournalUnwritable: cannot write {closed}: ")
    assert told[2].startswith(f"JournalLock: JournalUnwritable: cannot write {closed}: Permission denied")
    assert os.listdir(closed.parent) == ["run.db"]


def test_a_file_that_may_only_be_read_is_not_opened_in_a_folder_that_may_be_written(closed: Path) -> None:
    closed.parent.chmod(0o777)

    told = look(closed)

    assert told[0].startswith("read: ")
    assert told[1] == (
        f"open: JournalUnwritable: cannot write {closed}: it, or its folder, may only be read; "
        f"put that right, then go on with `playact resume {closed}`"
    )


def test_a_folder_that_may_not_be_written_keeps_a_writer_out(closed: Path) -> None:
    closed.chmod(0o666)

    told = look(closed)

    assert told[0].startswith("read: ")
    assert told[1].startswith(f"open: JournalUnwritable: cannot write {closed}: it, or its folder, may only be read")


def test_a_log_that_cannot_be_read_with_its_journal_is_not_left_out(runs: Path, tmp_path: Path) -> None:
    """Without its write-ahead log a killed run's journal would look whole, only older."""
    story = Story(tmp_path / "run.db")
    story.go_on(4)
    path = copy_of(story.file.path, runs)
    story.file.close()
    runs.chmod(0o555)

    told = look(path)

    assert told[0] == f"read: JournalInvalid: {path}: cannot be read: {NEEDS_A_FOLDER}"


def test_a_folder_that_may_not_be_entered_is_refused(closed: Path) -> None:
    closed.parent.chmod(0o600)

    run = subprocess.run([sys.executable, "-c", LOOKING, closed], capture_output=True, text=True)

    assert run.stderr == ""
    assert run.stdout.startswith("read: JournalInvalid: ")


def test_a_disk_that_is_mounted_for_reading_only_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    story = Story(folder / "run.db")
    story.go_on(4)
    story.file.close()
    for options in (["--bind", str(folder)], ["-o", "remount,bind,ro"]):
        if subprocess.run(["mount", *options, str(folder)], capture_output=True).returncode:
            pytest.skip("this system lets us mount nothing")
    try:
        file = JournalFile.read(folder / "run.db")
        assert Moment.of(file) == story.moments[-1]
        file.close()

        with pytest.raises((JournalUnwritable, JournalInvalid)):
            JournalFile.open(folder / "run.db")
        with pytest.raises(JournalUnwritable, match="Read-only file system"):
            JournalFile.create(folder / "new.db", {})
    finally:
        subprocess.run(["umount", folder], check=True)
