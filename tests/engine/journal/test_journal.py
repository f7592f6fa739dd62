"""The writer: what was acknowledged is in the file, in order, and a commit that fails is the end, clearly said."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, TypeVar

import anyio
import pytest

from playact.engine.bus import Bus
from playact.engine.clock import VirtualClock, virtual_time
from playact.engine.errors import JournalUnwritable
from playact.engine.journal import Journal, JournalFile
from playact.engine.journal.disk import Step

pytestmark = pytest.mark.anyio

T = TypeVar("T")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return virtual_time(request.param)


class SlowDisk:
    """Takes a second for each commit, and fails the n-th of them with an error of one's own, before or after it."""

    synchronous: Literal["FULL", "OFF"] = "OFF"

    def __init__(self, *, fails: int = 0, error: BaseException | None = None, is_done: bool = False) -> None:
        self.commits = 0
        self.begun = 0
        self._fails = fails
        self._error = error
        self._is_done = is_done

    async def run(self, step: Step, work: Callable[[], T]) -> T:
        self.begun += 1
        await anyio.sleep(1)
        if self.begun != self._fails or self._error is None:
            done = work()
            self.commits += 1
            return done
        if self._is_done:
            work()
        raise self._error

    def rename(self, old: Path, new: Path) -> None:
        old.replace(new)


@asynccontextmanager
async def journal_at(path: Path, disk: SlowDisk) -> AsyncIterator[Journal]:
    """Within a bus of its own; what fails the run is raised by that."""
    file = JournalFile.create(path, {}, synchronous="OFF")
    try:
        async with Bus("run", VirtualClock()) as bus, Journal(file, bus, disk) as journal:
            yield journal
    finally:
        file.close()


def kept_in(path: Path) -> list[str]:
    file = JournalFile.open(path, synchronous="OFF")
    try:
        file.verify()
        return [entry.body for entry in file.entries(1)]
    finally:
        file.close()


async def test_what_is_said_together_becomes_durable_together(tmp_path: Path) -> None:
    disk = SlowDisk()
    async with journal_at(tmp_path / "run.db", disk) as journal:
        before = disk.commits

        async def say(number: int) -> None:
            await journal.durable(journal.append(0, "Thought", str(number), 1.0))

        async with anyio.create_task_group() as tasks:
            for number in range(1000):
                tasks.start_soon(say, number)
        commits = disk.commits - before

    assert commits <= 2
    assert sorted(map(int, kept_in(tmp_path / "run.db"))) == list(range(1000))


async def test_each_is_acknowledged_when_it_is_in_the_file_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with journal_at(path, SlowDisk()) as journal:

        async def say(number: int) -> None:
            await anyio.sleep(number * 0.3)
            said = journal.append(0, "Thought", str(number), 1.0)
            assert not journal.is_durable(said)
            await journal.durable(said)
            assert journal.is_durable(said)
            reader = JournalFile.read(path)
            assert str(number) in [entry.body for entry in reader.entries(1)]
            reader.close()

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(say, number)


async def test_the_file_has_the_order_in_which_it_was_said(tmp_path: Path) -> None:
    said = []
    async with journal_at(tmp_path / "run.db", SlowDisk()) as journal:
        for number in range(50):
            said.append(f"{number}")
            journal.append(number % 3, "Thought", said[-1], 1.0)
            await anyio.sleep(0.3)

    assert kept_in(tmp_path / "run.db") == said


async def test_acknowledgements_come_in_the_order_of_saying(tmp_path: Path) -> None:
    heard: list[int] = []
    async with journal_at(tmp_path / "run.db", SlowDisk()) as journal:
        for number in range(20):
            said = journal.append(0, "Thought", "{}", 1.0)
            journal.when_durable(said, lambda number=number: heard.append(number))  # type: ignore[misc]

    assert heard == list(range(20))


async def test_leaving_makes_durable_what_was_said_last(tmp_path: Path) -> None:
    async with journal_at(tmp_path / "run.db", SlowDisk()) as journal:
        journal.append(0, "Thought", "the last", 1.0)

    file = JournalFile.open(tmp_path / "run.db")
    assert [entry.body for entry in file.entries(1)] == ["the last"]
    assert file.tally().is_closed
    file.close()


async def test_a_run_that_is_cancelled_in_the_midst_of_a_commit_keeps_all_it_said(tmp_path: Path) -> None:
    with anyio.CancelScope() as scope:
        async with journal_at(tmp_path / "run.db", SlowDisk()) as journal:
            journal.append(0, "Thought", "first", 1.0)
            await anyio.sleep(0.5)
            journal.append(0, "Thought", "second", 1.0)
            scope.cancel()
            await anyio.sleep_forever()

    assert kept_in(tmp_path / "run.db") == ["first", "second"]


