"""The durable log of a run: what is said into it together becomes durable together, and only then goes on.

One writer commits whatever has come while it was busy with the commit before: under load many dialogs share a commit,
and a dialog that is alone waits for its own only. Nothing waits for a time to pass.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio

from ..completion import Completion
from ..errors import JournalUnwritable
from ..log import logger
from ..messages import Fact, FlawFound, Record, Uttered
from ..promise import Promise
from .disk import Disk
from .entry import ANSWER, REPLY, Entry, encoded, encoded_fact, encoded_reply
from .file import Batch, DialogRow, JournalFile, PlanRow

if TYPE_CHECKING:
    from ..bus import Bus

__all__ = ["Diary", "Journal", "RUN"]

RUN = -1  # the number of what is no dialog


class Journal:
    """Use it as an async context manager, within the bus of the run. Leaving it makes durable what was said into it.

    A commit that fails, for whatever reason, stops the run with `JournalUnwritable`: everything that was acknowledged
    is in the file, and nothing more is acknowledged. What is said after the journal was left can no longer be kept.
    """

    def __init__(self, file: JournalFile, bus: Bus, disk: Disk) -> None:
        self.file = file
        self.tally = file.tally()
        self._bus = bus
        self._disk = disk
        self._batch = Batch()
        self._said = 0  # counts all that is to become durable, entries and changes of the tally alike
        self._durable = 0
        self._waiting: list[tuple[int, int, Promise | Callable[[], None]]] = []  # a heap
        self._order = count()
        self._idle: Promise | None = None
        self._is_closing = False
        self._error: JournalUnwritable | None = None
        self._earlier_seconds = self.tally.seconds
        self._started = bus.clock.now()
        self._places: dict[int, DialogRow] = {}  # of the dialogs that are live

    async def __aenter__(self) -> Self:
        if self.file.damage is not None:
            logger().warning("journal.damaged", journal=str(self.file.path), damage=self.file.damage)
        self.tally.begin_session()
        await self._commit()
        if self._error is not None:
            raise _again(self._error)
        self._tasks = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self._write, name="journal")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._is_closing = True
        self._wake()
        try:
            # A task group would wrap the caller's own error; a cancellation it must know of.
            passed_on = (None, None, None) if isinstance(error, Exception) else (kind, error, at)
            await self._tasks.__aexit__(*passed_on)
        finally:
            self.tally.is_closed = True
            await self._commit()
            if self._error is None:
                self._error = JournalUnwritable(str(self.file.path), "its run is over")

    def keep_config(self, config: Mapping[str, Any]) -> None:
        """Keeps what the run is set up with from now on."""
        self.touch()
        self._batch.meta["config"] = json.dumps(config)

    def keep_scenario(self, recipe: str) -> int:
        """Keeps a recipe; gives its number."""
        self.touch()
        number = self.tally.scenarios
        self.tally.scenarios += 1
        self._batch.scenarios.append((number, recipe))
        return number

    def keep_plan(self, scenario: int, seed: int | None) -> None:
        """Keeps what the next dialog that is not yet planned is to be played from."""
        self.touch()
        self._batch.plan.append(PlanRow(self.tally.planned, scenario, seed))
        self.tally.planned += 1

    def open_diary(self, number: int, id: str, seed: int, parent: str | None, row: DialogRow | None) -> Diary:
        """The diary of a dialog; `row` is its row where it began in an earlier session."""
        if row is None:
            row = DialogRow(number, id, seed, parent, self.tally.entries + 1)
            self.tally.dialogs += 1
        else:
            if row.reason is not None:
                self.tally.ended[row.reason] -= 1
            row = replace(row, last=None, reason=None, digest=None)
        self._batch.dialogs[number] = self._places[number] = row
        self.touch()
        return Diary(self, number)

    def append(self, dialog: int, kind: str, body: str, time: float) -> int:
        """Puts an entry behind all others. Gives what `durable` takes, as all do that change something."""
        tally = self.tally
        tally.entries += 1
        tally.time = time
        self._batch.entries.append(Entry(tally.entries, dialog, time, kind, body))
        return self.touch()

    def touch(self) -> int:
        """Something has changed and is to become durable."""
        self._said += 1
        if self._idle is not None:
            self._wake()
        return self._said

    def end(self, dialog: int, reason: str, digest: str) -> None:
        """The entry just appended is a dialog's last."""
        row = replace(self._places.pop(dialog), last=self.tally.entries, reason=reason, digest=digest)
        self._batch.dialogs[dialog] = row
        self.tally.ended[reason] += 1

    async def durable(self, said: int) -> None:
        """Returns when what was said by then is durable. Raises `JournalUnwritable`."""
        if said > self._durable:
            if self._error is not None:
                raise _again(self._error)
            promise = self._bus.promise()
            heapq.heappush(self._waiting, (said, next(self._order), promise))
            await promise

    async def settled(self) -> None:
        """Returns when all that was said so far is durable. Raises `JournalUnwritable`."""
        await self.durable(self._said)

    def when_durable(self, said: int, then: Callable[[], None]) -> None:
        """As `durable`, where nobody can wait; `then` is never called when the journal fails."""
        if said <= self._durable:
            then()
        elif self._error is None:
            heapq.heappush(self._waiting, (said, next(self._order), then))

    def is_durable(self, said: int) -> bool:
        return said <= self._durable

    async def _write(self) -> None:
        """Until the journal is left, also when the run is cancelled: dialogs wait for their endings to be durable."""
        with anyio.CancelScope(shield=True):
            while self._error is None:
                if self._said > self._durable:
                    await self._commit()
                elif self._is_closing:
                    return
                else:
                    self._idle = self._bus.promise()
                    await self._idle
                    self._idle = None

    async def _commit(self) -> None:
        """Never leaves anybody waiting: what is not made durable has failed. A cancellation waits meanwhile."""
        if self._error is not None:
            return
        batch, self._batch = self._batch, Batch()
        said = self._said
        try:
            self.tally.seconds = round(self._earlier_seconds + self._bus.clock.now() - self._started, 6)
            batch.meta["tally"] = self.tally.to_json()
            with anyio.CancelScope(shield=True):
                await self._disk.run("commit", lambda: self.file.commit(batch))
        except JournalUnwritable as error:
            self._fail(error)
        except BaseException as error:
            failure = JournalUnwritable(str(self.file.path), f"{type(error).__name__}: {error}")
            failure.__cause__ = error
            self._fail(failure)
            if not isinstance(error, Exception):
                raise
        else:
            self._durable = said
            self._acknowledge()

    def _acknowledge(self) -> None:
        """A callback that raises fails the run, and keeps nobody else from hearing that his is durable."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= self._durable:
            _, _, waiter = heapq.heappop(waiting)
            if not callable(waiter):
                if not waiter.done():
                    waiter.set_result(None)
                continue
            try:
                waiter()
            except Exception as error:
                self._bus.scope.failed(error)

    def _fail(self, error: JournalUnwritable) -> None:
        self._error = error
        self._batch = Batch()
        waiting, self._waiting = self._waiting, []
        for _, _, waiter in waiting:
            if not callable(waiter) and not waiter.done():
                waiter.set_exception(_again(error))
        self._bus.scope.failed(error)

    def _wake(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def __repr__(self) -> str:
        state = "open" if self._error is None else "failed"
        return f"<Journal {self.file.path} {state} {self._durable}/{self._said} durable, {len(self._waiting)} waiting>"


class Diary:
    """One dialog's way into the journal, or that of the run's own facts."""

    __slots__ = ("_journal", "_number", "_said")

    def __init__(self, journal: Journal, number: int) -> None:
        self._journal = journal
        self._number = number
        self._said = 0

    def add(self, record: Record[Fact]) -> None:
        """Raises TypeError for a fact that cannot be kept."""
        kind, body = encoded_fact(record.fact)
        if kind == Uttered.__name__:
            self._journal.tally.turns += 1
        elif type(record.fact) is FlawFound:
            self._journal.tally.flaws[record.fact.flaw] += 1
        self._said = self._journal.append(self._number, kind, body, record.time)

    def add_reply(self, call: int, key: str, completion: Completion, time: float, picodollars: int | None) -> None:
        """Keeps what a model said to the dialog's call of that number, and what it cost; None is not known."""
        more = {} if picodollars == 0 else {"cost": picodollars}
        body = encoded_reply(call, key, completion, **more)
        if not completion.is_cached:
            self._journal.tally.add_reply(completion.usage, picodollars)
        self._said = self._journal.append(self._number, REPLY, body, time)

    def add_answer(self, key: str, text: str, time: float) -> None:
        """Keeps what something outside the dialog, such as a tool, answered."""
        body = encoded({"key": key, "text": text})
        self._said = self._journal.append(self._number, ANSWER, body, time)

    def end(self, reason: str, digest: str) -> None:
        """What was added last was the dialog's last; `digest` is that of the whole dialog."""
        self._journal.end(self._number, reason, digest)

    @property
    def is_durable(self) -> bool:
        """Whether all that was added is."""
        return self._journal.is_durable(self._said)

    async def durable(self) -> None:
        """Returns when all that was added is durable. Raises `JournalUnwritable`."""
        await self._journal.durable(self._said)

    def when_durable(self, then: Callable[[], None]) -> None:
        self._journal.when_durable(self._said, then)


def _again(error: JournalUnwritable) -> JournalUnwritable:
    """One for each who is told: an exception that many tasks raise grows by a traceback with each."""
    again = JournalUnwritable(*error.args)
    again.__cause__ = error.__cause__
    return again
