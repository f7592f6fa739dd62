"""An actor: state of its own, and one handler for each kind of message, run one message at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from .messages import Fact, Record, Request

if TYPE_CHECKING:
    from .scope import Scope

__all__ = ["Actor", "ActorRef", "OnFailure", "Supervision", "handles"]

R = TypeVar("R")
A = TypeVar("A", bound="Actor")
F = TypeVar("F", bound=Fact)
Handler = Callable[[Any, Any], Awaitable[Any]]


@overload
def handles(
    message: type[Request[R]],
) -> Callable[[Callable[[A, Any], Awaitable[R]]], Callable[[A, Any], Awaitable[R]]]: ...
@overload
def handles(
    message: type[F],
) -> Callable[[Callable[[A, Record[F]], Awaitable[None]]], Callable[[A, Record[F]], Awaitable[None]]]: ...
def handles(message: Any) -> Any:
    """Marks the method that answers a kind of request, or takes the records of a kind of fact."""

    def mark(method: Handler) -> Handler:
        method.handled_message = message  # type: ignore[attr-defined]  # a function takes attributes; its type says none
        return method

    return mark


class Actor:
    """Subclass this, mark methods with `@handles(SomeRequest)`, spawn it in a scope.

    A handler that raises or is cancelled half-way leaves no half-state behind: before the next message the actor is
    made anew and folds the facts of its scope again. So keep in `self` only what the constructor and `fold` put there.
    """

    handlers: ClassVar[dict[type, Handler]] = {}
    folds: ClassVar[bool] = False
    relives: ClassVar[bool] = False  # whether it has to see the past with its own eyes: whether it has a `renewed`

    __slots__ = ("self_ref",)

    self_ref: ActorRef

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        methods = [method for base in reversed(cls.__mro__) for method in vars(base).values()]
        cls.handlers = {m.handled_message: m for m in methods if hasattr(m, "handled_message")}
        cls.folds = cls.fold is not Actor.fold
        cls.relives = cls.renewed is not Actor.renewed

    def fold(self, fact: Fact) -> None:
        """Takes a fact of the actor's scope into its state. Called for every fact, in order; must not wait or fail."""

    async def renewed(self) -> None:
        """Runs when the actor was made anew after a failure, its log folded, before the next message."""

    def stopped(self) -> None:
        """Runs once, when the actor's scope ends; must not fail."""

    def ask(self, ref: ActorRef, request: Request[R]) -> Awaitable[R]:
        """Asks another actor and waits for the answer; raises as `Bus.ask` does."""
        return ref.scope.bus.ask(ref, request, self.self_ref)

    def tell(self, ref: ActorRef, message: Request[Any]) -> Awaitable[None]:
        """Hands a message over without waiting for it to be handled; waits while the receiver's mailbox is full."""
        return ref.scope.bus.tell(ref, message, self.self_ref)

    def publish(self, *facts: Fact) -> Awaitable[None]:
        """Makes facts of the actor's scope known; waits while a lossless subscriber is behind."""
        return self.self_ref.scope.publish(*facts, publisher=self.self_ref)


class OnFailure(StrEnum):
    """What becomes of an actor whose handler raised. The asker gets the exception in any case."""

    RESTART = "restart"
    FAIL_SCOPE = "fail its scope"
    STOP_RUN = "stop the run"


@dataclass(frozen=True, slots=True)
class Supervision:
    """The decision on failure; more than `restarts` restarts within `within_s` seconds fail the actor's scope."""

    on_failure: OnFailure = OnFailure.FAIL_SCOPE
    restarts: int = 3
    within_s: float = 60.0


class ActorRef:
    """An actor's address and its standing: it outlives the actor's restarts. Everything here is the bus's own."""

    __slots__ = (
        "actor",
        "asking",
        "busy",
        "capacity",
        "factory",
        "is_stale",
        "is_stopped",
        "name",
        "queue",
        "restarted_at",
        "scope",
        "supervision",
        "waiting_senders",
    )

    def __init__(
        self, name: str, scope: Scope, factory: Callable[[], Actor], supervision: Supervision, capacity: int
    ) -> None:
        self.name = name
        self.scope = scope
        self.factory = factory
        self.supervision = supervision
        self.capacity = capacity
        self.actor = factory()
        self.actor.self_ref = self
        self.is_stale = False  # a stale actor is made anew before its next message
        self.is_stopped = False
        self.busy = False
        self.asking: tuple[ActorRef, ...] = ()
        # Most actors of a dialog never queue a message, wait for room or fail: those hold None, not an empty container.
        self.queue: deque[Any] | None = None
        self.waiting_senders: deque[Any] | None = None
        self.restarted_at: list[float] | None = None

    @property
    def id(self) -> str:
        return f"{self.scope.id}/{self.name}"

    def begins_to_ask(self, other: ActorRef) -> None:
        self.asking = (*self.asking, other)

    def ends_asking(self, other: ActorRef) -> None:
        if len(self.asking) == 1:
            self.asking = ()
        else:
            place = self.asking.index(other)
            self.asking = self.asking[:place] + self.asking[place + 1 :]

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        state = "stopped" if self.is_stopped else "busy" if self.busy else "idle"
        return f"<ActorRef {self.id} {state} {len(self.queue or ())}/{self.capacity}>"