async def test_an_error_of_the_caller_is_passed_on_and_the_journal_is_whole(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with journal_at(tmp_path / "run.db", SlowDisk()) as journal:
            journal.append(0, "Thought", "first", 1.0)
            raise ZeroDivisionError

    assert kept_in(tmp_path / "run.db") == ["first"]


async def test_who_gives_up_waiting_leaves_nothing_behind(tmp_path: Path) -> None:
    async with journal_at(tmp_path / "run.db", SlowDisk()) as journal:
        for _ in range(100):
            with anyio.move_on_after(0.01):
                await journal.durable(journal.append(0, "Thought", "{}", 1.0))
        await journal.settled()

        assert repr(journal).endswith("open 100/100 durable, 0 waiting>")


@pytest.mark.parametrize(
    "error",
    [JournalUnwritable("run.db", "the disk is full"), OSError(5, "I/O"), MemoryError(), TypeError("a bug")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
async def test_a_commit_that_fails_ends_the_run_and_nobody_waits_for_ever(
    tmp_path: Path, error: Exception, is_done: bool
) -> None:
    disk = SlowDisk(fails=3, error=error, is_done=is_done)
    acknowledged: list[str] = []
    failed: list[str] = []

    async def say(journal: Journal, text: str, after_s: float) -> None:
        try:
            await anyio.sleep(after_s)
            await journal.durable(journal.append(0, "Thought", text, 1.0))
            acknowledged.append(text)
        except JournalUnwritable:
            failed.append(text)

    with pytest.raises(JournalUnwritable) as raised:
        async with journal_at(tmp_path / "run.db", disk) as journal, anyio.create_task_group() as tasks:
            for number, text in enumerate(["first", "second", "third"]):
                tasks.start_soon(say, journal, text, number * 0.9)
                journal.when_durable(10**9, lambda: acknowledged.append("never"))

    assert acknowledged == ["first"]
    assert sorted(failed) == ["second", "third"]
    assert raised.value is error or raised.value.__cause__ is error
    assert disk.begun == 3
    kept = kept_in(tmp_path / "run.db")
    assert kept[:1] == ["first"]
    assert kept == ["first", "second", "third"][: len(kept)]


async def test_after_a_failure_nothing_is_acknowledged_and_nothing_gathers(tmp_path: Path) -> None:
    disk = SlowDisk(fails=2, error=OSError(28, "No space left on device"))
    with pytest.raises(JournalUnwritable, match="No space left on device"):
        async with journal_at(tmp_path / "run.db", disk) as journal:
            with anyio.CancelScope(shield=True):
                with pytest.raises(JournalUnwritable):
                    await journal.durable(journal.append(0, "Thought", "{}", 1.0))

                for _ in range(100):
                    said = journal.touch()
                    journal.when_durable(said, lambda: None)
                    with pytest.raises(JournalUnwritable):
                        await journal.durable(said)

                assert repr(journal).endswith("failed 0/101 durable, 0 waiting>")


async def test_a_first_commit_that_fails_is_said_on_entering(tmp_path: Path) -> None:
    with pytest.raises(JournalUnwritable, match="I/O"):
        async with journal_at(tmp_path / "run.db", SlowDisk(fails=1, error=OSError(5, "I/O"))):
            raise AssertionError("never entered")


async def test_a_last_commit_that_fails_is_said_on_leaving(tmp_path: Path) -> None:
    disk = SlowDisk(fails=3, error=OSError(5, "I/O"))

    with pytest.raises(JournalUnwritable, match="I/O"):
        async with journal_at(tmp_path / "run.db", disk) as journal:
            await journal.durable(journal.append(0, "Thought", "first", 1.0))

    assert kept_in(tmp_path / "run.db") == ["first"]


async def test_a_callback_that_raises_fails_the_run_and_keeps_nobody_from_hearing(tmp_path: Path) -> None:
    heard = []

    def bug() -> None:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        async with journal_at(tmp_path / "run.db", SlowDisk()) as journal:
            said = journal.append(0, "Thought", "first", 1.0)
            journal.when_durable(said, bug)
            journal.when_durable(said, lambda: heard.append("later"))
            await anyio.sleep_forever()

    assert heard == ["later"]
    assert kept_in(tmp_path / "run.db") == ["first"]


async def test_what_is_said_when_the_journal_was_left_is_refused_not_waited_for(tmp_path: Path) -> None:
    file = JournalFile.create(tmp_path / "run.db", {}, synchronous="OFF")
    async with Bus("run", VirtualClock()) as bus:
        async with Journal(file, bus, SlowDisk()) as journal:
            pass

        with pytest.raises(JournalUnwritable, match="its run is over"):
            await journal.durable(journal.append(0, "Thought", "too late", 1.0))
    file.close()


async def test_a_number_that_is_too_large_for_the_file_is_a_clear_failure(tmp_path: Path) -> None:
    with pytest.raises(JournalUnwritable, match="OverflowError"):
        async with journal_at(tmp_path / "run.db", SlowDisk()) as journal:
            journal.keep_plan(0, 2**70)
            await anyio.sleep_forever()
