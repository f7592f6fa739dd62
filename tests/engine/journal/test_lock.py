"""One process at a time plays the run of a journal, and whoever is refused learns who does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from playact.engine import Simulation
from playact.engine.errors import JournalBusy, JournalUnwritable
from playact.engine.journal import JournalFile, JournalLock

pytest.importorskip("fcntl")

HOLD = """
import sys
from pathlib import Path
from playact.engine.journal import JournalLock
lock = JournalLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
lock.release()
"""


@contextmanager
def held_by_another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_lock_is_there_while_it_is_held_and_then_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.db"

    with JournalLock(path):
        holder = JournalLock.holder(path)
        names = os.listdir(tmp_path)

    assert holder == f"process {os.getpid()} on {socket.gethostname()}"
    assert names == ["run.db-lock"]
    assert JournalLock.holder(path) is None
    assert os.listdir(tmp_path) == []


def test_a_second_process_is_refused_with_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "run.db"

    with held_by_another_process(path) as process:
        with pytest.raises(JournalBusy, match=f"in use by process {process.pid} on "):
            JournalLock(path)
        assert JournalLock.holder(path) == f"process {process.pid} on {socket.gethostname()}"


@pytest.mark.anyio
async def test_a_simulation_is_refused_the_journal_of_another_process_and_leaves_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    JournalFile.create(path, {}).close()
    before = path.read_bytes()

    with held_by_another_process(path) as process:
        simulation = Simulation(model="scripted", journal=path)
        with pytest.raises(JournalBusy, match=rf"process {process.pid} on .*; wait until it ends, or watch it with"):
            await simulation.__aenter__()

    assert path.read_bytes() == before


def test_a_second_simulation_of_this_process_is_refused_too(tmp_path: Path) -> None:
    with JournalLock(tmp_path / "run.db"), pytest.raises(JournalBusy, match=f"process {os.getpid()} "):
        JournalLock(tmp_path / "run.db")

    JournalLock(tmp_path / "run.db").release()


def test_a_lock_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with held_by_another_process(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert os.listdir(tmp_path) == ["run.db-lock"]  # nobody was there to take it away
    assert JournalLock.holder(path) is None

    with JournalLock(path):
        assert JournalLock.holder(path) == f"process {os.getpid()} on {socket.gethostname()}"

    assert os.listdir(tmp_path) == []


def test_it_is_free_once_its_holder_has_released_it(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with held_by_another_process(path) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0

    JournalLock(path).release()


def test_whoever_looks_does_not_keep_others_away(tmp_path: Path) -> None:
    import fcntl

    path = tmp_path / "run.db"
    (tmp_path / "run.db-lock").touch()
    looking = os.open(tmp_path / "run.db-lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    assert JournalLock.holder(path) is None
    taking = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    os.close(looking)

    with taking:
        assert taking.stdout is not None
        assert taking.stdout.readline() == b"held\n"
        taking.kill()


def test_a_lock_is_the_same_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "run.db")

    with JournalLock(tmp_path / "real" / "run.db"), pytest.raises(JournalBusy):
        JournalLock(tmp_path / "link.db")


def test_releasing_twice_does_not_release_another_holder(tmp_path: Path) -> None:
    first = JournalLock(tmp_path / "run.db")
    first.release()

    with JournalLock(tmp_path / "run.db"):
        first.release()

        with pytest.raises(JournalBusy):
            JournalLock(tmp_path / "run.db")


def test_a_child_that_was_forked_cannot_release_its_parents_lock(tmp_path: Path) -> None:
    forking = """
import os, sys
from pathlib import Path
from playact.engine.journal import JournalLock
path = Path(sys.argv[1])
with JournalLock(path) as lock:
    if os.fork() == 0:
        lock.release()
        os._exit(0)
    os.wait()
    print(JournalLock.holder(path) is not None, os.listdir(path.parent))
"""

    told = subprocess.run([sys.executable, "-c", forking, tmp_path / "run.db"], capture_output=True, text=True)

    assert (told.stdout, told.stderr) == ("True ['run.db-lock']\n", "")


def test_a_process_started_meanwhile_does_not_hold_it(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False) as child:
        lock = JournalLock(tmp_path / "run.db")
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False) as later:
            lock.release()

            JournalLock(tmp_path / "run.db").release()
            later.kill()
        child.kill()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalUnwritable, match="No such file or directory"):
        JournalLock(tmp_path / "nowhere" / "run.db")

    assert JournalLock.holder(tmp_path / "nowhere" / "run.db") is None
