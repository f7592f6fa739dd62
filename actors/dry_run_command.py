"""`playact run --dry-run`: what a run will take, supposed from its scenarios or predicted from a pilot that is played.

Without a pilot no model is called. A pilot is played and paid for like any run, within the budget; where there is a
journal it is the beginning of the run, which goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from ..engine.budget import Budget, Prices
from ..engine.budget.preparation import Preparation
from ..engine.completion import Backend, Parameters
from ..engine.errors import SetupError
from ..engine.settings import Settings, overlaid
from .dry_run import DryRun
from .playbill import Playbill

__all__ = ["dry_run"]


def dry_run(
    playbill: Playbill,
    *,
    dialogs: int | None = None,
    model: str | Backend | None = None,
    model_parameters: Parameters | None = None,
    concurrency: int | None = None,
    seed: int | None = None,
    max_turns: int | None = None,
    pilot: int = 0,
    prices: Prices | str | Path | None = None,
    budget: Budget | None = None,
    journal: Path | None = None,
    memo: Mapping[str, Any] | None = None,
    cast: Sequence[Preparation] = (),
    budget_left: Budget | None = None,
    settings: Settings | None = None,
    as_json: bool = False,
) -> int:
    """Prints a forecast, as a table or as one line of JSON. What is None is left to the scenario file and the settings.

    pilot: how many of the run's dialogs to play first, 0 for none. journal, memo, settings: as for `Simulation`;
    without a journal the pilot is thrown away. cast: what generating the people and contexts of a pilot took, and will
    take; `budget_left` is what that has left of the budget.

    The exit code is 1 when dialogs of the pilot failed, 3 when the budget ended it. Raises `SetupError`.
    """
    if pilot and playbill.seats:
        raise SetupError("a pilot needs the cast that its dialogs are played with; fill the seats first, see `Casting`")
    settings = settings or Settings.current()
    plan = DryRun(
        playbill=playbill.with_stand_ins(dialogs or playbill.dialogs),
        dialogs=dialogs or playbill.dialogs,
        model=model or playbill.model,
        model_parameters=overlaid(model_parameters or Parameters(), playbill.model_parameters),
        concurrency=concurrency or playbill.concurrency or settings.concurrency,
        seed=seed if seed is not None else playbill.seed,
        max_turns=max_turns,
        prices=prices if isinstance(prices, Prices) else Prices.load(prices),
        budget=budget,
        budget_left=budget_left,
        cast=cast,
        is_cast_open=bool(playbill.seats),
        settings=settings,
    )
    if not pilot:
        told = plan.supposed()
    elif journal is not None:
        told = anyio.run(plan.predicted, pilot, journal, memo)
    else:
        with TemporaryDirectory(prefix="playact-pilot-") as folder:
            told = anyio.run(plan.predicted, pilot, Path(folder, "pilot.db"), memo)
    if as_json:
        print(json.dumps(told.to_dict(journal), ensure_ascii=False), flush=True)
    else:
        print("\n".join(told.lines(journal)), flush=True)
    return told.exit_code
