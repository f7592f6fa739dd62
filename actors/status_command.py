"""`playact status`: where the run of a journal stands, also while it goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..engine.budget import PICODOLLARS
from ..engine.journal.standing import LiveDialog, Standing
from .progress import duration
from .report import endings, one_line

__all__ = ["status"]

_LIVE_SHOWN = 10


def status(journal: Path, *, stuck_after_s: float, as_json: bool) -> int:
    """Prints it. Raises `JournalInvalid`."""
    standing = Standing.of(journal)
    now = time.time()
    if as_json:
        print(json.dumps(_as_json(standing, now, stuck_after_s), ensure_ascii=False))
    else:
        print("\n".join(_lines(standing, journal, now, stuck_after_s)))
    return 0


def _lines(standing: Standing, journal: Path, now: float, stuck_after_s: float) -> Iterator[str]:
    tally, config = standing.tally, standing.config
    yield f"{journal}: {_state(standing)}"
    if standing.damage is not None:
        yield f"damaged: {standing.damage}"
    planned = "an open number of" if standing.planned is None else standing.planned
    yield f"{tally.over} of {planned} dialogs are over: {endings(tally.ended)}; {len(standing.live)} live"
    for kind, (count, error) in standing.failed.items():
        yield f"failed: {count} x {kind}: {one_line(error)}"
    yield f"{tally.turns} turns, {tally.calls} calls, {tally.prompt_tokens} + {tally.completion_tokens} tokens"
    if tally.spent.picodollars or config["budget"]:
        yield f"spent: {_dollars(tally.spent.picodollars)} at the most{_budget(config)}"
    sessions = "one session" if tally.sessions == 1 else f"{tally.sessions} sessions"
    yield f"{duration(tally.seconds)} in {sessions}; lately {standing.turns_per_s:.1f} turns/s"
    yield f"model {config['model']}, seed {config['seed']}; digest of what is over {standing.digest}"
    if standing.state == "running":
        yield from _stuck(standing.live, now, stuck_after_s)
    elif standing.left or standing.live:
        yield f"go on with: playact resume {journal}"


def _stuck(live: tuple[LiveDialog, ...], now: float, stuck_after_s: float) -> Iterator[str]:
    stuck = [dialog for dialog in live if _silent_s(dialog, now) >= stuck_after_s]
    if not stuck:
        yield f"no dialog has been silent for {duration(stuck_after_s)}"
        return
    yield f"{len(stuck)} dialogs have been silent for {duration(stuck_after_s)} or more:"
    for dialog in stuck[:_LIVE_SHOWN]:
        since = "very long" if dialog.silent_since is None else duration(_silent_s(dialog, now))
        yield f"  {dialog.number} {dialog.id}: {since}, waits for {one_line(dialog.waits_for)}"
    if len(stuck) > _LIVE_SHOWN:
        yield f"  … and {len(stuck) - _LIVE_SHOWN} more; --json lists all"


def _state(standing: Standing) -> str:
    match standing.state:
        case "running":
            return f"is being played by {standing.holder}"
        case "killed":
            return "its last session was killed"
        case "stopped":
            return "is not being played"
    return "is complete"


def _as_json(standing: Standing, now: float, stuck_after_s: float) -> dict[str, Any]:
    tally = standing.tally
    return {
        "state": standing.state,
        "holder": standing.holder,
        "damage": standing.damage,
        "planned": standing.planned,
        "over": tally.over,
        "left": standing.left,
        "ended": dict(+tally.ended),
        "failed": {kind: count for kind, (count, _) in standing.failed.items()},
        "live": [
            {
                "number": dialog.number,
                "id": dialog.id,
                "waits_for": dialog.waits_for,
                "silent_s": None if dialog.silent_since is None else round(_silent_s(dialog, now), 3),
                "is_stuck": _silent_s(dialog, now) >= stuck_after_s,
            }
            for dialog in standing.live
        ],
        "turns": tally.turns,
        "calls": tally.calls,
        "prompt_tokens": tally.prompt_tokens,
        "tokens": tally.completion_tokens,
        "usd": tally.spent.picodollars / PICODOLLARS,
        "turns_per_s": round(standing.turns_per_s, 3),
        "seconds": tally.seconds,
        "sessions": tally.sessions,
        "digest": standing.digest,
        "model": standing.config["model"],
        "seed": standing.config["seed"],
    }


def _silent_s(dialog: LiveDialog, now: float) -> float:
    return float("inf") if dialog.silent_since is None else max(0.0, now - dialog.silent_since)


def _dollars(picodollars: int) -> str:
    return f"{picodollars / PICODOLLARS:.4f} US dollars"


def _budget(config: Any) -> str:
    caps = config["budget"] or {}
    told = ", ".join(f"{name}={value}" for name, value in caps.items() if name != "per_dialog")
    return f", of a budget of {told}" if told else ""
