"""A command that was killed just after its start is begun again."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from playact.engine import Simulation
from playact.engine.errors import JournalInvalid
from playact.engine.journal.file import Batch, JournalFile
from playact.engine.journal.lock import JournalLock
from tests.durability.command import Place


def begin_and_vanish(journal: Path) -> None:
    """What a process leaves that is killed after its session has begun and before its plan is kept."""
    with JournalLock(journal):
        file = JournalFile.create(journal, {"memo": {"file": "cafe.yaml"}})
        tally = file.tally()
        tally.begin_session()
        file.commit(Batch(meta={"tally": tally.to_json()}))
        reader = JournalFile.read(journal)  # whoever closes last would tidy up, and this one cannot
        file.close()
    reader.close()
    assert journal.with_name(journal.name + "-wal").exists()


def test_a_journal_with_nothing_planned_gives_way_to_a_new_run(place: Place) -> None:
    begin_and_vanish(place.journal)

    assert place.play(place.run_line(dialogs=2)).summary["dialogs"] == 2

    assert place.status()["state"] == "complete"
    assert not place.left_behind()


def test_resume_says_that_such_a_run_must_be_begun_again(place: Place) -> None:
    begin_and_vanish(place.journal)

    done = place.play(place.resume_line())

    assert done.code == 2
    assert done.err == (
        f"playact: {place.journal} was broken off before anything was planned; begin it again: "
        f"playact run cafe.yaml --journal {place.journal} …\n"
    )


def test_a_journal_in_which_something_was_planned_does_not_give_way(place: Place) -> None:
    place.play(place.run_line(dialogs=2))

    done = place.play(place.run_line("--overwrite", dialogs=2))

    assert done.code == 2
    assert f"go on with `playact resume {place.journal}`" in done.err
    assert len(place.dialogs()) == 2


def test_a_journal_that_lost_what_was_in_its_log_does_not_give_way(place: Place) -> None:
    """Its tally says that nothing was planned, for that was in the log."""
    place.play(place.run_line(dialogs=1))
    with JournalLock(place.journal):
        file = JournalFile.open(place.journal)
        tally = file.tally()
        file.commit(Batch(meta={"tally": tally.to_json()}))
    mark = place.journal.with_name(place.journal.name + "-mark")
    noted = mark.read_bytes()
    file.close()
    place.journal.unlink()
    begin_and_vanish(place.journal)
    mark.write_bytes(noted)

    with JournalLock(place.journal), pytest.raises(JournalInvalid, match="holds something already"):
        JournalFile.create(place.journal, {})


@pytest.mark.parametrize("name", ["-new", "-new-wal", "-new-shm", "-mark", "-lock"])
def test_whatever_a_killed_process_left_beside_the_journal_is_no_obstacle(place: Place, name: str) -> None:
    place.journal.with_name(place.journal.name + name).write_bytes(b"half of something")

    assert place.play(place.run_line(dialogs=1)).summary["dialogs"] == 1

    assert not place.left_behind()


def test_a_session_that_plays_nothing_leaves_a_journal_that_gives_way(tmp_path: Path) -> None:
    async def open_only() -> None:
        async with Simulation(model="scripted", journal=tmp_path / "run.db"):
            pass

    anyio.run(open_only)
    anyio.run(open_only)

    assert [path.name for path in tmp_path.iterdir()] == ["run.db"]
