"""Lets dialogs in, first come first served, as long as there is room for one more that is live."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .promise import Promise
from .scheduler import Scheduler

__all__ = ["Admission"]


class Admission:
    """A dialog is live from its admission until `retire`."""

    def __init__(self, scheduler: Scheduler, promise: Callable[[], Promise]) -> None:
        self._scheduler = scheduler
        self._promise = promise
        self._waiting: deque[Promise] = deque()

    async def admit(self) -> None:
        """Waits for room for one more live dialog."""
        if self._waiting or not self._scheduler.admit():
            turn = self._promise()
            self._waiting.append(turn)
            try:
                await turn
            except BaseException:
                if not turn.cancelled():
                    self.retire()
                raise

    def retire(self) -> None:
        """A live dialog has been taken, or dropped: the first that waits is admitted in its place."""
        self._scheduler.retire()
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()  # it was cancelled
        if self._waiting and self._scheduler.admit():
            self._waiting.popleft().set_result(None)

    def readmit(self) -> None:
        """A dialog that was retired, and has not been taken, is to be taken after all: it is live, room or not."""
        self._scheduler.readmit()

    def __repr__(self) -> str:
        return f"<Admission {self._scheduler!r}, {len(self._waiting)} dialogs waiting>"
