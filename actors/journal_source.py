"""What a journal says of its run, for the card of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from ..engine.exports import Source
from ..engine.journal.file import JournalFile

__all__ = ["journal_source"]

_SETTINGS = ("seed", "model", "model_parameters", "concurrency", "budget", "cache", "hedge")
_PICODOLLARS = 10**12


def journal_source(path: Path) -> tuple[Source, int]:
    """And how many dialogs of it are over. Raises `JournalInvalid`."""
    with closing(JournalFile.read(path)) as file:
        config, tally = file.config(), file.tally()
    settings = {name: said for name in _SETTINGS if (said := _said(config.get(name))) not in (None, {}, [])}
    usd = None if tally.unpriced and not tally.picodollars else tally.picodollars / _PICODOLLARS
    return Source(name=path.name, settings=settings, usd=usd), sum(tally.ended.values())


def _said(value: Any) -> Any:
    """Without what was left open."""
    if isinstance(value, Mapping):
        return {name: said for name, each in value.items() if (said := _said(each)) not in (None, {}, [])}
    return value
