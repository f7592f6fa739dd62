"""A simulation admits scenarios, has them played side by side, and hands out dialogs as they finish."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, Unpack

import anyio

from .admission import Admission
from .breaker import Breaker
from .budget import Budget, Purse
from .budget.prices import Prices
from .bus import Bus
from .clock import Clock
from .completion import Backend, Parameters, Usage
from .dialog import Dialog
from .dispatcher import Dispatcher
from .errors import JournalUnwritable, SimulationClosed
from .failures import FailurePolicy, Failures
from .heap import tuned_collector
from .journal import Diary, Disk, Journal, JournalLock, WriterThread
from .journal.rows import DialogRow
from .journal.tally import Tally
from .log import logger
from .messages import Fact
from .metadata import own_version
from .models import Models
from .pace import Pace
from .performance import Performance, Playable
from .program.archive import timestamp_of
from .program.fork import Fork
from .program.opening import opened
from .program.own_prompts import checked_prompts, versions_entry
from .program.piece import Piece
from .program.program import Program, each, the_first
from .program.replay import NoModels, replayed
from .program.resumption import Changes, Resumption, as_json, config_in, config_of, name_of, settings_in
from .resources import Resources
from .retry import Retry
from .run import Run
from .scheduler import Scheduler
from .seeds import derive, derive_id
from .settings import Settings, overlaid
from .statistics import Statistics
from .subscription import Subscription
from .wrappers import Cache, Hedge, Wrappers

__all__ = ["Simulation"]


class Simulation:
    """Plays dialogs, many at once; use it as an async context manager, and what it began ends with it.

    What is None is as the settings say that hold when the simulation is made, see `Settings`; nothing is read later.

    model: what agents without a model of their own use, as "backend:model" or a Backend.
    model_parameters: how models sample where an agent does not say so itself, field by field.
    concurrency: how many dialogs are live at once, from their first word until they are taken from `run`.
    seed: decides every random choice; one is drawn when it is None, see `seed`.
    retry: when a failed model call is tried again.
    failures: what becomes of dialogs that fail, and when there are so many that the run stops.
    journal: a file that keeps the run, so that nothing acknowledged is lost and it can be resumed, replayed, exported.
        There must be none yet; see `resume`.
    budget: caps on what the run may cost, over all sessions of its journal, and each of its dialogs.
    prices: what tokens cost, where the table in playact does not say so or says otherwise.
    in_flight: the most calls to one backend at once, where the backend itself does not set less.
    pace: how fast each backend may be asked, or some by their names, such as "openai:gpt-4.1" or "openai".
    breaker: when a backend counts as down, so that its calls wait until it is back.
    timeout_s: how long a call may take before it counts as failed, where the backend itself does not set less.
    cache: a file of replies, so that what was asked before costs no second call; see `Cache` for other uses of it.
    hedge: a second call for one that takes too long; which of the replies counts is up to the clock, so a run with
        hedging need not repeat itself but for its journal.
    clock, disk: where time comes from and where the journal's work is done; tests stand in for both.
    prompts: texts of prompt templates by name, instead of the packaged ones, as `Prompts.of("folder")` reads them; the
        journal keeps them.
    memo: plain JSON that the journal keeps for whoever resumes the run: in its configuration, and `memo` from then on.
    settings: instead of those that hold when the simulation is made.
    opens_model: opens the model on entry, so that a run that cannot use it is refused before it begins; False leaves
        that to the first use, for runs that may never ask it.
    tune_collector: freezes and tunes Python's garbage collector meanwhile, for the whole process: about 1.6 times the
        turns a second when thousands of dialogs are live.

    Raises `SetupError` when a setting is none, and on entry when the model or the journal cannot be used, with one line
    that says what to do.
    """

    def __init__(
        self,
        *,
        model: str | Backend | None = None,
        model_parameters: Parameters | None = None,
        concurrency: int | None = None,
        seed: int | None = None,
        retry: Retry | None = None,
        failures: FailurePolicy | None = None,
        journal: str | Path | None = None,
        budget: Budget | None = None,
        prices: Prices | str | Path | None = None,
        in_flight: int | None = None,
        pace: Pace | Mapping[str, Pace] | None = None,
        breaker: Breaker | None = None,
        timeout_s: float | None = None,
        cache: Cache | str | Path | None = None,
        hedge: Hedge | None = None,
        clock: Clock | None = None,
        disk: Disk | None = None,
        prompts: Mapping[str, str] | None = None,
        memo: Mapping[str, Any] | None = None,
        tune_collector: bool = False,
        settings: Settings | None = None,
        opens_model: bool = True,
    ) -> None:
        settings = settings or Settings.current()
        self.model = model or settings.model
        self.model_parameters = as_json(overlaid(model_parameters or Parameters(), settings.model_parameters))
        self.seed = secrets.randbits(31) if seed is None else seed
        self.id = derive_id(self.seed, "run")
        self.prompts: Mapping[str, str] = checked_prompts(prompts)
        self.memo: dict[str, Any] = json.loads(json.dumps(memo or {}))
        self.turns = 0
        self.flaws: Counter[str] = Counter()
        self.failures = Failures(failures or FailurePolicy())
        self.journal: Journal | None = None
        self.program = Program()
        self.purse: Purse | None = None
        self._wrappers = Wrappers.of(cache or settings.reply_cache, hedge or settings.second_calls)
        self.models = Models(self._wrappers.around)
        self.resources = Resources()
        self.warned: set[object] = set()
        self.cut_short: set[str] = set()  # ids of the dialogs that ended with the session, not by themselves
        self._scheduler = Scheduler(concurrency=settings.concurrency if concurrency is None else concurrency)
        self._retry = retry or Retry(attempts=settings.attempts)
        self._path = None if journal is None else Path(journal)
        self._budget = budget
        self._prices = Prices.load(prices) if isinstance(prices, str | Path) else prices
        self._in_flight = in_flight or settings.in_flight
        pace = settings.pace if pace is None else pace
        self._paces = {"": pace} if isinstance(pace, Pace) else dict(pace)
        self._timeout_s = timeout_s or settings.timeout_s
        self._breaker = breaker or Breaker()
        self._clock = clock
        self._disk = disk or WriterThread()
        self._tune_collector = tune_collector
        self._opens_model = opens_model
        self._resumption: Resumption | None = None
        self._replays: Callable[[], Iterator[Piece]] | None = None
        self._reserved: dict[int, DialogRow] = {}  # of dialogs that have not begun, though later ones have
        self._ended: Counter[str] = Counter()
        self._live: dict[str, Performance] = {}
        self._bus: Bus | None = None
        self._is_open = False
        self._version = own_version()
        self._model_entry = {"name": name_of(self.model)}

    @classmethod
    def resume(
        cls,
        journal: str | Path,
        *,
        model: str | Backend | None = None,
        dialogs: int | None = None,
        retry_failed: bool = False,
        code: Sequence[object] = (),
        **changes: Unpack[Changes],
    ) -> Self:
        """A simulation that goes on with the run of a journal: `run()` plays what is left of it.

        Seed, model, budget and all else are those of the journal, whatever the settings are now, but for `changes`,
        which are parameters of `Simulation`. `model` is needed when the run was given a Backend.

        dialogs: plan so many in all, which may be more than before.
        retry_failed: take up the dialogs again that have failed, or met a cap of their own.
        code: functions and classes that the scenarios use; no journal holds any.

        Raises `JournalInvalid`, and `SetupError` when the model is not that of the run.
        """
        path = Path(journal)
        simulation = cls(journal=path, **settings_in(path, config_in(path), model) | dict(changes))
        simulation._resumption = Resumption(dialogs, retry_failed, tuple(code))
        return simulation

    @classmethod
    def replay(cls, journal: str | Path, *, code: Sequence[object] = (), **changes: Unpack[Changes]) -> Self:
        """A simulation whose `run()` plays the finished dialogs of a journal again, asking no model and no tool.

        They are to the letter as they were; where the code has changed, a dialog fails with `ReplayDiverged`.
        """
        path = Path(journal)
        config = config_in(path) | {"is_model_an_object": False, "budget": None}
        settings = settings_in(path, config, None) | {"failures": FailurePolicy(salvage=False, stop_share=None)}
        simulation = cls(**settings | dict(changes))
        simulation.models = NoModels()
        simulation._replays = lambda: replayed(path, simulation.id, tuple(code))
        return simulation

    async def __aenter__(self) -> Self:
        if self._bus is not None:
            raise SimulationClosed
        logger()  # made now: in the middle of a run there may be no file left to open, and an import needs one
        async with AsyncExitStack() as stack:
            if self._path is not None:
                stack.enter_context(JournalLock(self._path))
            stack.push_async_callback(self.models.aclose)
            bus = await stack.enter_async_context(Bus(self.id, self._clock))
            if self._opens_model:
                await self.models.open(self.model)
            if self._path is not None:
                books = await opened(self._path, self._config(), self._resumption, bus, self._disk, stack)
                self.journal, self.program = books
            self.purse = self._open_purse(bus)
            stack.callback(self._keep_end, self.purse)
            self.admission = Admission(self._scheduler, bus.promise)
            self.dispatcher = Dispatcher(
                bus,
                self._scheduler,
                self._retry,
                self._in_flight,
                paces=self._paces,
                breaker=self._breaker,
                timeout_s=self._timeout_s,
                journal=self.journal,
                purse=self.purse,
            )
            stack.enter_context(tuned_collector(self._tune_collector))
            await stack.enter_async_context(self.resources)
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

    def run(
        self,
        scenarios: Iterable[Playable] | AsyncIterable[Playable] | None = None,
        *,
        ordered: bool = False,
        first: int | None = None,
        is_more: bool = False,
    ) -> Run:
        """Plays scenarios and yields their dialogs as they finish, failed ones too: see `Dialog.ending`.

        Any iterable does, also an endless one: it is read as dialogs are taken. Stop whenever you like; `aclose` or
        leaving the simulation cancels the rest. What the iterable raises is raised after the dialogs already begun,
        `TooManyFailures` when they show that going on is of no use. `ordered` yields in the order of the scenarios.
        `first` plays no more than so many of them; all are planned, and with a journal the others can be resumed.

        A scenario's dialog has its number, and by it its id, when the scenario is read; those of a sequence (something
        that has a length) at once, so that other runs at the same time change nothing in them. With a journal a
        sequence is planned as a whole; of anything else the journal knows what has been read. A resumed run needs no
        scenarios; given again, they must be the same, or `SetupError` names the dialog that is not. `is_more` says that
        a resumed run is given scenarios which it did not have before.
        """
        self._check_open()
        pieces = self._as_new(scenarios) if is_more and scenarios is not None else self._to_play(scenarios)
        return Run(self, pieces if first is None else the_first(first, pieces), ordered=ordered)

    async def play(self, scenario: Playable) -> Dialog:
        """Plays one scenario in the caller's own task, when there is room for a live dialog."""
        self._check_open()
        piece = Piece(scenario, self.program.keep(scenario))
        await self.admission.admit()
        try:
            with anyio.CancelScope() as cancel_scope:
                performance = self.prepare(piece)
                performance.scope.task = cancel_scope
                await performance.play(scenario)
            if performance.diary is not None:
                await performance.diary.durable()
            return performance.dialog
        finally:
            self.admission.retire()

    def take_up(self, scenario: Playable) -> Performance:
        """An admitted scenario, see `admission`, whose dialog the caller begins, plays and ends in its own task.

        Raises `SimulationClosed`.
        """
        self._check_open()
        return self.prepare(Piece(scenario, self.program.keep(scenario)))

    @property
    def is_open(self) -> bool:
        """Whether dialogs can be played."""
        return self._is_open

    async def fork(self, dialog: Dialog, *, turn: int, scenario: Playable, seed: int | None = None) -> Dialog:
        """Plays on from the first `turn` turns of a dialog, as another scenario has it; those turns cost nothing.

        Who sits in the same place of the cast goes on in the other's stead, under its own name. The new dialog's
        `parentId` is the dialog's id; its seed is that of the scenario, or of the dialog, unless said otherwise. For
        many at once see `Dialog.forked`. Raises ValueError when the dialog has fewer turns.
        """
        return await self.play(Fork.of(dialog, turn, scenario, seed))

    def dialog_id(self, number: int) -> str:
        """The id of the dialog that is planned with this number, unless it is a fork."""
        return derive_id(self.seed, "dialog", number)

    def cancel(self, dialog_id: str) -> bool:
        """Cancels one live dialog and only its work; it is still handed out, as cancelled. False: none such is live."""
        performance = self._live.get(dialog_id)
        if performance is not None:
            performance.cancel()
        return performance is not None

    def events(
        self, *kinds: type[Fact], mode: Literal["lossless", "latest"] = "lossless", capacity: int = 1024
    ) -> Subscription:
        """The records of the whole run from now on, as they are published; see `Subscription`."""
        return self.bus.subscribe(*kinds, mode=mode, capacity=capacity)

    def statistics(self) -> Statistics:
        bus, calls, purse = self.bus, self.dispatcher, self.purse
        lanes = self._scheduler.lanes.values()
        usages = calls.answered.by_model
        usage = sum(usages.values(), Usage())
        usd = None if purse is None else purse.usd(usages)
        return Statistics(
            live=self._scheduler.live,
            ended=dict(self._ended),
            turns=self.turns,
            flaws=dict(self.flaws),
            live_turns=sum(len(performance.dialog) for performance in self._live.values()),
            calls=calls.answered.calls,
            calls_in_flight=sum(lane.in_flight for lane in lanes),
            calls_waiting=sum(lane.waiting for lane in lanes),
            failed_calls=calls.failed_calls,
            retries=calls.retries,
            recalled=calls.recalled,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
            usd=usd,
            unpriced=() if purse is None else tuple(sorted(purse.unpriced)),
            failing=self.failures.failed - self._ended["failed"],
            actor_failures=bus.failures,
            actor_restarts=bus.restarts,
            dead_letters=bus.dead_letters,
            seconds=bus.clock.now() - self._started,
            lanes={name: lane.statistics(bus.clock.now()) for name, lane in self._scheduler.lanes.items()},
        )

    def prepare(self, piece: Piece, on_end: Callable[[Dialog], None] | None = None) -> Performance:
        """An admitted scenario, ready to be played; `on_end` gets the dialog when it has ended, however that was."""
        bus, past, scenario, number = self.bus, piece.past, piece.scenario, piece.number
        id, seed = self._id(number, scenario), scenario.seed
        if seed is None:
            seed = derive(self.seed, "dialog", number)
        dialog = scenario.dialog(
            version=self._version,
            timestamp=timestamp_of(past.records[0].time if past is not None and past.records else bus.clock.wall()),
            model=self._model_entry,
            seed=seed,
            id=id,
            **versions_entry(self.prompts),
        )
        row = None if past is None else past.row
        is_new_fork = isinstance(scenario, Fork) and (past is None or not past.records)
        if isinstance(scenario, Fork) and is_new_fork:
            past = scenario.past(dialog, bus.run, bus.clock.wall())
        scope = bus.open_scope(id)
        if self.journal is not None:
            scope.diary = piece.diary or self._open_diary(self.journal, number, seed, dialog, row)
            for record in past.records if past is not None and is_new_fork else ():
                scope.diary.add(record)
        performance = self._live[id] = Performance(
            self, scope, dialog, scenario, number, seed, on_end=on_end, past=past
        )
        return performance

    def ended(self, performance: Performance) -> None:
        """A performance is over, and its dialog too, unless it is to be taken up again."""
        dialog = performance.dialog
        self._live.pop(performance.id, None)
        if dialog.ending is None:
            return
        self._ended[dialog.ending.reason] += 1
        if dialog.ending.failed:
            self.failures.has_failed(dialog.ending.error or dialog.ending.detail)
        else:
            self.failures.ended_well()

    @property
    def playing(self) -> int:
        """How many dialogs have begun and not ended; `Statistics.live` counts also those that are still to be taken."""
        return len(self._live)

    async def settled(self) -> None:
        """Returns when all that was said so far is durable, or can no longer be: then the run fails for that reason."""
        if self.journal is not None:
            with suppress(JournalUnwritable):
                await self.journal.settled()

    @property
    def is_out_of_money(self) -> bool:
        """Whether a cap of the run's budget is reached, so that no dialog can go on."""
        return self.purse is not None and self.purse.is_spent is not None

    def _to_play(self, scenarios: Iterable[Playable] | AsyncIterable[Playable] | None) -> AsyncGenerator[Piece, None]:
        if self._replays is not None:
            return each(self._replays())
        if self._resumption is not None:
            return self.program.left() if scenarios is None else self.program.matched(scenarios)
        if scenarios is None:
            raise TypeError("run() needs scenarios, unless the simulation is resumed from a journal")
        return self._as_new(scenarios)

    def _as_new(self, scenarios: Iterable[Playable] | AsyncIterable[Playable]) -> AsyncGenerator[Piece, None]:
        if isinstance(scenarios, Sequence):
            return each(map(Piece, scenarios, self.program.plan(scenarios)))
        return self._as_they_come(scenarios)

    async def _as_they_come(
        self, scenarios: Iterable[Playable] | AsyncIterable[Playable]
    ) -> AsyncGenerator[Piece, None]:
        async with aclosing(each(scenarios)) as source:
            async for scenario in source:
                yield Piece(scenario, self.program.keep(scenario))

    def _open_diary(self, journal: Journal, number: int, seed: int, dialog: Dialog, row: DialogRow | None) -> Diary:
        """`row` is the dialog's row where it began in an earlier session."""
        for earlier in range(journal.tally.dialogs, number):  # the rows of a journal have no gaps
            self._reserved[earlier] = DialogRow(earlier, "", 0, None, journal.tally.entries + 1)
            journal.open_diary(earlier, "", 0, None, None)
        parent = None if dialog.parentId is None else str(dialog.parentId)
        row = row or self._reserved.pop(number, None)
        if row is not None:
            row = replace(row, id=str(dialog.id), seed=seed, parent=parent)
        return journal.open_diary(number, str(dialog.id), seed, parent, row)

    def _id(self, number: int, scenario: Playable) -> str:
        if isinstance(scenario, Fork):  # which may be played with the seed that its parent's run had
            return derive_id(self.seed, "fork", scenario.parent, scenario.turn, number)
        return self.dialog_id(number)

    def _open_purse(self, bus: Bus) -> Purse:
        prices = self._prices or Prices.load()
        tally = Tally() if self.journal is None else self.journal.tally
        earlier_s, started = tally.seconds, bus.clock.now()
        return Purse(
            self._budget or Budget(),
            prices,
            seconds=lambda: earlier_s + bus.clock.now() - started,
            spent=tally.spent,
            unpriced_calls=tally.unpriced,
        )

    def _keep_end(self, purse: Purse) -> None:
        if self.journal is not None and purse.end is not None:
            self.journal.tally.budget_end = str(purse.end)

    def _config(self) -> dict[str, Any]:
        return config_of(
            version=self._version,
            seed=self.seed,
            model=self.model,
            model_parameters=self.model_parameters,
            concurrency=self._scheduler.concurrency,
            in_flight=self._in_flight,
            paces=self._paces,
            breaker=self._breaker,
            timeout_s=self._timeout_s,
            retry=self._retry,
            failures=self.failures.policy,
            budget=self._budget,
            prices=self._prices,
            wrappers=self._wrappers,
            prompts=self.prompts,
            memo=self.memo,
            opens_model=self._opens_model,
        )

    def _check_open(self) -> None:
        if not self._is_open:
            raise SimulationClosed

    def __repr__(self) -> str:
        return f"<Simulation {self.model} {self._scheduler!r}>"
