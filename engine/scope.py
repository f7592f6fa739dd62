"""A dialog's, or the run's, actors: they share a log of facts and a fate, and are cancelled together, never apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import anyio

from .actor import Actor, ActorRef, Supervision
from .messages import Fact, Record, Request
from .subscription import Subscription

if TYPE_CHECKING:
    from .bus import Bus
    from .journal.journal import Diary

__all__ = ["Cancellable", "Scope"]

R = TypeVar("R")
_DEFAULT_SUPERVISION = Supervision()
_GONE = Actor()  # in the place of one that is stopped


class Cancellable(Protocol):
    """The task that a scope's work runs in: a task's handle, or a cancel scope around it."""

    def cancel(self) -> None: ...


class Scope:
    """Where actors live. `log` holds its facts in order; state is a fold over them.

    The run's own scope keeps no log, since a run may go on for ever: its actors restart with fresh state.
    """

    __slots__ = (
        "_audiences",
        "_folding",
        "_readers",
        "_subscribed",
        "_workers",
        "bus",
        "diary",
        "failure",
        "id",
        "is_over",
        "keeps_log",
        "listener",
        "log",
        "refs",
        "task",
        "told",
    )

    def __init__(self, bus: Bus, id: str, task: Cancellable | None = None, *, keeps_log: bool = True) -> None:
        self.bus = bus
        self.id = id
        self.keeps_log = keeps_log
        self.task = task
        self.log: list[Record[Fact]] = []
        self.told = 0  # how many of its facts the subscribers have been told
        self.refs: list[ActorRef] = []
        self.failure: BaseException | None = None
        self.is_over = False
        self.diary: Diary | None = None  # what is published goes there first
        self.listener: Callable[[Fact], None] | None = None  # folds as actors do, before them
        self._folding: tuple[ActorRef, ...] = ()
        self._subscribed: tuple[tuple[ActorRef, tuple[type[Fact], ...]], ...] = ()
        self._readers: tuple[Subscription, ...] = ()
        self._audiences: tuple[Scope, ...] = (self, bus.scope) if keeps_log else (self,)
        self._workers: set[anyio.CancelScope] | None = None

    def spawn(
        self,
        factory: Callable[[], Actor],
        *,
        name: str,
        supervision: Supervision = _DEFAULT_SUPERVISION,
        capacity: int = 1024,
    ) -> ActorRef:
        """Makes an actor and gives its address. `capacity` is how many messages may wait for it."""
        ref = ActorRef(name, self, factory, supervision, capacity)
        for record in self.log:
            ref.actor.fold(record.fact)
        ref.is_stale = ref.actor.relives and bool(self.log)  # then before its first message it lives through that
        self.refs.append(ref)
        if ref.actor.folds:
            self._folding = (*self._folding, ref)
        return ref

    def subscribe(self, ref: ActorRef, *kinds: type[Fact]) -> None:
        """Has an actor handle the records of these kinds that this scope publishes (the run's scope: all scopes)."""
        self._subscribed = (*self._subscribed, (ref, kinds))

    def read(self, subscription: Subscription) -> None:
        """Has a stream take this scope's records (the run's scope: all scopes')."""
        self._readers = (*self._readers, subscription)

    def unread(self, subscription: Subscription) -> None:
        self._readers = tuple(reader for reader in self._readers if reader is not subscription)

    def ask(self, ref: ActorRef, request: Request[R]) -> Coroutine[Any, Any, R]:
        """Asks an actor of this scope from a task of this scope, which runs the handler itself."""
        return self.bus.ask_within(ref, request, None)

    async def publish(self, *facts: Fact, publisher: ActorRef | None = None) -> None:
        """Adds facts to the log and folds them into the scope's actors; tells subscribers, waiting for slow ones.

        Where there is a journal nobody is told before the facts are durable. Raises `JournalUnwritable`.
        """
        records = [self.keep(fact) for fact in facts]
        if self.diary is not None:
            await self.diary.durable()
        for record in records:
            await self.tell(record, publisher)

    async def tell(self, record: Record[Fact], publisher: ActorRef | None = None) -> None:
        """Tells subscribers of a fact that is in the log, waiting for slow ones.

        When the teller is cancelled meanwhile, those who have not been told yet are told without waiting.
        """
        fact = record.fact
        self.told = record.sequence + 1
        for place, scope in enumerate(self._audiences):
            if not scope._subscribed and not scope._readers:
                continue
            subscribed, readers = iter(scope._subscribed), iter(scope._readers)
            try:
                for ref, kinds in subscribed:
                    if isinstance(fact, kinds):
                        await self.bus.deliver(ref, record, publisher)
                for reader in readers:
                    if reader.wants(fact):
                        if reader.is_full:
                            await reader.put(record)
                        else:
                            reader.put_now(record)
            except BaseException:
                self._tell_all(record, subscribed, readers)
                for other in self._audiences[place + 1 :]:
                    self._tell_all(record, other._subscribed, other._readers)
                raise

    def publish_now(self, fact: Fact) -> None:
        """As `publish`, where nobody can wait, for a disk either."""
        self.tell_now(self.keep(fact))

    def tell_now(self, record: Record[Fact]) -> None:
        """As `tell`, where nobody can wait: full mailboxes and streams take the record beyond their capacity.

        Said just before the scope closes, it reaches the run's subscribers, but no actor of the scope itself.
        """
        self.told = record.sequence + 1
        for scope in self._audiences:
            self._tell_all(record, scope._subscribed, scope._readers)

    def tell_rest(self) -> None:
        """Tells, where nobody can wait, what is in the log and was not told: its teller has been cancelled."""
        for record in self.log[self.told :]:
            self.tell_now(record)

    def cancel(self) -> None:
        """Cancels the scope's work and no other."""
        if self.task is not None:
            self.task.cancel()

    def failed(self, error: BaseException) -> None:
        """Gives the scope up: its first failure is kept, its work is cancelled."""
        if self.failure is None:
            self.failure = error
        self.cancel()

    def close(self) -> None:
        """Stops the actors. Whoever waits for them gets `ActorStopped`; what was told them becomes dead letters."""
        self.is_over = True
        for worker in self._workers or ():
            worker.cancel()
        for ref in self.refs:
            self.bus.stop(ref)
        for reader in self._readers:
            reader.close()
        if self.keeps_log:
            self._let_go()

    def work(self, task: Callable[[ActorRef], Awaitable[None]], ref: ActorRef) -> None:
        """Runs a task that ends with the scope at the latest."""
        self.bus.tasks.start_soon(self._work, task, ref, name=ref.id)

    async def _work(self, task: Callable[[ActorRef], Awaitable[None]], ref: ActorRef) -> None:
        if self._workers is None:
            self._workers = set()
        with anyio.CancelScope() as worker:
            self._workers.add(worker)
            if self.is_over:
                worker.cancel()
            try:
                await task(ref)
            finally:
                self._workers.discard(worker)

    def keep(self, fact: Fact) -> Record[Fact]:
        """Adds a fact to the log, on its way into the journal, and folds it into the scope's actors; tells nobody."""
        bus = self.bus
        if not self.keeps_log:
            record = Record(bus.run, "", 0, bus.clock.wall(), fact)
            if self.diary is not None:
                self.diary.add(record)
            return record
        record = Record(bus.run, self.id, len(self.log), bus.clock.wall(), fact)
        if self.diary is not None:
            self.diary.add(record)
        self.log.append(record)
        if self.listener is not None:
            self.listener(fact)
        for ref in self._folding:
            if not ref.is_stale:
                ref.actor.fold(fact)
        return record

    def _let_go(self) -> None:
        """Leaves no circle of references behind: a dialog's memory is free at once, not when the collector comes by."""
        for ref in self.refs:
            ref.actor = _GONE
        self.refs.clear()
        self._folding = self._subscribed = self._readers = self._audiences = ()
        self.listener = self.task = None

    def _tell_all(
        self,
        record: Record[Fact],
        subscribed: Iterable[tuple[ActorRef, tuple[type[Fact], ...]]],
        readers: Iterable[Subscription],
    ) -> None:
        for ref, kinds in subscribed:
            if isinstance(record.fact, kinds):
                self.bus.deliver_now(ref, record)
        for reader in readers:
            if reader.wants(record.fact):
                reader.put_now(record)

    def __repr__(self) -> str:
        return f"<Scope {self.id} {len(self.refs)} actors, {len(self.log)} facts>"
