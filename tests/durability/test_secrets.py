"""A key is in no byte of what a run leaves behind or says, though a server repeats it in every error."""

from __future__ import annotations

import signal

import pytest

from tests.durability.command import KEY, Ended, Place, ended, until
from tests.servers.counting_server import Manners


def check_silence(place: Place, *commands: Ended) -> None:
    """Not the key, nor the greater part of it."""
    secrets = [KEY.encode(), KEY.removeprefix("sk-").encode(), KEY[: len(KEY) - 4].encode()]
    shown = [text.encode() for done in commands for text in (done.out, done.err)]
    kept = [path.read_bytes() for path in place.folder.iterdir()]
    assert any(b"HTTP 4" in text for text in shown + kept), "the server was to fail"
    assert not [secret for secret in secrets for text in shown + kept if secret in text]


@pytest.mark.parametrize(
    "manners",
    [Manners(refuses=0.05), Manners(overloads=0.02, retry_after_s=301), Manners(stumbles=0.05, refuses=0.01)],
    ids=["refused", "overloaded", "stumbling"],
)
def test_a_key_that_errors_repeat_is_nowhere(place: Place, manners: Manners) -> None:
    place.till.mind(manners)
    line = [word for word in place.run_line("--verbose") if word != "--quiet"]

    run = place.play(line)
    resume = place.play(place.resume_line("--retry-failed", "--verbose"))
    status = place.play(["status", str(place.journal)])
    show = place.play(["show", str(place.out), "1", "--all"])

    assert run.code == 1
    check_silence(place, run, resume, status, show)


def test_a_key_is_not_in_the_log_beside_a_journal_either(place: Place) -> None:
    """That is still there when the process was killed."""
    place.till.mind(Manners(overloads=0.1, retry_after_s=200))
    with place.started(place.run_line()) as process:
        until(lambda: place.till.counts().failed > 0 and place.tally().calls > 0, process)
        process.kill()
        process.wait()
    status = place.play(["status", str(place.journal), "--json"])

    assert "run.db-wal" in place.left_behind()
    check_silence(place, status)


def test_a_key_is_not_told_by_a_run_that_was_asked_to_end(place: Place) -> None:
    place.till.mind(Manners(overloads=0.1, retry_after_s=200))
    line = [word for word in place.run_line("--verbose") if word != "--quiet"]
    with place.started(line) as process:
        until(lambda: place.till.counts().failed > 0, process)
        process.send_signal(signal.SIGINT)
        done = ended(process)

    assert done.code == 130
    check_silence(place, done)
