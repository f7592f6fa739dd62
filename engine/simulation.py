"""A simulation admits scenarios, has them played side by side, and hands out dialogs as they finish."""

from __future__ import annotations

import secrets
from collections import Counter, deque
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from types import TracebackType
from typing import Literal, Self

import anyio

from .bus import Bus
from .clock import Clock
from .completion import Backend
from .dialog import Dialog
from .dispatcher import Dispatcher
from .errors import SimulationClosed
from .heap import tuned_collector
from .messages import Fact
from .models import Models, chosen_model
from .performance import Performance, Playable
from .promise import Promise
from .retry import Retry
from .run import Run
from .scheduler import Scheduler
from .seeds import derive, derive_id
from .subscription import Subscription

__all__ = ["Simulation", "Statistics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Where a simulation stands. `ended` counts dialogs by the reason of their ending; tokens are what was paid for.

    `live` counts dialogs from admission until they are taken.
    """

    live: int
    ended: Mapping[str, int]
    turns: int
    calls: int
    calls_in_flight: int
    calls_waiting: int
    failed_calls: int
    retries: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    actor_failures: int
    actor_restarts: int
    dead_letters: int
    seconds: float

    @property
    def dialogs(self) -> int:
        return sum(self.ended.values())


class Simulation:
    """Plays dialogs, many at once; use it as an async context manager, and what it began ends with it.

    model: what agents without a model of their own use, as "backend:model" or a Backend; by default what the
        environment variable PLAYACT_MODEL says, else the embedded model.
    concurrency: how many dialogs are live at once, from their first word until they are taken from `run`.
    seed: decides every random choice; one is drawn when it is None, see `seed`.
    retry: when a failed model call is tried again.
    in_flight: the most calls to one backend at once, where the backend itself does not set less.
    tune_collector: freezes and tunes Python's garbage collector meanwhile, for the whole process: about 1.6 times the
        turns a second when thousands of dialogs are live.

    Raises `SetupError` on entry when the model cannot be used, with one line that says what to do.
    """

    def __init__(
        self,
        *,
        model: str | Backend | None = None,
        concurrency: int = 256,
        seed: int | None = None,
        retry: Retry | None = None,
        in_flight: int | None = None,
        clock: Clock | None = None,
        tune_collector: bool = False,
    ) -> None:
        self.model = chosen_model(model)
        self.seed = secrets.randbits(31) if seed is None else seed
        self.id = derive_id(self.seed, "run")
        self.turns = 0
        self._scheduler = Scheduler(concurrency=concurrency)
        self._retry = retry or Retry()
        self._in_flight = in_flight
        self._clock = clock
        self._tune_collector = tune_collector
        self._ended: Counter[str] = Counter()
        self._live: dict[str, Performance] = {}
        self._room: deque[Promise] = deque()
        self._bus: Bus | None = None
        self._is_open = False
        self._version = version("playact")
        self._model_entry = {"name": self.model if isinstance(self.model, str) else self.model.name}

    async def __aenter__(self) -> Self:
        if self._bus is not None:
            raise SimulationClosed
        bus = Bus(self.id, self._clock)
        self.models = Models()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.models.aclose)
            await stack.enter_async_context(bus)
            self.dispatcher = Dispatcher(bus, self._scheduler, self._retry, self._in_flight)
            await self.models.open(self.model)
            stack.enter_context(tuned_collector(self._tune_collector))
            self.runs = await stack.enter_async_context(anyio.create_task_group())
            self._open = stack.pop_all()
        self._bus = bus
        self._is_open = True
        self._started = bus.clock.now()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Cancels what is still live, lets the run's actors handle what they were told, closes the models.

        Nothing of the run is left. Raises what stopped the run, if something did.
        """
        self._is_open = False
        self.runs.cancel_scope.cancel()
        if isinstance(error, Exception):  # the caller's own, which a task group would wrap
            await self._open.__aexit__(None, None, None)
        else:
            await self._open.__aexit__(kind, error, at)

    @property
    def bus(self) -> Bus:
        """The run's bus. Raises `SimulationClosed` before `async with`."""
        if self._bus is None:
            raise SimulationClosed
        return self._bus

    def run(self, scenarios: Iterable[Playable] | AsyncIterable[Playable]) -> Run:
        """Plays scenarios and yields their dialogs as they finish, failed ones too: see `Dialog.ending`.

        Any iterable does, also an endless one: it is read as dialogs are taken. Stop whenever you like; `aclose` or
        leaving the simulation cancels the rest. What the iterable raises is raised after the dialogs already begun.
        """
        self._check_open()
        return Run(self, scenarios)

    async def play(self, scenario: Playable) -> Dialog:
        """Plays one scenario in the caller's own task, when there is room for a live dialog."""
        self._check_open()
        number = await self.admit()
        try:
            with anyio.CancelScope() as cancel_scope:
                performance = self.prepare(scenario, number)
                performance.scope.task = cancel_scope
                await performance.play(scenario)
            return performance.dialog
        finally:
            self.retire()

    def cancel(self, dialog_id: str) -> bool:
        """Cancels one live dialog and only its work; it is still handed out, as cancelled. False: none such is live."""
        performance = self._live.get(dialog_id)
        if performance is not None:
            performance.scope.cancel()
        return performance is not None

    def events(
        self, *kinds: type[Fact], mode: Literal["lossless", "latest"] = "lossless", capacity: int = 1024
    ) -> Subscription:
        """The records of the whole run from now on, as they are published; see `Subscription`."""
        return self.bus.subscribe(*kinds, mode=mode, capacity=capacity)

    def statistics(self) -> Statistics:
        bus, traffic = self.bus, self.dispatcher.traffic
        lanes = self._scheduler.lanes.values()
        return Statistics(
            live=self._scheduler.live,
            ended=dict(self._ended),
            turns=self.turns,
            calls=traffic.calls,
            calls_in_flight=sum(lane.in_flight for lane in lanes),
            calls_waiting=sum(lane.waiting for lane in lanes),
            failed_calls=traffic.failed_calls,
            retries=traffic.retries,
            prompt_tokens=traffic.prompt_tokens,
            completion_tokens=traffic.completion_tokens,
            cached_tokens=traffic.cached_tokens,
            actor_failures=bus.failures,
            actor_restarts=bus.restarts,
            dead_letters=bus.dead_letters,
            seconds=bus.clock.now() - self._started,
        )

    async def admit(self) -> int:
        """Waits for room for one more live dialog, first come first served; gives its number."""
        while self._room or (number := self._scheduler.admit()) is None:
            turn = self.bus.promise()
            self._room.append(turn)
            try:
                number = await turn
            except BaseException:
                if not turn.cancelled():
                    self.retire()
                raise
            break
        return number

    def retire(self) -> None:
        """A live dialog has been taken: the first that waits for room is admitted."""
        self._scheduler.retire()
        while self._room:
            turn = self._room.popleft()
            if not turn.done():
                turn.set_result(self._scheduler.admit())
                return

    def prepare(self, scenario: Playable, number: int, on_end: Callable[[Dialog], None] | None = None) -> Performance:
        """An admitted scenario, ready to be played; `on_end` gets the dialog when it has ended, however that was."""
        bus = self.bus
        id = derive_id(self.seed, "dialog", number)
        seed = derive(self.seed, "dialog", number) if scenario.seed is None else scenario.seed
        dialog = scenario.dialog(
            version=self._version,
            timestamp=datetime.fromtimestamp(bus.clock.wall(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            model=self._model_entry,
            seed=seed,
            id=id,
        )
        performance = self._live[id] = Performance(self, bus.open_scope(id), dialog, number, seed, on_end)
        return performance

    def ended(self, performance: Performance) -> None:
        """A performance has come to its ending."""
        dialog = performance.dialog
        self._live.pop(performance.id, None)
        if dialog.ending is not None:
            self._ended[dialog.ending.reason] += 1

    def _check_open(self) -> None:
        if not self._is_open:
            raise SimulationClosed

    def __repr__(self) -> str:
        return f"<Simulation {self.model} {self._scheduler!r}>"
