"""What a journal holds, read as whoever looks at it from outside does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import JournalInvalid
from ..journal.entry import ANSWER, REPLY, Entry, fact_of
from ..journal.file import DialogRow, JournalFile
from ..journal.tally import Tally
from ..messages import DialogEnded, EndMarked, Fact, Uttered

__all__ = ["Chronicle", "Story"]


@dataclass(slots=True)
class Story:
    """One dialog as the journal has it. `doubled`: what is there more often than it may be, in words."""

    row: DialogRow
    facts: list[Fact] = field(default_factory=list)
    replies: dict[int, tuple[tuple[int, ...], int]] = field(default_factory=dict)  # by call: usage, cost
    doubled: list[str] = field(default_factory=list)
    _answers: set[str] = field(default_factory=set)

    def take(self, entry: Entry) -> None:
        content: dict[str, Any] = entry.content()
        if entry.kind == REPLY:
            if content["call"] in self.replies:
                self.doubled.append(f"the reply to call {content['call']}")
            self.replies[content["call"]] = (tuple(content["usage"]), content.get("cost", 0))
        elif entry.kind == ANSWER:
            if content["key"] in self._answers:
                self.doubled.append(f"the answer of the tool {content['key']}")
            self._answers.add(content["key"])
        else:
            fact = fact_of(entry.kind, content)
            if isinstance(fact, DialogEnded) and any(isinstance(other, DialogEnded) for other in self.facts):
                self.doubled.append("the ending")
            if isinstance(fact, Uttered | EndMarked | DialogEnded):
                self._answers.clear()  # the same tool may be asked the same thing in another turn
            self.facts.append(fact)


@dataclass(frozen=True, slots=True)
class Chronicle:
    """tally: as the file has it, and it agrees with what was counted anew."""

    tally: Tally
    stories: dict[int, Story]
    damage: str | None

    @classmethod
    def read(cls, path: Path) -> Chronicle:
        """Reads and checks everything; a journal that is not there holds nothing. Raises `JournalInvalid`."""
        if not path.exists():
            return cls(Tally(), {}, None)
        file = JournalFile.read(path)
        try:
            entries, rows, tally = list(file.entries(1)), list(file.dialogs()), file.tally()
            counted = Tally.of(entries, rows, len(file.scenarios()), len(file.plan()))
            if not counted.agrees_with(tally):  # as `verify` finds out, which would read everything once more
                raise JournalInvalid(str(path), "its tally does not agree with its log")
            stories = {row.number: Story(row) for row in rows}
            _tell(stories, entries)
            return cls(tally, stories, file.damage)
        finally:
            file.close()

    @property
    def replies(self) -> set[tuple[int, int]]:
        return {(number, call) for number, story in self.stories.items() for call in story.replies}


def _tell(stories: dict[int, Story], entries: Iterable[Entry]) -> None:
    by_dialog: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_dialog[entry.dialog].append(entry)
    for number, own in by_dialog.items():
        for entry in own if number in stories else ():
            stories[number].take(entry)
