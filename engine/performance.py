"""One dialog while it is played: its scope, its dialog so far, its way to the models, and its one ending."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from .completion import Backend, Completion, CompletionRequest
from .dialog import Dialog, Ending, Event, Turn
from .errors import SetupError
from .messages import DialogEnded, DialogStarted, Fact, Instructed, Thought, ToolCalled, ToolReturned, Uttered
from .scheduler import Call
from .scope import Scope

if TYPE_CHECKING:
    from .simulation import Simulation

__all__ = ["Performance", "Playable"]


_CANCELLED = Ending(reason="cancelled")


class Playable(Protocol):
    """What a simulation plays, a scenario: it may be played many times at once and never changes."""

    @property
    def seed(self) -> int | None: ...

    def dialog(self, **header: Any) -> Dialog:
        """The dialog before its first word: who takes part, where and why. `header` is what the run has decided."""
        ...

    def play(self, performance: Performance) -> Awaitable[Ending]:
        """Sets up the actors in `performance.scope` and has them speak; says how it ended."""
        ...


class Performance:
    """What a scenario needs to play once. `dialog` grows by a turn with each `Uttered` that the scope publishes."""

    __slots__ = ("_calls", "_on_end", "_simulation", "dialog", "number", "scope", "seed")

    def __init__(
        self,
        simulation: Simulation,
        scope: Scope,
        dialog: Dialog,
        number: int,
        seed: int,
        on_end: Callable[[Dialog], None] | None,
    ) -> None:
        self.scope = scope
        self.dialog = dialog
        self.number = number
        self.seed = seed
        self._simulation = simulation
        self._on_end = on_end
        self._calls = 0
        scope.listener = self._take

    async def play(self, scenario: Playable) -> None:
        """Plays the dialog to its one ending, which is published last; closes its scope.

        An exception is the ending of this dialog only, but for `SetupError`, which would end them all and so stops
        the run.
        """
        ending = _CANCELLED
        try:
            await self.scope.publish(DialogStarted(tuple(self.dialog.personas or ()), self.seed))
            ending = await scenario.play(self)
        except Exception as error:
            ending = _failure(error)
            if isinstance(error, SetupError):
                self.scope.bus.scope.failed(error)
        finally:
            self._end(ending if self.scope.failure is None else _failure(self.scope.failure))

    async def backend(self, model: str | Backend | None) -> Backend:
        """The run's backend for a model, opened at its first use; None is the run's own model. Raises `SetupError`."""
        models = self._simulation.models
        model = model or self._simulation.model
        return models.get(model) or await models.open(model)

    @property
    def id(self) -> str:
        """The dialog's id."""
        return self.scope.id

    def next_call(self) -> int:
        """The number of the dialog's next model call, for `CompletionRequest.sequence`."""
        self._calls += 1
        return self._calls - 1

    def complete(self, backend: Backend, request: CompletionRequest) -> Coroutine[Any, Any, Completion]:
        """Asks a model, when there is room and again where that helps. Raises `BackendError`."""
        return self._simulation.dispatcher.complete(backend, request, Call(self.number, request.sequence))

    def _end(self, ending: Ending) -> None:
        self.scope.publish_now(DialogEnded(ending.reason, ending.detail, ending.error))
        self.scope.close()
        dialog = self.dialog
        dialog.ending = ending
        dialog.complete = ending.reason == "finished"
        dialog.events = [row for record in self.scope.log if (row := _row(record.fact, int(record.time)))]
        # While they are live, dialogs share what is the same in all of them; whoever gets this one may change it.
        dialog.personas = {name: dict(persona) for name, persona in (dialog.personas or {}).items()}
        dialog.model = dict(dialog.model) if isinstance(dialog.model, dict) else dialog.model
        self._simulation.ended(self)
        if self._on_end is not None:
            self._on_end(self.dialog)

    def _take(self, fact: Fact) -> None:
        if type(fact) is Uttered:
            dialog = self.dialog
            dialog.turns.append(Turn(speaker=fact.agent, text=fact.text))
            dialog.usage = fact.usage if dialog.usage is None else dialog.usage + fact.usage
            self._simulation.turns += 1

    def __repr__(self) -> str:
        return f"<Performance {self.number} of {self.dialog.id}, {len(self.dialog)} turns>"


def _failure(error: BaseException) -> Ending:
    return Ending(reason="failed", detail=type(error).__name__, error=str(error) or type(error).__name__)


def _row(fact: Fact, timestamp: int) -> Event | None:
    """A fact as a row of the dialog's `events`, in sdialog's words; None for those that have no row there."""
    match fact:
        case Uttered():
            return Event(agent=fact.agent, action="utter", content=fact.text, timestamp=timestamp)
        case Thought():
            return Event(agent=fact.agent, action="think", content=fact.text, timestamp=timestamp)
        case Instructed():
            action = "instruct-persist" if fact.persistent else "instruct"
            return Event(
                agent=fact.agent, action=action, actionLabel=fact.label, content=fact.text, timestamp=timestamp
            )
        case ToolCalled():
            call = {"name": fact.name, "args": dict(fact.arguments), "id": fact.call_id}
            return Event(agent=fact.agent, action="tool", actionLabel="call", content=call, timestamp=timestamp)
        case ToolReturned():
            output = {"name": fact.name, "output": fact.output, "call_id": fact.call_id}
            return Event(agent=fact.agent, action="tool", actionLabel="output", content=output, timestamp=timestamp)
    return None
