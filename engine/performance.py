"""One dialog while it is played: its scope, its dialog so far, its way to the models, and its one ending."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from .budget import Account
from .budget.amount import NOTHING
from .completion import Backend, Completion, CompletionRequest, Parameters
from .dialog import Dialog, Ending
from .errors import BackendError, BudgetSpent, EndRecorded, ReplayDiverged, ReplyInvalid, ReplyUnfit, SetupError
from .hearing import as_heard
from .journal.journal import Diary
from .log import logger
from .messages import DialogEnded, DialogStarted, Fact, FlawFound, Generated, Record, SpeakerChosen, Uttered
from .minutes import close, take_down
from .program.past import GIVEN_UP, Past, content_of, key_of
from .resources import Resources
from .scope import Scope
from .settings import overlaid

if TYPE_CHECKING:
    from .simulation import Simulation

__all__ = ["Performance", "Playable"]


_CANCELLED = Ending(reason="cancelled")
_NOTHING = (0, 0)


class Playable(Protocol):
    """What a simulation plays, a scenario: it may be played many times at once and never changes."""

    @property
    def seed(self) -> int | None: ...

    def dialog(self, **header: Any) -> Dialog:
        """The dialog before its first word: who takes part, where and why. `header` is what the run has decided."""
        ...

    def play(self, performance: Performance) -> Awaitable[Ending]:
        """Sets up the actors in `performance.scope` and has them speak; says how it ended.

        Where the dialog has a past, its facts are in the scope's log already, and the actors go on from there.
        """
        ...

    def recipe(self) -> Mapping[str, Any]:
        """The scenario as JSON, but for its seed; a plug of the engine makes it a scenario again."""
        ...


class Performance:
    """What a scenario needs to play once. `dialog` grows by a turn with each `Uttered` that the scope publishes."""

    __slots__ = (
        "_calls",
        "_has_begun",
        "_heard",
        "_is_called_off",
        "_past",
        "_settled",
        "_simulation",
        "_told",
        "_views",
        "account",
        "dialog",
        "number",
        "on_end",
        "on_failure",
        "prompts",
        "scenario",
        "scope",
        "seed",
    )

    def __init__(
        self,
        simulation: Simulation,
        scope: Scope,
        dialog: Dialog,
        scenario: Playable,
        number: int,
        seed: int,
        *,
        on_end: Callable[[Dialog], None] | None = None,
        past: Past | None = None,
    ) -> None:
        self.scope = scope
        self.dialog = dialog
        self.scenario = scenario
        self.number = number
        self.seed = seed
        self._calls = 0 if past is None else past.calls
        self.account: Account | None = None
        if simulation.purse is not None:
            self.account = simulation.purse.account_for_dialog(NOTHING if past is None else past.spent)
        self.on_failure: Callable[[Performance, BaseException], bool] | None = None  # True: somebody sees to it
        self.prompts = simulation.prompts  # texts of templates instead of the packaged ones; empty as a rule
        self._simulation = simulation
        self.on_end = on_end
        self._past = past
        self._has_begun = False
        self._is_called_off = False
        # Of the turn that is not finished: what was answered, should the turn be taken again.
        self._heard: list[tuple[CompletionRequest, Completion]] = []
        self._told: list[tuple[str, str]] = []
        self._settled = _NOTHING  # so many of each are not asked for again when it is
        self._views: dict[str | None, Dialog] | None = None  # where not all hear all
        for record in past.records if past is not None else ():
            scope.log.append(record)
            take_down(dialog, record.fact)
        scope.told = 0 if past is None else past.told
        scope.listener = self._take

    async def play(self, scenario: Playable) -> None:
        """Plays the dialog to its one ending, which is published last; closes its scope.

        An exception is the ending of this dialog only, but for `SetupError`, which would end them all and so stops
        the run. Subscribers of the run are first told what of the dialog's past they have not been told.
        """
        ending = _CANCELLED
        failure: BaseException | None = None
        try:
            await self.begin()
            if not self._is_called_off:
                ending = await scenario.play(self)
        except Exception as error:
            failure = error
            if isinstance(error, SetupError):
                self.scope.bus.scope.failed(error)
        finally:
            self.end(ending, failure)

    async def begin(self) -> None:
        """Has it known that the dialog is live. Only whoever plays it without `play` calls this, and then `end`."""
        self._has_begun = True
        if not self.scope.log:
            await self.scope.publish(DialogStarted(tuple(self.dialog.personas or ()), self.seed))
        else:
            for record in self.scope.log[self.scope.told :]:
                await self.scope.tell(record)

    def end(self, ending: Ending, failure: BaseException | None = None) -> None:
        """Gives the dialog its one ending, which is that of a failure where there is one, and closes its scope."""
        failure = self.scope.failure or failure
        if isinstance(failure, SetupError):
            self.fail(failure)  # no failure of its own: when that has been put right, it goes on
        elif failure is None or self.on_failure is None or not self.on_failure(self, failure):
            self._end(ending if failure is None else _ending_by(failure))

    async def backend(self, model: str | Backend | None) -> Backend:
        """The run's backend for a model, opened at its first use; None is the run's own model. Raises `SetupError`."""
        models = self._simulation.models
        model = model or self._simulation.model
        return models.get(model) or await models.open(model)

    def parameters(self, own: Parameters) -> Parameters:
        """How a model is to sample for an agent: as it says itself, field by field, else as the run does."""
        return overlaid(own, self._simulation.model_parameters)

    @property
    def resources(self) -> Resources:
        """What the run opens once for all its dialogs."""
        return self._simulation.resources

    @property
    def is_replay(self) -> bool:
        """Whether nothing outside is asked, since all answers are there."""
        return self._past is not None and self._past.is_all

    def warn_once(self, event: str, **facts: object) -> None:
        """Logs what the user should know of the run; what was said already is not said of the next dialog."""
        said = (event, *sorted(facts.items()))
        if said not in self._simulation.warned:
            self._simulation.warned.add(said)
            logger().warning(event, **facts)

    @property
    def id(self) -> str:
        """The dialog's id."""
        return self.scope.id

    @property
    def calls(self) -> int:
        """How many replies there were so far; the `sequence` of the next request."""
        return self._calls if self._past is None else max(self._calls, self._past.next_call)

    def keep_secrets(self) -> None:
        """From now on not all hear all of the dialog."""
        self._views = {} if self._views is None else self._views

    def as_heard(self, listener: str | None) -> Dialog:
        """The dialog as one of its speakers hears it, or, with None, as all do; it grows as the dialog grows.

        Turns that the listener does not hear are there, without words. Where nothing is kept from anybody, this is the
        dialog itself.
        """
        if self._views is None:
            return self.dialog
        view = self._views.get(listener)
        if view is None:
            turns = [as_heard(turn, listener) for turn in self.dialog.turns]
            view = self._views[listener] = self.dialog.model_copy(update={"turns": turns})
        return view

    @property
    def diary(self) -> Diary | None:
        return self.scope.diary

    def complete(self, backend: Backend, request: CompletionRequest) -> Coroutine[Any, Any, Completion]:
        """Asks a model, when there is room and again where that helps. Raises `BackendError`.

        What the journal has a reply to already is not asked again.
        """
        if self._past is not None and (completion := self._past.reply(request)) is not None:
            self._calls = request.sequence + 1
            self._heard.append((request, completion))
            return _at_once(completion)
        return self._simulation.dispatcher.complete(backend, request, self)

    async def complete_anew(self, backend: Backend, request: CompletionRequest) -> Completion:
        """As `complete`, for what is asked beside a turn itself: where a reply is malformed, this alone is asked again.

        It is asked as often as a turn may be tried, see `FailurePolicy`.
        """
        attempts = request.attempt
        while True:
            try:
                return await self.complete(backend, replace(request, attempt=attempts))
            except ReplyInvalid as error:
                attempts += 1
                if not self._simulation.failures.policy.may_take_turn_again(error, attempts):
                    raise

    def take_reply(self, request: CompletionRequest, completion: Completion, picodollars: int | None) -> None:
        """Counts a reply, and keeps it for good where there is a journal."""
        self._calls += 1
        self._heard.append((request, completion))
        if self.scope.diary is not None:
            time = self.scope.bus.clock.wall()
            self.scope.diary.add_reply(request.sequence, key_of(request), completion, time, picodollars)

    async def each_once(self, asked: Sequence[tuple[str, Callable[[], Awaitable[str]]]]) -> list[str]:
        """What each of several things gives that reach beyond the dialog, such as tools; done at the same time.

        Where there is a journal, each is done once, and what it gave is kept and not done again. The keys say what is
        asked. Answers are kept in the order of asking, so what is done or being done when the process is killed, while
        one before it is not, is done again.
        """
        texts = [None if self._past is None else self._past.answer(self.id, key) for key, _ in asked]
        to_do = [place for place, text in enumerate(texts) if text is None]
        diary, kept = self.scope.diary, 0

        def keep() -> None:
            nonlocal kept
            while kept < len(texts) and (text := texts[kept]) is not None:
                key = asked[kept][0]
                if diary is not None and kept in to_do:
                    diary.add_answer(key, text, self.scope.bus.clock.wall())
                self._told.append((key, text))
                kept += 1

        async def ask(place: int) -> None:
            texts[place] = await asked[place][1]()
            keep()

        keep()
        if to_do and diary is not None:
            await diary.durable()  # what led to it; else another reply might lead to something else
        if len(to_do) == 1:
            await ask(to_do[0])
        elif to_do:
            async with anyio.create_task_group() as tasks:
                for place in to_do:
                    tasks.start_soon(ask, place)
        return [text for text in texts if text is not None]

    def may_take_turn_again(self, error: Exception, attempts: int) -> bool:
        """Whether a turn that came to nothing may be tried once more, after so many attempts.

        Where its last call failed, the calls and the tools before it are not asked again.
        """
        if not self._simulation.failures.policy.may_take_turn_again(error, attempts):
            return False
        if isinstance(error, BackendError) and not isinstance(error, ReplyUnfit):
            calls, answers = self._settled
            if len(self._heard) > calls:
                self._calls = self._heard[calls][0].sequence
            self._past = Past(replies=self._replies(calls), answers=self._answers(answers))
            del self._heard[calls:], self._told[answers:]
        return True

    def settle(self) -> None:
        """What was asked in this turn until now is asked for by nobody again, should the turn be taken again."""
        self._settled = len(self._heard), len(self._told)

    def give_up_turn(self) -> None:
        """The turn that is not finished came to nothing, and the dialog goes on: no actor has it in mind any more."""
        if self.scope.diary is not None:
            self.scope.diary.add_answer(GIVEN_UP, str(self.calls), self.scope.bus.clock.wall())
        self.settle()
        for ref in self.scope.refs:
            ref.is_stale = True

    def was_given_up(self, before: str) -> bool:
        """Whether that is what became of the turn that begins now, in a replay; see `Past.was_given_up`."""
        return self._past is not None and self._past.was_given_up(before)

    @property
    def is_called_off(self) -> bool:
        """Whether it has been cancelled for good."""
        return self._is_called_off

    def cancel(self) -> None:
        """Ends the dialog for good, as cancelled, and nothing else."""
        self._is_called_off = True
        if self._has_begun:  # asyncio drops a task that is cancelled before its first step, and what it was to hand out
            self.scope.cancel()

    def fail(self, error: BaseException) -> None:
        """Ends the dialog without playing it; where there is a journal, it can be resumed."""
        self._goes_on_later()
        self._end(_ending_by(error))

    def as_past(self) -> Past:
        """Where the dialog stands now, to be taken up again. Closes its scope."""
        self.scope.close()
        spent = NOTHING if self.account is None else self.account.spent
        told = self.scope.told
        return Past(self.scope.log, self._first_call, spent, self._replies(), self._answers(), told=told)

    @property
    def _first_call(self) -> int:
        """The number of the first call of the turn that is not finished."""
        return self._heard[0][0].sequence if self._heard else self._calls

    def _replies(self, first: int = 0) -> deque[dict[str, Any]]:
        return deque(content_of(request, completion) for request, completion in self._heard[first:])

    def _answers(self, first: int = 0) -> deque[dict[str, Any]]:
        return deque({"key": key, "text": text} for key, text in self._told[first:])

    def _end(self, ending: Ending) -> None:
        """Where there is a journal, a dialog is over when that is durable; one that was cut short is not over."""
        scope, dialog, past = self.scope, self.dialog, self._past
        is_cut_short = ending.reason == "cancelled" and not self._is_called_off
        is_cut_short |= ending.reason == "budget" and self._simulation.is_out_of_money
        if is_cut_short:
            self._goes_on_later()
        elif past is not None and past.digest is not None and ending.detail != ReplayDiverged.__name__:
            # What broke off then had not come to its own end, though it might come to one now.
            close(dialog, ending if past.broke_off is None else _ending_by(past.broke_off), scope.log)
            if dialog.digest() != past.digest:
                close(dialog, _ending_by(ReplayDiverged(self.id)), scope.log)
            ending = dialog.ending or ending
        close(dialog, ending, scope.log)
        record = scope.keep(DialogEnded(ending.reason, ending.detail, ending.error))
        if scope.diary is None:
            self._hand_out(record)
        else:
            scope.diary.end(ending.reason, dialog.digest())
            scope.diary.when_durable(lambda: self._hand_out(record))

    def _goes_on_later(self) -> None:
        if self.scope.diary is not None:
            self._simulation.cut_short.add(self.id)
            self.scope.diary = None

    def _hand_out(self, record: Record[Fact]) -> None:
        if self.id in self._simulation.cut_short:
            self.scope.tell_now(record)  # what was said before may not be durable; it is told when the dialog goes on
        else:
            self.scope.tell_rest()
        self.scope.close()
        self._simulation.ended(self)
        if self.on_end is not None:
            self.on_end(self.dialog)

    def _take(self, fact: Fact) -> None:
        take_down(self.dialog, fact)
        if type(fact) is Uttered:
            self._simulation.turns += 1
            self._heard.clear()
            self._told.clear()
            self._settled = _NOTHING
            if self._views:
                for listener, view in self._views.items():
                    view.turns.append(as_heard(self.dialog.turns[-1], listener))
        elif type(fact) is FlawFound:
            self._simulation.flaws[fact.flaw] += 1
        elif type(fact) is Generated:
            self._heard.clear()
            self._told.clear()
            self._settled = _NOTHING
        elif type(fact) is SpeakerChosen:
            self._heard.clear()  # whoever was chosen may try the turn again without another choice

    def __repr__(self) -> str:
        return f"<Performance {self.number} of {self.dialog.id}, {len(self.dialog)} turns>"


async def _at_once(completion: Completion) -> Completion:
    return completion


def _ending_by(error: BaseException | DialogEnded) -> Ending:
    if isinstance(error, BudgetSpent):
        return Ending(reason="budget", detail=error.cap)
    if isinstance(error, EndRecorded | DialogEnded):
        return Ending.model_validate({"reason": error.reason, "detail": error.detail, "error": error.error})
    return Ending(reason="failed", detail=type(error).__name__, error=str(error) or type(error).__name__)
