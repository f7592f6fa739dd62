"""What the world outside has seen of a run: what a lossless subscriber was told and which dialogs were handed out."""

from __future__ import annotations

from collections import defaultdict

from ..dialog import Dialog
from ..messages import DialogEnded, Fact, Record
from ..subscription import Subscription
from .world import World

__all__ = ["Taken", "Witness"]

Taken = tuple[str, str]  # the reason of a dialog's ending, and its digest


class Witness:
    """Checks as it goes what can be seen from outside.

    told, taken_now, gaps: of the session that is going on, by the dialog's number; gaps are such before the ending.
    cut_short: dialogs of which the run says that they ended with the session only.
    taken: dialogs that are over for good.
    """

    def __init__(self, world: World, *, is_ordered: bool) -> None:
        self.told: dict[int, list[Fact]] = {}
        self.taken: dict[int, Taken] = {}
        self.taken_now: dict[int, Taken] = {}
        self.dialogs: dict[int, Dialog] = {}
        self.gaps: dict[int, str] = {}
        self.cut_short: set[int] = set()
        self._world = world
        self._is_ordered = is_ordered
        self._known: dict[int, list[Fact]] = defaultdict(list)  # the longest that was ever told

    def begin_session(self) -> None:
        self._remember()
        self.told = defaultdict(list)
        self.taken_now = {}
        self.gaps = {}
        self.cut_short = set()

    async def read(self, events: Subscription) -> None:
        """Reads until the stream ends or the process is dead."""
        async for record in events:
            if self._world.is_dead:
                return
            if record.dialog:
                self.hear(record)

    def hear(self, record: Record[Fact]) -> None:
        world, number = self._world, self._world.numbers.get(record.dialog, -1)
        facts, fact = self.told[number], record.fact
        what = f"{type(fact).__name__} of dialog {number}"
        world.tell("told", number, record.sequence, type(fact).__name__)
        if facts and isinstance(facts[-1], DialogEnded):
            world.breaks("DialogEnded is told once and last", f"{what} was told after the dialog had ended")
        if record.sequence != len(facts):
            message = f"{what} has sequence {record.sequence} and was told as number {len(facts)}"
            if isinstance(fact, DialogEnded) and record.sequence > len(facts):
                self.gaps[number] = message  # allowed where the dialog ends with its session only
            else:
                world.breaks("what is told is in order and complete", message)
        known = [] if number in self.gaps else self._known[number]
        if len(facts) < len(known) and known[len(facts)] != fact and not isinstance(known[len(facts)], DialogEnded):
            message = f"{what} is told as {fact}; before the run was resumed it was {known[len(facts)]}"
            world.breaks("what was told stays true", message)
        facts.append(fact)

    def take(self, dialog: Dialog) -> None:
        world, number = self._world, self._world.numbers.get(str(dialog.id), -1)
        reason = "none" if dialog.ending is None else dialog.ending.reason
        world.tell("taken", number, reason, f"{len(dialog)} turns")
        if number in self.taken or number in self.taken_now:
            world.breaks("a dialog is handed out once", f"dialog {number} was handed out a second time")
        if self._is_ordered and any(number < other for other in self.taken_now):
            message = f"dialog {number} was handed out after {max(self.taken_now)}, in a run that is ordered"
            world.breaks("an ordered run keeps the order", message)
        if dialog.ending is not None and dialog.ending.failed and not (dialog.ending.detail and dialog.ending.error):
            world.breaks("a failed dialog says why", f"dialog {number} failed without a word")
        self.taken_now[number] = (reason, dialog.digest())
        self.dialogs[number] = dialog

    def _remember(self) -> None:
        for number, facts in self.told.items():
            if len(facts) > len(self._known[number]):
                self._known[number] = facts
