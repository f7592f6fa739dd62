"""Where the run of a journal stands, read from the file alone, also while the run goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..digest import DatasetDigest
from .entry import REPLY, Entry
from .file import DialogRow, JournalFile
from .lock import JournalLock
from .tally import Tally

__all__ = ["LiveDialog", "Standing", "State", "contents"]

State = Literal["running", "killed", "stopped", "spent", "complete"]
_LOOKS_BACK = 200_000  # entries; a dialog that has none among so many has been silent for very long
_CHUNK = 4096
_RECENT_S = 60.0


@dataclass(frozen=True, slots=True)
class LiveDialog:
    """A dialog that has begun and is not over. `silent_since` is Unix seconds, None for longer than was looked back."""

    number: int
    id: str
    waits_for: str
    silent_since: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """state: "killed" is a session that has not ended well, "stopped" one that has, before all was played, "spent" one
    that the budget has ended.

    planned: how many dialogs there are to be, None when that is open. failed: by kind, with how many and one error in
    words. live: who has been silent longest first. turns_per_s: over the last minute that something happened in.
    digest: of all dialogs that are over.
    """

    state: State
    holder: str | None
    config: Mapping[str, Any]
    tally: Tally
    planned: int | None
    failed: Mapping[str, tuple[int, str]]
    live: tuple[LiveDialog, ...]
    turns_per_s: float
    digest: str
    damage: str | None

    @property
    def left(self) -> int | None:
        """How many dialogs are still to be finished, None when that is open."""
        return None if self.planned is None else self.planned - self.tally.over

    @classmethod
    def of(cls, path: Path) -> Standing:
        """Raises `JournalInvalid`."""
        holder = JournalLock.holder(path)
        with closing(JournalFile.read(path)) as file, file.snapshot():
            return _read(file, holder)


def contents(path: Path) -> list[tuple[str, str]]:
    """Id and digest of each dialog that is over, by number. Raises `JournalInvalid`."""
    with closing(JournalFile.read(path)) as file:
        return [(row.id, row.digest or "") for row in file.dialogs() if row.reason is not None]


def _read(file: JournalFile, holder: str | None) -> Standing:
    tally, digest = file.tally(), DatasetDigest()
    failed: dict[str, tuple[int, str]] = {}
    live: dict[int, DialogRow] = {}
    for row in file.dialogs():
        if row.reason is None:
            live[row.number] = row
        if row.digest is not None:
            digest.add_digest(row.digest)
        if row.reason == "failed" and row.last is not None:
            (last,) = file.entries(row.last, row.last)
            ending = {"detail": "", "error": "", **last.content()}
            count, error = failed.get(ending["detail"], (0, ending["error"] or ""))
            failed[ending["detail"]] = (count + 1, error)
    is_complete = tally.total is not None and tally.over >= tally.total
    state: State = "running" if holder else "complete" if is_complete else _end_of_session(tally)
    return Standing(
        state=state,
        holder=holder,
        config=file.config(),
        tally=tally,
        planned=tally.total,
        failed=dict(sorted(failed.items(), key=lambda item: -item[1][0])),
        live=tuple(sorted(_live(file, live, tally), key=lambda dialog: dialog.silent_since or 0.0)),
        turns_per_s=_recent_rate(file, tally),
        digest=digest.hexdigest(),
        damage=file.damage,
    )


def _end_of_session(tally: Tally) -> State:
    if not tally.is_closed:
        return "killed"
    return "spent" if tally.budget_end else "stopped"


def _live(file: JournalFile, rows: Mapping[int, DialogRow], tally: Tally) -> Iterator[LiveDialog]:
    """Looks back for the last that was heard of each."""
    silent, retried = dict(rows), dict[str, Entry]()
    for entry in _backwards(file, tally.entries):
        if not silent:
            break
        if entry.kind == "CallRetried":
            retried.setdefault(str(entry.content()["dialog"]), entry)
        row = silent.pop(entry.dialog, None)
        if row is not None:
            yield LiveDialog(row.number, row.id, _wait(entry, retried.get(row.id)), entry.time)
    for row in silent.values():
        last = retried.get(row.id)
        yield LiveDialog(row.number, row.id, "a reply" if last is None else _wait(last, last), None)


def _backwards(file: JournalFile, last: int) -> Iterator[Entry]:
    first_of_all = max(1, last - _LOOKS_BACK + 1)
    while last >= first_of_all:
        first = max(first_of_all, last - _CHUNK + 1)
        yield from reversed(list(file.entries(first, last)))
        last = first - 1


def _wait(entry: Entry, retried: Entry | None) -> str:
    if retried is not None:
        content = retried.content()
        return f"a reply; try {content['attempt']} failed: {content['error']}"
    content = entry.content()
    if entry.kind == REPLY:
        tools = ", ".join(tool[1] for tool in content.get("tool_calls", ()))
        return f"a tool: {tools}" if tools else "its turn to be taken up"
    if entry.kind == "Uttered":
        return f"a reply to what {content['agent']} said"
    return "a reply"


def _recent_rate(file: JournalFile, tally: Tally) -> float:
    """Turns a second."""
    counts: Counter[str] = Counter()
    oldest = tally.time
    for entry in _backwards(file, tally.entries):
        if entry.time < tally.time - _RECENT_S:
            break
        counts[entry.kind] += 1
        oldest = min(oldest, entry.time)
    return counts["Uttered"] / max(tally.time - oldest, 1.0)
