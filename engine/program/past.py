"""What a dialog has behind it when it is taken up again: its facts, and answers that need not be asked for twice."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Self

from ..budget.amount import NOTHING, Amount
from ..completion import Completion, CompletionRequest, Usage
from ..errors import EndRecorded, ReplayDiverged
from ..journal.entry import ANSWER, REPLY, Entry, completion_of, encoded_reply, fact_of
from ..journal.file import DialogRow
from ..log import logger
from ..messages import DialogEnded, EndMarked, Fact, Forked, Generated, Record, SpeakerChosen, Uttered

__all__ = ["GIVEN_UP", "Past", "content_of", "key_of"]

GIVEN_UP = "turn given up"  # the key under which a journal has the number of the first call after that
_BROKEN_OFF = ("failed", "cancelled", "budget")


@dataclass(slots=True)
class Past:
    """Where a dialog stands.

    records: its facts so far. calls: how many model replies went into them. spent: what all replies cost.
    replies, answers: of its unfinished turn, in the order in which they were asked for.
    is_all: no model or tool is to be asked for what is not among them; else whatever no longer fits is dropped.
    broke_off: how the dialog ended, if it ended otherwise than by its own rules; for replays.
    row: its row in the journal that it goes on in.
    digest: what the dialog must come to; None when that is open.
    told: how many of the records the subscribers of this session have been told.
    """

    records: list[Record[Fact]] = field(default_factory=list)
    calls: int = 0
    spent: Amount = NOTHING
    replies: deque[dict[str, Any]] = field(default_factory=deque)
    answers: deque[dict[str, Any]] = field(default_factory=deque)
    is_all: bool = False
    broke_off: DialogEnded | None = None
    row: DialogRow | None = None
    digest: str | None = None
    told: int = 0

    @classmethod
    def of(cls, entries: Iterable[Entry], run: str, dialog: str, row: DialogRow | None = None) -> Self:
        """Out of a dialog's entries: a turn that was not finished has left answers only, a failure no ending."""
        reader = _Reader(run, dialog)
        for entry in entries:
            reader.take(entry)
        records = [record for record in reader.records if not isinstance(record.fact, DialogEnded)]
        return cls(records, reader.calls, reader.spent, deque(reader.replies), deque(reader.answers), row=row)

    @classmethod
    def to_replay(cls, entries: Iterable[Entry], run: str, row: DialogRow) -> Self:
        """All answers that led to what a dialog became; of its facts only those that it began with as a fork."""
        reader = _Reader(run, row.id)
        for entry in entries:
            reader.take(entry)
        inherited = reader.records[: reader.inherited]
        past = cls(
            inherited,
            reader.first_call,
            replies=deque(reader.heard),
            answers=deque(reader.told),
            is_all=True,
            digest=row.digest,
        )
        last = reader.records[-1].fact if reader.records else None
        if isinstance(last, DialogEnded) and last.reason in _BROKEN_OFF:
            past.broke_off = last
        return past

    @property
    def parent(self) -> str | None:
        """The dialog that this one was forked from."""
        return next((record.fact.parent for record in self.records if isinstance(record.fact, Forked)), None)

    @property
    def next_call(self) -> int:
        """The number of the next call that there is an answer to, 0 when there is none."""
        call: int = self.replies[0]["call"] if self.replies else 0
        return call

    def reply(self, request: CompletionRequest) -> Completion | None:
        """The reply that the journal holds to this request. Raises `ReplayDiverged` when it has to, and does not.

        A replay takes the replies as they come, so that a prompt may be worded in another way than it was: what the
        dialog comes to decides.
        """
        known = self.replies.popleft() if self.replies else None
        if known is not None and known["call"] == request.sequence and (self.is_all or known["key"] == key_of(request)):
            return completion_of(known)
        self._diverged(request.dialog, request.sequence, known)
        return None

    def answer(self, dialog: str, key: str) -> str | None:
        """As `reply`, for what was asked of anything else."""
        known = self.answers.popleft() if self.answers else None
        if known is not None and known["key"] == key:
            return str(known["text"])
        self._diverged(dialog, self.next_call, known)
        return None

    def was_given_up(self, before: str) -> bool:
        """Whether the turn that begins now came to nothing when it was played; then what it was answered is dropped.

        `before`: the key of what comes after it.
        """
        for place, known in enumerate(self.answers):
            if known["key"] == before:
                return False
            if known["key"] == GIVEN_UP:
                for _ in range(place + 1):
                    self.answers.popleft()
                while self.replies and self.replies[0]["call"] < int(known["text"]):
                    self.replies.popleft()
                return True
        return False

    def _diverged(self, dialog: str, call: int, known: object) -> None:
        if self.broke_off is not None and known is None:
            raise EndRecorded(self.broke_off.reason, self.broke_off.detail, self.broke_off.error)
        if self.is_all:
            raise ReplayDiverged(dialog, call)
        if known is not None:
            logger().warning("journal.diverged", dialog=dialog, call=call)
        self.replies.clear()
        self.answers.clear()


class _Reader:
    """Takes a dialog's entries in order. `replies` and `answers` are those of the turn that is not finished yet."""

    def __init__(self, run: str, dialog: str) -> None:
        self.records: list[Record[Fact]] = []
        self.calls = 0
        self.spent = NOTHING
        self.replies: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.heard: list[dict[str, Any]] = []  # those of all finished turns
        self.told: list[dict[str, Any]] = []
        self.inherited = self.first_call = 0
        self._run = run
        self._dialog = dialog

    def take(self, entry: Entry) -> None:
        try:
            self._take(entry, entry.content())
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise entry.not_understood(error) from error

    def _take(self, entry: Entry, content: dict[str, Any]) -> None:
        if entry.kind == REPLY:
            self.replies.append(content)
            if not content.get("cached"):
                self.spent += Amount(1, Usage(*content["usage"]).total_tokens, content.get("cost") or 0)
        elif entry.kind == ANSWER:
            self.answers.append(content)
        else:
            self._take_fact(entry.time, fact_of(entry.kind, content))

    def _take_fact(self, time: float, fact: Fact) -> None:
        self.records.append(Record(self._run, self._dialog, len(self.records), time, fact))
        match fact:
            case Uttered() | Generated() | EndMarked() | SpeakerChosen():
                self.heard += self.replies
                self.told += self.answers
                self._forget()
            case DialogEnded():
                if fact.reason not in _BROKEN_OFF:  # what was asked at the end, when the last turn was over
                    self.heard += self.replies
                    self.told += self.answers
                self._forget()  # of a turn that failed nothing is used, should the dialog be taken up again
            case Forked():
                self.calls = self.first_call = fact.turn
                self.inherited = len(self.records)

    def _forget(self) -> None:
        if self.replies:
            self.calls = self.replies[-1]["call"] + 1
        self.replies.clear()
        self.answers.clear()


def content_of(request: CompletionRequest, completion: Completion) -> dict[str, Any]:
    """A reply as the journal's log has it."""
    content: dict[str, Any] = json.loads(encoded_reply(request.sequence, key_of(request), completion))
    return content


def key_of(request: CompletionRequest) -> str:
    """What is asked, as 16 hexadecimal digits. Which try it is, and of which run, does not count."""
    parts = [repr(request.parameters), repr((request.model, request.seed, request.think))]
    for message in request.messages:
        parts += (message.role, message.text)
        if message.tool_calls or message.tool_call_id:
            parts.append(repr((message.tool_calls, message.tool_call_id)))
    if request.tools or request.response_schema is not None:
        parts.append(repr((request.tools, request.response_schema)))
    return blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
