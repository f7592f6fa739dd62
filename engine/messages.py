"""What actors say to each other: requests that name their reply type, and facts, which are told to all who care.

A fact is a plain value; published, it becomes a `Record`: the fact with its run, dialog, place in the dialog and time.
The facts of a dialog, in order, are all there is to know of it: every actor's state in it is a fold over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .completion import Usage
from .quick import quick
from .said import SPEECH, Said

__all__ = [
    "Request",
    "Fact",
    "Record",
    "DialogStarted",
    "Consulted",
    "Noted",
    "Instructed",
    "Thought",
    "ReplyRejected",
    "ReplyRepaired",
    "ToolCalled",
    "ToolReturned",
    "ToolsWithheld",
    "FlawFound",
    "Uttered",
    "SpeakerChosen",
    "Generated",
    "Carried",
    "EndMarked",
    "Forked",
    "DialogEnded",
    "CallRetried",
    "PaceSlowed",
    "CircuitOpened",
    "CircuitClosed",
    "ActorFailed",
    "DeadLetter",
]

R = TypeVar("R")
SPARSE: Mapping[str, object] = {"sparse": True}  # of a field that a journal leaves out where it is at its default


class Request(Generic[R]):
    """A message that is answered with an `R`: `await bus.ask(ref, request)` has that type."""

    __slots__ = ()


class Fact:
    """Something that happened; never changes."""

    __slots__ = ()


F = TypeVar("F", bound=Fact, covariant=True)


@quick
@dataclass(frozen=True, slots=True)
class Record(Generic[F]):
    """A fact and where it stands: `sequence` counts the facts of one dialog from 0, `time` is Unix seconds.

    `dialog` is empty for facts of the run itself, whose sequence is 0.
    """

    run: str
    dialog: str
    sequence: int
    time: float
    fact: F


@dataclass(frozen=True, slots=True)
class DialogStarted(Fact):
    """The dialog is live."""

    cast: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Consulted(Fact):
    """An orchestrator asked a model, or something outside, and was answered; `key` says what it asked.

    by: the orchestrator, as no other of the same agent is called; "" where the agent's partner looked ahead.
    usage: what all model calls for it cost, which is in no `Uttered`.
    """

    agent: str
    by: str
    key: str
    text: str
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Noted(Fact):
    """An orchestrator has something to tell of the dialog, beside its advice to `agent`; `content` is plain JSON."""

    agent: str
    by: str
    action: str
    label: str | None
    content: object


@quick
@dataclass(frozen=True, slots=True)
class Instructed(Fact):
    """An orchestrator advised an agent: for one reply, or for the rest of the dialog."""

    agent: str
    label: str
    text: str
    persistent: bool = False


@dataclass(frozen=True, slots=True)
class Thought(Fact):
    """An agent reasoned where the others do not hear it."""

    agent: str
    text: str


@dataclass(frozen=True, slots=True)
class ReplyRejected(Fact):
    """A reply did not have the form that was asked for, so its model was asked again and told the problem."""

    agent: str
    text: str
    problem: str


@dataclass(frozen=True, slots=True)
class ReplyRepaired(Fact):
    """A reply had more or less around it than was asked for, such as a code fence; `text` is how it came."""

    agent: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolCalled(Fact):
    """An agent's model asked for a tool."""

    agent: str
    name: str
    arguments: Mapping[str, object]
    call_id: str


@dataclass(frozen=True, slots=True)
class ToolReturned(Fact):
    """A tool answered, or failed: then `output` is the error's text, as the model reads it."""

    agent: str
    name: str
    output: str
    call_id: str


@dataclass(frozen=True, slots=True)
class ToolsWithheld(Fact):
    """An agent's model asked for tools in so many replies of one turn that it is offered none for the rest of it."""

    agent: str
    rounds: int


@dataclass(frozen=True, slots=True)
class FlawFound(Fact):
    """A reply has a flaw that is seen without a model, such as "echo"; `evidence` are the words that show it.

    `outcome` is what came of it: "recorded", "ended", or "retried"; then `reply` was not said, and asked for again.
    """

    agent: str
    flaw: str
    evidence: str
    outcome: str = "recorded"
    reply: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Uttered(Fact):
    """An agent said something; the turn is over. `usage` sums all model calls that its words took.

    `text` is for those in `heard_by`, which None says are all. Where a turn is more than one such text, `parts` is all
    of it, in order, and `text` a part of that.
    """

    agent: str
    text: str
    usage: Usage = Usage()
    heard_by: tuple[str, ...] | None = field(default=None, metadata=SPARSE)
    parts: tuple[Said, ...] = field(default=(), metadata=SPARSE)

    @property
    def is_plain(self) -> bool:
        """Whether all hear all of it, and it is nothing but speech."""
        return self.heard_by is None and not self.parts

    @property
    def all_parts(self) -> tuple[Said, ...]:
        return self.parts or (Said(SPEECH, self.text, self.heard_by),)


@dataclass(frozen=True, slots=True)
class SpeakerChosen(Fact):
    """A model chose who speaks next, for `by`; `agent` is empty where nobody is to speak any more."""

    agent: str
    by: str
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Generated(Fact):
    """A generator's actor made something other than a dialog, such as a persona: its fields, or the text as it came.

    `agent` says what it is, as "Doctor" does. `usage` sums all model calls that it took.
    """

    agent: str
    content: Mapping[str, object] | str
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Carried(Fact):
    """A row of events of an earlier dialog that this one is made from; `timestamp` is that row's."""

    agent: str | None
    action: str
    label: str | None
    content: object
    timestamp: int


@dataclass(frozen=True, slots=True)
class EndMarked(Fact):
    """An agent means the dialog to end here, and was allowed to."""

    agent: str


@dataclass(frozen=True, slots=True)
class Forked(Fact):
    """What the dialog has behind it are the first turns of another; it goes its own way from here."""

    parent: str
    turn: int


@dataclass(frozen=True, slots=True)
class DialogEnded(Fact):
    """The last fact of every dialog; `reason` as in `Ending`."""

    reason: str
    detail: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CallRetried(Fact):
    """A model call failed and goes back into the queue, not before `wait_s` from now. `attempt` counts from 1."""

    dialog: str
    backend: str
    error: str
    attempt: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class PaceSlowed(Fact):
    """A backend refused calls, so fewer are sent to it at once, and none for so long; `in_flight` None is no limit."""

    backend: str
    in_flight: int | None
    pause_s: float


@dataclass(frozen=True, slots=True)
class CircuitOpened(Fact):
    """A backend is down; its calls wait."""

    backend: str
    error: str


@dataclass(frozen=True, slots=True)
class CircuitClosed(Fact):
    """A backend that was down is back."""

    backend: str
    open_s: float


@dataclass(frozen=True, slots=True)
class ActorFailed(Fact):
    """A handler raised; `decision` is what its supervision made of it."""

    actor: str
    error: str
    decision: str


@dataclass(frozen=True, slots=True)
class DeadLetter(Fact):
    """A message that was told and could not be delivered."""

    actor: str
    message: str
