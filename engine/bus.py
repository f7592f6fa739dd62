"""Delivers messages: one at a time to each actor, first come first served, and to nobody in vain.

An `ask` within a scope runs the handler in the asker's own task when the actor is idle, and waits its turn when it is
busy; so an idle actor costs an object, not a task. A message from outside the scope waits in the actor's mailbox for a
task of the actor's own scope, so that cancelling the sender cannot tear the handler in half. Order is kept from each
sender to each receiver.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import anyio
import anyio.abc

from .actor import ActorRef, Handler, OnFailure
from .clock import Clock, RealClock
from .errors import ActorStopped, CircularAsk, DialogStopped, SetupError, UnhandledMessage
from .log import logger
from .messages import ActorFailed, DeadLetter, Fact, Record, Request
from .promise import Promise, promises
from .scope import Cancellable, Scope
from .subscription import Subscription

__all__ = ["Bus"]

R = TypeVar("R")


class _Letter:
    """A message in a mailbox; `reply` is kept with the answer, unless it was told rather than asked."""

    __slots__ = ("message", "reply")

    def __init__(self, message: Any, reply: Promise | None = None) -> None:
        self.message = message
        self.reply = reply

    @property
    def is_abandoned(self) -> bool:
        return self.reply is not None and self.reply.done()


_SETTLE_S = 1.0
_NOTHING = object()  # a message that asks for nothing but its turn


class Bus:
    """One run's message delivery; use it as an async context manager. Leaving it stops every actor."""

    def __init__(self, run: str = "", clock: Clock | None = None) -> None:
        self.run = run
        self.clock: Clock = clock or RealClock()
        self.dead_letters = 0
        self.failures = 0
        self.restarts = 0

    async def __aenter__(self) -> Self:
        self.promise = promises()
        async with AsyncExitStack() as stack:
            self.tasks: anyio.abc.TaskGroup = await stack.enter_async_context(anyio.create_task_group())
            self.scope = Scope(self, "run", self.tasks.cancel_scope, keeps_log=False)
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Lets the run's actors handle what they were told, for a second at most, then stops everything.

        Raises what failed the run, unless an error of the caller's own is on its way.
        """
        if self.scope.failure is None:
            with anyio.move_on_after(_SETTLE_S, shield=True):
                await self.settle()
        self.tasks.cancel_scope.cancel()
        # The caller's error is no business of the task group, which would wrap it; a cancellation is.
        passed_on = (None, None, None) if isinstance(error, Exception) else (kind, error, at)
        try:
            swallowed = await self._open.__aexit__(*passed_on)
        finally:
            self.scope.close()
        if self.scope.failure is not None and (error is None or swallowed):
            raise self.scope.failure

    def open_scope(self, id: str, task: Cancellable | None = None) -> Scope:
        """A scope for one dialog, whose task closes it at the end; `task` may be set once that task has a handle."""
        return Scope(self, id, task)

    def subscribe(
        self,
        *kinds: type[Fact],
        mode: Literal["lossless", "latest"] = "lossless",
        capacity: int = 1024,
        scope: Scope | None = None,
    ) -> Subscription:
        """A stream of the records of these kinds (all when none is named) of one scope, or of the whole run."""
        source = scope or self.scope
        subscription = Subscription(self.promise, kinds, mode, capacity, source.unread)
        source.read(subscription)
        return subscription

    def ask(self, ref: ActorRef, request: Request[R], asker: ActorRef | None = None) -> Coroutine[Any, Any, R]:
        """Asks an actor and waits for the answer.

        Raises what the handler raised; `ActorStopped` when there is nobody to answer; `CircularAsk` when waiting would
        never end; `UnhandledMessage` when the actor does not know the request.
        """
        if asker is not None and asker.scope is ref.scope:
            return self.ask_within(ref, request, asker)
        return self._ask_across(ref, request, asker)

    async def ask_within(self, ref: ActorRef, request: Request[R], asker: ActorRef | None) -> R:
        """Asks from a task of the actor's own scope, which runs the handler itself."""
        if ref.is_stopped:
            raise ActorStopped(ref.id)
        if ref.busy:
            if asker is not None:
                _refuse_circle(asker, ref)
                asker.begins_to_ask(ref)
            try:
                await self._take_turn(ref)
            finally:
                if asker is not None:
                    asker.ends_asking(ref)
        ref.busy = True
        if asker is not None:
            asker.begins_to_ask(ref)
        try:
            if ref.is_stale:
                await self._renew(ref)
            handler = ref.actor.handlers.get(type(request)) or _handler(ref, request)
            answer: R = await handler(ref.actor, request)
        except Exception as error:
            self._supervise(ref, error)
            raise
        except BaseException:
            ref.is_stale = True
            raise
        finally:
            if asker is not None:
                asker.ends_asking(ref)
            if ref.queue:
                self._release(ref)
            else:
                ref.busy = False
        return answer

    async def tell(self, ref: ActorRef, message: Request[Any], sender: ActorRef | None = None) -> None:
        """Puts a message into an actor's mailbox; waits while that is full, but never for the message to be handled.

        What cannot be delivered becomes a `DeadLetter`. An actor that tells itself something never waits.
        """
        try:
            await self._post(ref, _Letter(message), sender)
        except ActorStopped:
            self._bury(ref, message)

    async def deliver(self, ref: ActorRef, record: Record[Fact], publisher: ActorRef | None) -> None:
        """Hands a record to a subscribed actor; its failure is its supervisor's business, not the publisher's."""
        if ref.is_stopped:
            return
        if publisher is None or publisher.scope is not ref.scope or ref.busy:
            await self._post(ref, _Letter(record), publisher)
            return
        ref.busy = True
        publisher.begins_to_ask(ref)
        try:
            if ref.is_stale:
                await self._renew(ref)
            await _handler(ref, record)(ref.actor, record)
        except Exception as error:
            self._supervise(ref, error)
        except BaseException:
            ref.is_stale = True
            raise
        finally:
            publisher.ends_asking(ref)
            self._release(ref)

    def deliver_now(self, ref: ActorRef, record: Record[Fact]) -> None:
        """As `deliver`, without waiting for room or for the handler."""
        if not ref.is_stopped:
            self._enqueue(ref, _Letter(record))

    async def settle(self) -> None:
        """Waits until the run's own actors have handled what is in their mailboxes now."""
        for ref in self.scope.refs:
            if ref.busy and not ref.is_stopped:
                handled = self.promise()
                self._enqueue(ref, _Letter(_NOTHING, handled))
                await handled

    def stop(self, ref: ActorRef) -> None:
        """Takes an actor off the bus. Those waiting for it get `ActorStopped`, what it was told is a dead letter."""
        if ref.is_stopped:
            return
        ref.is_stopped = True
        waiting = [*(ref.queue or ()), *(letter for _, letter in ref.waiting_senders or ())]
        for promise, _ in ref.waiting_senders or ():
            if not promise.done():
                promise.set_exception(ActorStopped(ref.id))
        ref.queue = ref.waiting_senders = None
        for entry in waiting:
            self._turn_away(ref, entry)
        ref.actor.stopped()

    async def _ask_across(self, ref: ActorRef, request: Request[R], asker: ActorRef | None) -> R:
        reply = self.promise()
        if asker is not None:
            _refuse_circle(asker, ref)
            asker.begins_to_ask(ref)
        try:
            await self._post(ref, _Letter(request, reply), asker)
            answer: R = await reply
        finally:
            if asker is not None:
                asker.ends_asking(ref)
        return answer

    async def _post(self, ref: ActorRef, letter: _Letter, sender: ActorRef | None) -> None:
        if ref.is_stopped:
            raise ActorStopped(ref.id)
        if sender is not ref and (ref.waiting_senders or len(ref.queue or ()) >= ref.capacity):
            room = self.promise()
            if ref.waiting_senders is None:
                ref.waiting_senders = deque()
            ref.waiting_senders.append((room, letter))
            try:
                await room  # whoever makes room puts the letter in, so that nobody can slip in between
            except BaseException:
                if room.cancelled() and isinstance(letter.message, Record) and not ref.is_stopped:
                    self._enqueue(ref, letter)  # a fact that was published is no longer its publisher's to take back
                raise
            return
        self._enqueue(ref, letter)

    def _enqueue(self, ref: ActorRef, letter: _Letter) -> None:
        if ref.queue is None:
            ref.queue = deque()
        ref.queue.append(letter)
        if not ref.busy:
            ref.busy = True
            ref.scope.work(self._drain, ref)

    def _next(self, ref: ActorRef) -> Any:
        """Takes the first entry out of a mailbox and lets the first waiting sender's letter in."""
        assert ref.queue
        entry = ref.queue.popleft()
        while ref.waiting_senders:
            room, letter = ref.waiting_senders.popleft()
            if not room.done():
                ref.queue.append(letter)
                room.set_result(None)
                break
        return entry

    async def _take_turn(self, ref: ActorRef) -> None:
        turn = self.promise()
        if ref.queue is None:
            ref.queue = deque()
        ref.queue.append(turn)
        try:
            await turn
        except ActorStopped:
            raise
        except BaseException:
            if not turn.cancelled():  # the turn had come, so it must be passed on
                self._release(ref)
            raise

    def _release(self, ref: ActorRef) -> None:
        """The actor is free: the next in line gets it, still busy, so that nobody can slip in between."""
        while ref.queue:
            if isinstance(ref.queue[0], _Letter):
                ref.scope.work(self._drain, ref)
                return
            turn = self._next(ref)
            if not turn.done():
                turn.set_result(None)
                return
        ref.busy = False

    async def _drain(self, ref: ActorRef) -> None:
        try:
            while ref.queue and isinstance(ref.queue[0], _Letter):
                letter = self._next(ref)
                if not letter.is_abandoned:
                    await self._handle(ref, letter)
        finally:
            self._release(ref)

    async def _handle(self, ref: ActorRef, letter: _Letter) -> None:
        try:
            if ref.is_stale:
                await self._renew(ref)
            message = letter.message
            answer = None if message is _NOTHING else await _handler(ref, message)(ref.actor, message)
        except Exception as error:
            self._supervise(ref, error)
            if letter.reply is not None and not letter.reply.done():
                letter.reply.set_exception(error)
        except BaseException:
            ref.is_stale = True
            self._turn_away(ref, letter)
            raise
        else:
            if letter.reply is not None and not letter.reply.done():
                letter.reply.set_result(answer)

    async def _renew(self, ref: ActorRef) -> None:
        actor = ref.factory()
        actor.self_ref = ref
        for record in ref.scope.log:
            actor.fold(record.fact)
        ref.actor = actor
        await actor.renewed()
        ref.is_stale = False

    def _supervise(self, ref: ActorRef, error: Exception) -> None:
        ref.is_stale = True
        if isinstance(
            error, DialogStopped | SetupError
        ):  # an ending, or the user's to put right: no failure of an actor
            ref.scope.failed(error)
            return
        decision = self._decide(ref)
        if ref.scope.failure is error:
            return  # it came up from an actor that was asked; the decision was made there
        self.failures += 1
        logger().warning("actor.failed", actor=ref.id, error=repr(error), decision=decision)
        self.scope.publish_now(ActorFailed(ref.id, f"{type(error).__name__}: {error}", decision))
        if decision is OnFailure.RESTART:
            self.restarts += 1
        else:
            (self.scope if decision is OnFailure.STOP_RUN else ref.scope).failed(error)

    def _decide(self, ref: ActorRef) -> OnFailure:
        supervision = ref.supervision
        if supervision.on_failure is not OnFailure.RESTART:
            return supervision.on_failure
        now = self.clock.now()
        recent = [at for at in ref.restarted_at or () if at > now - supervision.within_s]
        ref.restarted_at = [*recent, now]
        return OnFailure.RESTART if len(recent) < supervision.restarts else OnFailure.FAIL_SCOPE

    def _turn_away(self, ref: ActorRef, entry: Any) -> None:
        promise = entry.reply if isinstance(entry, _Letter) else entry
        if promise is None:
            self._bury(ref, entry.message)
        elif not promise.done():
            promise.set_exception(ActorStopped(ref.id))

    def _bury(self, ref: ActorRef, message: object) -> None:
        if isinstance(message, Record):
            return  # a fact is in its log; a reader that has gone misses nothing it could still use
        self.dead_letters += 1
        logger().warning("letter.dead", actor=ref.id, message=type(message).__name__)
        self.scope.publish_now(DeadLetter(ref.id, repr(message)))


def _handler(ref: ActorRef, message: object) -> Handler:
    kind = type(message.fact) if isinstance(message, Record) else type(message)
    handler = ref.actor.handlers.get(kind)
    if handler is None:
        raise UnhandledMessage(ref.id, kind.__name__)
    return handler


def _refuse_circle(asker: ActorRef, ref: ActorRef) -> None:
    """Raises `CircularAsk` when `ref`, over those it waits for, waits for `asker`."""
    trail: list[tuple[ActorRef, tuple[str, ...]]] = [(ref, (asker.id, ref.id))]
    seen: set[int] = set()
    while trail:
        here, path = trail.pop()
        if here is asker:
            raise CircularAsk(path)
        if id(here) not in seen:
            seen.add(id(here))
            trail += [(waited_for, (*path, waited_for.id)) for waited_for in here.asking]
