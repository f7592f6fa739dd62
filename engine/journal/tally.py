"""What a journal's log holds, in numbers; kept with each transaction, so that nobody needs to read it all to know."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Self

from ..budget.amount import NOTHING, Amount
from ..completion import Usage
from .entry import REPLY, Entry

if TYPE_CHECKING:
    from .file import DialogRow

__all__ = ["Tally"]


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts over the whole life of a run, over all its sessions.

    ended: dialogs by the reason of their ending. flaws: what was wrong with replies, by kind.
    total: how many dialogs are to be played, None when that is open.
    picodollars: what the replies cost, in 1e-12 US dollars.
    unpriced: how many replies are not in that, since no price was known.
    reserved: what the calls under way may cost at most, by calls, tokens, picodollars; written before they are sent.
    lost: what those may have cost, counted likewise, whose reply never came: given up, cut off, or under way at a kill.
    budget_end: how the run's budget ended the last session, in words; empty if it did not.
    seconds: how long the sessions lasted. sessions: how often the run was begun or resumed; the last of them is going
    on, or was killed, unless `is_closed`. time: of the last entry.
    """

    entries: int = 0
    dialogs: int = 0
    scenarios: int = 0
    planned: int = 0
    total: int | None = None
    ended: Counter[str] = field(default_factory=Counter)
    turns: int = 0
    flaws: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    picodollars: int = 0
    unpriced: int = 0
    reserved: Amount = NOTHING
    lost: Amount = NOTHING
    budget_end: str = ""
    seconds: float = 0.0
    sessions: int = 0
    is_closed: bool = True
    time: float = 0.0

    def add(self, entry: Entry) -> None:
        """Counts an entry that comes into the log."""
        self.entries += 1
        if entry.kind == REPLY:
            content = entry.content()
            if not content.get("cached"):
                self.add_reply(Usage(*content["usage"]), content.get("cost", 0))
        elif entry.kind == "Uttered":
            self.turns += 1
        elif entry.kind == "FlawFound":
            self.flaws[str(entry.content().get("flaw"))] += 1

    def add_reply(self, usage: Usage, picodollars: int | None) -> None:
        self.calls += 1
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.cached_tokens += usage.cached_tokens
        if picodollars is None:
            self.unpriced += 1
        else:
            self.picodollars += picodollars

    @property
    def has_begun(self) -> bool:
        """Whether there is anything that a session before has planned or done."""
        return self.total is not None or bool(self.entries or self.planned or self.dialogs)

    @property
    def over(self) -> int:
        """How many dialogs are."""
        return sum(self.ended.values())

    @property
    def spent(self) -> Amount:
        """At the most: what was paid for replies, and what may have been for nothing."""
        paid = Amount(self.calls, self.prompt_tokens + self.completion_tokens, self.picodollars)
        return paid + self.lost

    def begin_session(self) -> None:
        """What was under way when the session before was killed may have been paid for."""
        self.lost += self.reserved
        self.reserved = NOTHING
        self.budget_end = ""
        self.sessions += 1
        self.is_closed = False

    def to_json(self) -> str:
        # Not by `asdict`: before Python 3.12 it makes a Counter of pairs out of a Counter.
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        if not self.flaws:
            del content["flaws"]
        return json.dumps(content, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        content = json.loads(text)
        amounts = {name: Amount(*content[name]) for name in ("reserved", "lost")}
        return cls(**content | amounts | {name: Counter(content.get(name, ())) for name in ("ended", "flaws")})

    @classmethod
    def of(cls, entries: Iterable[Entry], dialogs: Iterable[DialogRow], scenarios: int, planned: int) -> Self:
        """Counts all there is."""
        tally = cls(scenarios=scenarios, planned=planned)
        for entry in entries:
            tally.add(entry)
        for dialog in dialogs:
            tally.dialogs += 1
            if dialog.reason is not None:
                tally.ended[dialog.reason] += 1
        return tally

    def agrees_with(self, other: Tally) -> bool:
        """Whether both count the same log; how long it took and how often it was resumed is in no entry."""
        uncounted = ("total", "reserved", "lost", "budget_end", "seconds", "sessions", "is_closed", "time")
        same = {name: getattr(other, name) for name in uncounted}
        return replace(self, **same, ended=+self.ended) == replace(other, ended=+other.ended)
