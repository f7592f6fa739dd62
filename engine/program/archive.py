"""Reads finished dialogs out of a journal without playing them: their facts, folded once more, are all there is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from ..dialog import Dialog, Ending
from ..digest import DatasetDigest
from ..errors import CodeMissing, JournalInvalid
from ..journal.entry import ANSWER, REPLY, Entry
from ..journal.file import DialogRow, JournalFile
from ..minutes import close, take_down
from .own_prompts import versions_entry
from .past import Past
from .plan import Plan, scenario_of

__all__ = ["Kept", "dialogs_in", "digest_in", "kept_in", "timestamp_of"]

_READ_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """A dialog that is over: its row, the recipe that it was played from, and what the log holds of it."""

    row: DialogRow
    recipe: Mapping[str, Any]
    entries: Sequence[Entry]


def dialogs_in(
    path: str | Path, numbers: Container[int] | None = None, code: Sequence[object] = ()
) -> Iterator[Dialog]:
    """The dialogs that are over, by number, or just some of them; each is as the run handed it out.

    Code is needed only by classes of scenarios that say otherwise who takes part, where and why. Raises `CodeMissing`
    when that is so, and `JournalInvalid` for what is not as it was written.
    """
    path = Path(path)
    with closing(JournalFile.read(path)) as file:
        config = file.config()
        for kept in kept_in(file, numbers):
            yield _dialog(path, config, kept, code)


def digest_in(path: str | Path) -> str:
    """The digest of all dialogs that are over. Raises `JournalInvalid`."""
    digest = DatasetDigest()
    with closing(JournalFile.read(Path(path))) as file:
        for row in file.dialogs():
            if row.digest is not None:
                digest.add_digest(row.digest)
    return digest.hexdigest()


def kept_in(file: JournalFile, numbers: Container[int] | None = None) -> Iterator[Kept]:
    """The dialogs that are over, by number; a thousand are read at once, since the log tells of many at a time."""
    with file.snapshot():
        plan = Plan(file)
        rows = (row for row in file.dialogs() if row.last is not None and (numbers is None or row.number in numbers))
        while batch := list(islice(rows, _READ_AT_ONCE)):
            entries: dict[int, list[Entry]] = defaultdict(list)
            first, last = min(row.first for row in batch), max(row.last or 0 for row in batch)
            for entry in file.entries_of([row.number for row in batch], first, last):
                entries[entry.dialog].append(entry)
            recipes = plan.recipes(row.number for row in batch)
            for row in batch:
                yield Kept(row, recipes[row.number], entries[row.number])


def timestamp_of(time: float) -> str:
    """As a dialog has it; `time` is Unix seconds."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _dialog(path: Path, config: Mapping[str, Any], kept: Kept, code: Sequence[object]) -> Dialog:
    row = kept.row
    facts = [entry for entry in kept.entries if entry.kind not in (REPLY, ANSWER)]
    past = Past.of(facts, "", row.id)
    dialog = scenario_of(kept.recipe, code, plays=False).dialog(
        version=config["version"],
        timestamp=timestamp_of(facts[0].time),
        model={"name": config["model"]},
        seed=row.seed,
        id=row.id,
        **versions_entry(config.get("prompts") or {}),
    )
    dialog.parentId = dialog.parentId if past.parent is None else past.parent
    for record in past.records:
        take_down(dialog, record.fact)
    ended = facts[-1].content()
    close(dialog, Ending.model_validate(ended), past.records)
    if dialog.digest() != row.digest:
        missing = _missing(kept.recipe, code)
        if missing:
            raise CodeMissing(missing)
        raise JournalInvalid(str(path), f"dialog {row.number} is not what was written")
    return dialog


def _missing(recipe: Mapping[str, Any], code: Sequence[object]) -> tuple[str, ...]:
    try:
        scenario_of(recipe, code)
    except CodeMissing as error:
        return error.names
    return ()
