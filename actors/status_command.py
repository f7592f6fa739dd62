"""`playact status`: where the run of a journal stands, also while it goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from ..engine.budget import PICODOLLARS
from ..engine.journal.file import JournalFile
from ..engine.journal.standing import LiveDialog, Standing
from ..engine.journal.tally import Tally
from ..engine.program.plan import fingerprint
from ..engine.transcript import plain
from ..engine.wording import counted, dollars
from .progress import duration
from .report import how_to_go_on, one_line, over

__all__ = ["status"]

_LIVE_SHOWN = 10


def status(journal: Path, *, stuck_after_s: float, as_json: bool) -> int:
    """Prints it. Raises `JournalInvalid`."""
    standing = Standing.of(journal)
    now = time.time()
    if as_json:
        with closing(JournalFile.read(journal)) as file:
            about = {**_as_json(standing, now, stuck_after_s), "fingerprint": fingerprint(file)}
        print(json.dumps(about, ensure_ascii=False))
    else:
        print("\n".join(map(plain, _lines(standing, journal, now, stuck_after_s))))
    return 0


def _lines(standing: Standing, journal: Path, now: float, stuck_after_s: float) -> Iterator[str]:
    tally, config = standing.tally, standing.config
    yield f"{journal}: {_state(standing)}"
    if standing.damage is not None:
        yield f"damaged: {standing.damage}"
    is_running = standing.state == "running"
    yield f"{over(tally, standing.planned)}; {len(standing.live)} {'live' if is_running else 'begun'}"
    for kind, (count, error) in standing.failed.items():
        yield f"failed: {count} x {kind}: {one_line(error)}"
    yield (
        f"{counted(tally.turns, 'turn')}, {counted(tally.calls, 'call')}, "
        f"{tally.prompt_tokens} + {counted(tally.completion_tokens, 'token')}"
    )
    yield from _money(tally, config)
    lately = f"; lately {standing.turns_per_s:.1f} turns/s" if is_running else ""
    yield f"{duration(tally.seconds)} in {counted(tally.sessions, 'session')}{lately}"
    yield f"model {config['model']}, seed {config['seed']}; digest of what is over {standing.digest}"
    if is_running:
        yield from _stuck(standing.live, now, stuck_after_s)
    elif standing.left or standing.live:
        yield how_to_go_on(journal, is_spent=standing.state == "spent")


def _stuck(live: tuple[LiveDialog, ...], now: float, stuck_after_s: float) -> Iterator[str]:
    stuck = [dialog for dialog in live if _silent_s(dialog, now) >= stuck_after_s]
    if not stuck:
        yield f"no dialog has been silent for {duration(stuck_after_s)}"
        return
    yield f"{counted(len(stuck), 'dialog')} silent for {duration(stuck_after_s)} or more:"
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
        case "spent":
            return "is not being played, for the budget is spent"
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
        "usd": None if tally.unpriced else tally.spent.picodollars / PICODOLLARS,
        "unpriced_calls": tally.unpriced,
        "budget": {name: {"used": used, "cap": cap} for name, used, cap in _caps(tally, standing.config)},
        "budget_end": tally.budget_end,
        "turns_per_s": round(standing.turns_per_s, 3),
        "seconds": tally.seconds,
        "sessions": tally.sessions,
        "digest": standing.digest,
        "model": standing.config["model"],
        "seed": standing.config["seed"],
    }


def _silent_s(dialog: LiveDialog, now: float) -> float:
    return float("inf") if dialog.silent_since is None else max(0.0, now - dialog.silent_since)


def _money(tally: Tally, config: Mapping[str, Any]) -> Iterator[str]:
    usd = tally.spent.picodollars / PICODOLLARS
    if tally.unpriced:
        yield f"cost unknown: no price was known of {tally.unpriced} of {counted(tally.calls, 'call')}"
    elif usd:
        yield f"cost {dollars(usd)} US dollars{' at the most' if 'usd' in (config['budget'] or {}) else ''}"
    told = [
        f"{name} {_used(name, used)} of {f'{cap:g}' if name == 'seconds' else cap}"
        for name, used, cap in _caps(tally, config)
    ]
    if told:
        yield f"used of the budget: {', '.join(told)}"
    if tally.budget_end:
        yield tally.budget_end


def _caps(tally: Tally, config: Mapping[str, Any]) -> Iterator[tuple[str, float, Any]]:
    """Of the run: the name of each, what is used up of it, and how much it allows."""
    spent = tally.spent
    used = {"usd": spent.picodollars / PICODOLLARS, "tokens": spent.tokens, "calls": spent.calls}
    used["seconds"] = tally.seconds
    for name, cap in (config["budget"] or {}).items():
        if name in used:
            yield name, used[name], cap


def _used(name: str, used: float) -> str:
    return dollars(used) if name == "usd" else f"{used:.0f}"
