"""One process plays a run; others may look, and are told who it is when they want to play it too."""

from __future__ import annotations

import os
import signal
import socket
from typing import Any

from tests.durability.command import Expected, Place, ended, until
from tests.servers.counting_server import Manners


def test_a_second_process_is_refused_in_one_line_and_the_first_is_not_disturbed(
    place: Place, expected: Expected
) -> None:
    place.till.mind(Manners(hangs=0.02))
    with place.started(place.run_line()) as first:
        until(lambda: place.lines() > 2, first)

        for line in (
            place.resume_line(),
            place.run_line(),
            place.run_line("--overwrite"),
            place.resume_line("-n", "90"),
        ):
            second = place.play(line)
            if "holds something already" not in second.err:  # of the file, which a new run looks at first
                assert f"is in use by process {first.pid} on {socket.gethostname()}" in second.err
            assert second.code == 2
            assert len(second.err.splitlines()) == 1
        assert first.poll() is None
        place.till.mind(Manners())
        done = ended(first)

    assert done.code == 0, done
    assert done.summary["digest"] == place.digest() == expected.digest
    assert place.till.settled().paid == expected.needed
    assert not place.left_behind()


def test_a_run_can_be_watched_while_it_is_played_and_after_it_was_killed(place: Place) -> None:
    place.till.mind(Manners(hangs=0.02))
    with place.started(place.run_line()) as first:
        until(lambda: place.lines() > 2, first)

        status = place.status()
        told = place.play(["status", str(place.journal)])

        assert first.poll() is None
        first.kill()
        first.wait()
    assert status["state"] == "running"
    assert status["holder"] == f"process {first.pid} on {socket.gethostname()}"
    assert status["planned"] == 60
    assert 0 < status["over"] < 60
    assert len(status["live"]) >= 1
    assert f"is being played by process {first.pid}" in told.out
    assert "no dialog has been silent for 1 min" in told.out
    killed = place.status()
    assert (killed["state"], killed["holder"]) == ("killed", None)
    assert f"go on with: playact resume {place.journal}" in place.play(["status", str(place.journal)]).out


def test_dialogs_whose_calls_hang_are_stuck_and_said_to_wait_for_a_reply(place: Place) -> None:
    place.till.mind(Manners(hangs=0.05))
    with place.started(place.run_line(concurrency=60)) as first:
        until(lambda: place.till.counts().hanging == 60 - place.lines(), first)

        status = place.play(["status", str(place.journal), "--json", "--stuck-after", "0.001"]).summary
        told = place.play(["status", str(place.journal), "--stuck-after", "0.001"]).out

        first.send_signal(signal.SIGINT)
        ended(first)
    stuck = [dialog for dialog in status["live"] if dialog["is_stuck"]]
    assert len(stuck) == 60 - status["over"] > 0
    assert all("a reply" in dialog["waits_for"] for dialog in stuck)
    silences = [dialog["silent_s"] for dialog in stuck]
    assert silences == sorted(silences, reverse=True)
    assert f"{len(stuck)} dialogs silent for" in told
    assert f"{stuck[0]['number']} {stuck[0]['id']}" in told
    assert told.count("waits for a reply") == min(len(stuck), 10)


def refused(status: dict[str, Any]) -> list[str]:
    """What those wait for that were told to come again."""
    return [dialog["waits_for"] for dialog in status["live"] if "; try 1 failed: " in dialog["waits_for"]]


def test_dialogs_that_are_told_to_come_again_later_say_why_they_wait(place: Place) -> None:
    place.till.mind(Manners(overloads=0.05, retry_after_s=200))
    with place.started(place.run_line(concurrency=60)) as first:
        until(lambda: place.till.counts().failed and refused(place.status()), first)

        status = place.status()

        first.send_signal(signal.SIGINT)
        ended(first)
    waiting = [dialog["waits_for"] for dialog in status["live"]]
    assert len(waiting) == 60 - status["over"] > 0
    assert all("HTTP 429" in text for text in refused(status))
    assert all(text.startswith("a reply") for text in waiting)  # the others too, until the service's time is over
    assert status["failed"] == {}


def test_a_lock_that_a_killed_process_left_is_taken_over(place: Place, expected: Expected) -> None:
    place.till.mind(Manners(latency_s=0.02))
    with place.started(place.run_line()) as first:
        until(lambda: place.lines() > 2, first)
        first.kill()
        first.wait()
    assert "run.db-lock" in place.left_behind()
    place.till.mind(Manners())

    done = place.play(place.resume_line())

    assert done.summary["digest"] == place.digest() == expected.digest
    assert not place.left_behind()


def test_a_lock_is_not_taken_for_held_because_its_process_number_is_in_use_again(place: Place) -> None:
    place.play(place.run_line(dialogs=2))
    lock = place.journal.with_name(place.journal.name + "-lock")
    lock.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")

    assert place.status()["state"] == "complete"
    assert place.play(place.resume_line("-n", "3")).summary["dialogs"] == 3
