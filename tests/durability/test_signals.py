"""Asked to end, by Ctrl-C, `kill` or a closed terminal, a run keeps all that is over and can be gone on with."""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from playact.engine.journal.standing import contents
from playact.engine.wording import counted, is_or_are
from tests.durability.command import Expected, Place, ended, until
from tests.servers.counting_server import CountingServer, Manners

CONCURRENCY = 16
LONG_S = 8.0  # far beyond the two seconds that ending may take, for the sake of busy machines

SLOW_TO_CLOSE = """
import os
import anyio
from playact.backends.scripted import ScriptedBackend

class Slow(ScriptedBackend):
    async def aclose(self):
        with anyio.CancelScope(shield=True):
            await anyio.sleep(float(os.environ["CLOSES_IN_S"]))

def made(name):
    async def reply(request):
        await anyio.sleep(0.01)
        return f"This is {request.seed}."
    return Slow(reply)
"""


def under_way(place: Place, process: subprocess.Popen[str]) -> None:
    """Waits until some dialogs are over; others cannot be, for the till lets them hang."""
    until(lambda: place.lines() > 3 and place.till.counts().hanging, process)
    assert process.poll() is None


def check_kept(place: Place) -> None:
    """The file holds just the dialogs that are over, each once."""
    kept = [(str(dialog.id), dialog.digest()) for dialog in place.dialogs()]
    assert sorted(kept) == sorted(contents(place.journal))


def check_goes_on(place: Place, expected: Expected, *, interrupted: int = 1) -> None:
    """Well-mannered again, the till answers what is left, and nothing else is asked twice."""
    place.till.mind(Manners())
    done = place.play(place.resume_line())

    assert done.code == 0, done
    assert done.summary["digest"] == place.digest() == expected.digest
    assert place.till.settled().paid <= expected.needed + CONCURRENCY * interrupted
    assert not place.left_behind()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_whose_calls_hang_and_nothing_is_lost(
    place: Place, expected: Expected, number: signal.Signals
) -> None:
    place.till.mind(Manners(hangs=0.02))
    with place.started(place.run_line()) as process:
        under_way(place, process)

        process.send_signal(number)
        process.send_signal(number)  # as `timeout` does
        start = time.monotonic()
        done = ended(process)
        seconds = time.monotonic() - start

    assert done.code == 128 + number
    assert seconds < LONG_S
    assert place.lines() == done.summary["dialogs"] > 0
    check_kept(place)
    check_goes_on(place, expected)


def test_a_resumed_run_that_was_asked_to_end_says_how_many_more_dialogs_there_are_now(place: Place) -> None:
    assert place.play(place.run_line("--budget", "calls=200")).code == 3
    before = place.lines()
    place.till.mind(Manners(hangs=0.02))
    line = [word for word in place.resume_line("--budget", "calls=10000") if word != "--quiet"]
    with place.started(line) as process:
        until(lambda: place.lines() > before, process)
        process.send_signal(signal.SIGTERM)
        done = ended(process)

    assert done.code == 143
    more = place.lines() - before
    assert f"{counted(more, 'more dialog')} {is_or_are(more)} in {place.out}" in done.err
    check_kept(place)


def test_an_ordered_run_that_was_asked_to_end_comes_out_in_order(place: Place, expected: Expected) -> None:
    place.till.mind(Manners(hangs=0.02))
    with place.started(place.run_line("--ordered")) as process:
        until(lambda: place.till.counts().hanging and place.tally().over > 3, process)
        process.send_signal(signal.SIGINT)
        assert ended(process).code == 130

    places = [expected.ids.index(str(dialog.id)) for dialog in place.dialogs()]
    assert places == sorted(places)
    check_kept(place)
    check_goes_on(place, expected)

    assert [str(dialog.id) for dialog in place.dialogs()] == list(expected.ids)


