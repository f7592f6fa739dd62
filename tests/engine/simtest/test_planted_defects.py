"""Defects that are planted into the engine one at a time: simulation testing finds each, within so many seeds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playact.actors import player
from playact.actors.trial_file import trial_in
from playact.engine import dispatcher
from playact.engine.admission import Admission
from playact.engine.alarm import Alarm
from playact.engine.budget.amount import NOTHING
from playact.engine.budget.purse import Purse
from playact.engine.budget.till import Hold, Till
from playact.engine.completion import Usage
from playact.engine.journal import Diary, Journal, JournalLock
from playact.engine.journal import file as journal_file
from playact.engine.journal.rows import Batch
from playact.engine.pace import Pacer
from playact.engine.program import past
from playact.engine.program.earlier import Earlier
from playact.engine.rate import Rate
from playact.engine.run import Run
from playact.engine.scheduler import Lane, Scheduler
from playact.engine.scope import Scope

SUBJECT = Path(__file__).with_name("subject.py")

Patch = pytest.MonkeyPatch
SEEDS = 120  # within which each must be found; most are in the first ten


def durable_at_once(patch: Patch) -> None:
    async def durable(journal: Journal, said: int) -> None:
        """Says yes to whoever asks whether it is durable."""

    patch.setattr(Journal, "durable", durable)


def acknowledged_before_the_commit(patch: Patch) -> None:
    commit = Journal._commit

    async def hasty(journal: Any) -> None:
        journal._durable = journal._said
        journal._acknowledge()
        await commit(journal)

    patch.setattr(Journal, "_commit", hasty)


def handed_out_before_it_is_durable(patch: Patch) -> None:
    patch.setattr(Diary, "when_durable", lambda diary, then: then())


def failed_commit_forgotten(patch: Patch) -> None:
    patch.setattr(Journal, "_fail", lambda journal, error: None)


def entry_dropped(patch: Patch) -> None:
    append = Journal.append

    def forgetful(journal: Any, *entry: Any) -> int:
        said = append(journal, *entry)
        if journal.tally.entries % 17 == 0:
            journal._batch.entries.pop()
        return said

    patch.setattr(Journal, "append", forgetful)


def commit_in_pieces(patch: Patch) -> None:
    put = journal_file._put

    def in_pieces(database: Any, batch: Any) -> None:
        if batch.entries:
            put(database, Batch(entries=batch.entries))
            database.execute("COMMIT")
            database.execute("BEGIN")
            batch.entries = []
        put(database, batch)

    patch.setattr(journal_file, "_put", in_pieces)


def reply_kept_twice(patch: Patch) -> None:
    add = Diary.add_reply

    def twice(diary: Diary, *reply: Any) -> None:
        add(diary, *reply)
        add(diary, *reply)

    patch.setattr(Diary, "add_reply", twice)


def lock_never_released(patch: Patch) -> None:
    patch.setattr(JournalLock, "release", lambda lock: None)


def wrong_call_number_on_resume(patch: Patch) -> None:
    def forget(reader: Any) -> None:
        if reader.replies:
            reader.calls = reader.replies[-1]["call"] + 2
        reader.replies.clear()
        reader.answers.clear()

    patch.setattr(past._Reader, "_forget", forget)


def unfinished_dialog_forgotten_on_resume(patch: Patch) -> None:
    patch.setattr(Earlier, "is_left", lambda earlier, number: number >= earlier.begun)
    patch.setattr(Earlier, "numbers", lambda earlier, planned: iter(range(earlier.begun, planned)))


def replies_of_an_unfinished_turn_forgotten_on_resume(patch: Patch) -> None:
    patch.setattr(past.Past, "reply", lambda known, request: None)


def tool_called_again_on_resume(patch: Patch) -> None:
    patch.setattr(past.Past, "answer", lambda known, dialog, key: None)


def settled_twice(patch: Patch) -> None:
    settle = Purse.settle

    def twice(purse: Purse, *amounts: Any) -> None:
        settle(purse, *amounts)
        settle(purse, *amounts)

    patch.setattr(Purse, "settle", twice)


def settlement_forgotten(patch: Patch) -> None:
    patch.setattr(Till, "settle", lambda till, *call, **how: None)


def retry_without_reservation(patch: Patch) -> None:
    hold = Till.hold

    async def careless(till: Any, backend: Any, request: Any, *dialog: Any) -> Hold:
        if request.attempt == 0:
            return await hold(till, backend, request, *dialog)
        return Hold(till.purse.check(backend.name), Usage(), NOTHING, NOTHING)

    patch.setattr(Till, "hold", careless)


def budget_never_asked(patch: Patch) -> None:
    def may_go(purse: Purse, amount: Any, dialog: Any) -> bool:
        purse.account.reserve(amount)
        if dialog is not None:
            dialog.reserve(amount)
        return True

    patch.setattr(Purse, "may_go", may_go)


def cost_of_lost_calls_forgotten(patch: Patch) -> None:
    settle = Till.settle

    def forgiving(till: Any, backend: Any, hold: Hold, *more: Any, **how: Any) -> None:
        if hold.noted == NOTHING:
            hold.cost_nothing()
        settle(till, backend, hold, *more, **how)

    patch.setattr(Till, "settle", forgiving)


def facts_told_in_reverse(patch: Patch) -> None:
    async def publish(scope: Scope, *facts: Any, publisher: Any = None) -> None:
        records = [scope.keep(fact) for fact in facts]
        if scope.diary is not None:
            await scope.diary.durable()
        for record in reversed(records):
            await scope.tell(record, publisher)

    patch.setattr(Scope, "publish", publish)


def facts_of_a_cancelled_dialog_dropped(patch: Patch) -> None:
    patch.setattr(Scope, "tell_rest", lambda scope: scope.tell_now(scope.log[-1]))


def ending_told_twice(patch: Patch) -> None:
    tell_rest = Scope.tell_rest

    def twice(scope: Scope) -> None:
        tell_rest(scope)
        scope.tell_now(scope.log[-1])

    patch.setattr(Scope, "tell_rest", twice)


def ending_never_told(patch: Patch) -> None:
    patch.setattr(Scope, "tell_rest", lambda scope: None)


def task_left_behind(patch: Patch) -> None:
    conduct = Run._conduct

    async def careless(run: Any, *pieces: Any) -> None:
        run.left = asyncio.get_running_loop().create_task(asyncio.sleep(3600))
        await conduct(run, *pieces)

    patch.setattr(Run, "_conduct", careless)


def order_not_kept(patch: Patch) -> None:
    patch.setattr(Run, "_take_in_order", lambda run, place, dialog: run._take(dialog))


def place_in_the_lane_kept(patch: Patch) -> None:
    leave = Lane.leave

    def sometimes(lane: Lane, *call: Any) -> Any:
        lane.in_flight += lane.in_flight == 2
        return leave(lane, *call)

    patch.setattr(Lane, "leave", sometimes)


def too_many_calls_in_flight(patch: Patch) -> None:
    patch.setattr(Lane, "has_room", True)


def paced_call_lost_when_another_is_given_up(patch: Patch) -> None:
    async def wait(calls: Any, lane: Lane, call: Any) -> None:
        """Passes nothing on when its asker is cancelled, and takes nothing back."""
        waiter = calls._waiting[lane, call] = dispatcher._Waiter(calls._bus.promise())
        calls._set_alarm(lane)
        await waiter.turn

    patch.setattr(dispatcher.Dispatcher, "_wait", wait)


def alarm_never_set(patch: Patch) -> None:
    patch.setattr(Alarm, "set", lambda alarm, at: None)


def every_minute_begins_anew(patch: Patch) -> None:
    def lets(rate: Any, amount: int, now: float) -> bool:
        used: int = sum(entry.amount for entry in rate._log if entry.sent // 60 == now // 60)
        return bool(used + amount <= rate.limit)

    patch.setattr(Rate, "lets", lets)


def only_the_refused_call_stays_away(patch: Patch) -> None:
    patch.setattr(Pacer, "is_paused", False)
    patch.setattr(Pacer, "lets", lambda pacer, *call: True)


def too_many_dialogs_live(patch: Patch) -> None:
    def admit(scheduler: Scheduler) -> bool:
        scheduler.live += 1
        return True

    patch.setattr(Scheduler, "admit", admit)


def room_given_twice(patch: Patch) -> None:
    retire = Admission.retire

    def twice(admission: Admission) -> None:
        retire(admission)
        retire(admission)

    patch.setattr(Admission, "retire", twice)


def random_choice_from_a_shared_generator(patch: Patch) -> None:
    shared = random.Random(1)
    patch.setattr(player, "derive", lambda *names: shared.randrange(2**31))


DEFECTS: list[Callable[[Patch], None]] = [
    durable_at_once,
    acknowledged_before_the_commit,
    handed_out_before_it_is_durable,
    failed_commit_forgotten,
    entry_dropped,
    commit_in_pieces,
    reply_kept_twice,
    lock_never_released,
    wrong_call_number_on_resume,
    unfinished_dialog_forgotten_on_resume,
    replies_of_an_unfinished_turn_forgotten_on_resume,
    tool_called_again_on_resume,
    settled_twice,
    settlement_forgotten,
    retry_without_reservation,
    budget_never_asked,
    cost_of_lost_calls_forgotten,
    facts_told_in_reverse,
    facts_of_a_cancelled_dialog_dropped,
    ending_told_twice,
    ending_never_told,
    task_left_behind,
    order_not_kept,
    place_in_the_lane_kept,
    too_many_calls_in_flight,
    paced_call_lost_when_another_is_given_up,
    alarm_never_set,
    every_minute_begins_anew,
    only_the_refused_call_stays_away,
    too_many_dialogs_live,
    room_given_twice,
    random_choice_from_a_shared_generator,
]


@pytest.mark.parametrize("plant", DEFECTS, ids=lambda plant: plant.__name__)
def test_a_planted_defect_is_found(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    trial = trial_in(SUBJECT)
    plant(monkeypatch)

    found = next((verdict for seed in range(SEEDS) if not (verdict := trial.run(seed)).is_well), None)

    assert found is not None
    assert found.trace
    assert found.broken[0].message