@contextmanager
def on_a_terminal(place: Place, line: list[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The command with a terminal of its own, and the other end of that; it is closed with the command's end."""
    ours, its = pty.openpty()

    def take_over() -> None:
        os.setsid()
        fcntl.ioctl(its, termios.TIOCSCTTY, 0)

    try:
        with place.started(line, stdin=its, stdout=its, stderr=its, preexec_fn=take_over) as process:
            os.close(its)
            yield process, ours
    finally:
        os.close(ours)


@pytest.mark.parametrize("more", [[], ["--json"], ["--quiet"]])
def test_a_closed_terminal_ends_a_run_and_nothing_is_lost(place: Place, expected: Expected, more: list[str]) -> None:
    place.till.mind(Manners(hangs=0.02))
    line = [word for word in place.run_line() if word not in ("--json", "--quiet")]
    with on_a_terminal(place, [*line, *more]) as (process, ours):
        under_way(place, process)

        os.dup2(os.open(os.devnull, os.O_RDONLY), ours)  # closes it
        process.wait(timeout=LONG_S)

    assert process.returncode == 128 + signal.SIGHUP
    check_kept(place)
    check_goes_on(place, expected)


def test_a_second_ctrl_c_ends_a_run_at_once_that_takes_too_long_to_end(place: Place) -> None:
    offer(place.folder.parent, SLOW_TO_CLOSE)
    line = place.run_line(dialogs=400)
    line[line.index("openai:any")] = "slow:any"
    paths = str(place.folder.parent / "package")
    with place.started(line, env=place.environment(PYTHONPATH=paths, CLOSES_IN_S="3600")) as process:
        until(lambda: place.lines() > 3, process)
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(1.2)  # within a second it would be taken for the same

        assert ended(process).code == -signal.SIGINT  # which a shell calls 130

    done = place.play(place.resume_line(), env=place.environment(PYTHONPATH=paths, CLOSES_IN_S="0"))
    assert done.summary["dialogs"] == len(place.dialogs()) == 400
    assert done.summary["digest"] == place.digest()
    assert not place.left_behind()


def test_ctrl_c_while_a_journal_is_created_or_opened_loses_nothing(place: Place, expected: Expected) -> None:
    interrupted = 0
    for delay_ms in (0, 1, 2, 4, 8, 16, 32, 64):
        line = place.resume_line() if place.tally().has_begun else place.run_line()
        with place.started(line) as process:
            until(lambda: place.was_held_by(process.pid), process)  # it is waited for here and now
            time.sleep(delay_ms / 1000)
            process.send_signal(signal.SIGINT)
            done = ended(process)

        assert done.code in (130, 0), done
        assert done.err == ""
        interrupted += 1

    check_goes_on(place, expected, interrupted=interrupted)


@pytest.fixture(scope="module")
def played(server: CountingServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of so many dialogs that writing them all takes a while."""
    place = Place(tmp_path_factory.mktemp("played"), server)
    line = place.run_line("--max-turns", "1", dialogs=2000)
    line[line.index("openai:any")] = "scripted"
    assert place.play(line).code == 0
    return place.journal


def rewriting(place: Place, played: Path) -> list[str]:
    """The next session has to write the whole file."""
    shutil.copy(played, place.journal)
    return place.resume_line("--out", str(place.out))


def draft_of(place: Place) -> Path:
    return place.out.with_name(f".{place.out.name}.draft")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_file_is_rewritten_leaves_it_as_it_was(
    place: Place, played: Path, number: signal.Signals
) -> None:
    line = rewriting(place, played)
    with place.started(line) as process:
        until(lambda: draft_of(place).exists(), process)
        process.send_signal(number)
        done = ended(process)

    assert done.code == 128 + number
    assert "Traceback" not in done.err
    assert place.lines() == 0
    assert not place.left_behind()
    assert place.play(line).summary["digest"] == place.digest()


def test_killed_while_the_file_is_rewritten_it_is_as_it_was_and_the_draft_goes_with_the_next_session(
    place: Place, played: Path
) -> None:
    line = rewriting(place, played)
    with place.started(line) as process:
        until(lambda: draft_of(place).exists(), process)
        process.kill()
        process.wait()

    assert place.lines() == 0
    assert draft_of(place).exists()
    assert place.play(line).summary["digest"] == place.digest()
    assert not place.left_behind()


def test_a_run_that_ignores_hang_ups_goes_on_without_its_terminal(place: Place) -> None:
    """As under `nohup`, whose terminal may close as it likes."""
    place.till.mind(Manners(hangs=0.02))
    with place.started(place.run_line(), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
        under_way(place, process)
        process.send_signal(signal.SIGHUP)
        place.till.mind(Manners())
        done = ended(process)

    assert done.code == 0
    assert len(place.dialogs()) == 60


def offer(folder: Path, code: str) -> None:
    """A package that offers the backend `slow`."""
    package = folder / "package"
    info = package / "slow-1.0.dist-info"
    info.mkdir(parents=True)
    (package / "slow.py").write_text(code, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[playact.backends]\nslow = slow:made\n", encoding="utf-8")
