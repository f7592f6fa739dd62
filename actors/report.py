"""What a session came to, in words for a person and as JSON for a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.dialog import Dialog
from ..engine.digest import DatasetDigest
from ..engine.errors import TooManyFailures
from ..engine.journal.standing import Standing
from ..engine.journal.tally import Tally
from ..engine.program.resumption import name_of
from ..engine.statistics import Statistics
from ..engine.transcript import plain
from ..engine.wording import counted, dollars, is_or_are
from .progress import duration

if TYPE_CHECKING:
    from ..engine.simulation import Simulation
    from .dataset_file import DatasetFile

__all__ = ["Report", "how_to_go_on", "one_line", "over"]


class Report:
    """Takes the dialogs of a session as they finish, and its figures when it closes.

    standing: where the whole run stands, over all its sessions, when there is a journal.
    spent: how the run's budget ended it, in words, if it did.
    """

    def __init__(self) -> None:
        self.statistics: Statistics | None = None
        self.standing: Standing | None = None
        self.stopped: TooManyFailures | None = None
        self.first: Dialog | None = None
        self.spent: str | None = None
        self._ended: Counter[str] = Counter()
        self._failed: dict[str, tuple[int, str]] = {}
        self._digest = DatasetDigest()
        self._model = ""
        self._seed = 0
        self._at_most = ""

    @property
    def has_failed(self) -> bool:
        """Whether a dialog of the run has, in this session or an earlier one, or the run was stopped for such."""
        failed = self._failed if self.standing is None else self.standing.failed
        return bool(failed) or self.stopped is not None

    def failed_by(self, kind: str) -> int:
        """How many dialogs failed by an error of this name."""
        return self._failed.get(kind, (0, ""))[0]

    def take(self, dialog: Dialog) -> None:
        ending = dialog.ending
        assert ending is not None
        self._digest.add(dialog)
        self._ended[ending.reason] += 1
        if ending.failed:
            count, error = self._failed.get(ending.detail, (0, ending.error or ""))
            self._failed[ending.detail] = (count + 1, error)
        elif self.first is None:
            self.first = dialog

    def close(self, simulation: Simulation) -> None:
        self.statistics = simulation.statistics()
        self.spent = None if simulation.purse is None or simulation.purse.end is None else str(simulation.purse.end)
        if simulation.purse is not None and simulation.purse.budget.usd is not None:
            self._at_most = " at the most"  # a call that was given up may have cost less
        self._model, self._seed = name_of(simulation.model), simulation.seed

    def lines(self, stopped_by: str) -> list[str]:
        """`stopped_by` is the name of a signal, or empty."""
        now = self.statistics
        assert now is not None
        seconds = max(now.seconds, 1e-9)
        lines = [
            f"{counted(self._ended.total(), 'dialog')} in {duration(now.seconds)}: {endings(self._ended)}",
            f"{counted(now.turns, 'turn')}, {now.turns / seconds:.1f} turns/s, "
            f"{counted(now.completion_tokens, 'token')}, "
            f"{now.completion_tokens / seconds:.0f} tokens/s; model {self._model}, seed {self._seed}",
        ]
        lines += self._cost(now)
        if now.flaws:
            lines.append(f"flaws found: {_flaws(now.flaws)}")
        lines += [
            f"failed: {count} x {kind}: {one_line(error)}"
            for kind, (count, error) in sorted(self._failed.items(), key=lambda item: -item[1][0])
        ]
        if self.stopped is not None:
            lines.append(one_line(str(self.stopped)))
        if self.spent is not None:
            lines.append(self.spent)
        if stopped_by:
            lines.append(f"stopped by {stopped_by}")
        return lines

    def _cost(self, now: Statistics) -> list[str]:
        if now.unpriced:
            return [f"cost unknown: no price is known of {', '.join(now.unpriced)}; give it in a file, --prices FILE"]
        if now.usd is None:
            return ["cost unknown: no price was known of calls of earlier sessions"]
        together = ", all sessions together" if self.standing is not None and self.standing.tally.sessions > 1 else ""
        return [f"cost {dollars(now.usd)} US dollars{self._at_most}{together}"] if now.usd else []

    def kept(self, file: DatasetFile | None, journal: Path | None, *, is_shown: bool) -> list[str]:
        """Where the dialogs are now, and how to go on."""
        lines = []
        if file is not None:
            noun = "dialog" if file.is_counted else "more dialog"
            lines.append(f"{counted(file.dialogs or 'no', noun)} {is_or_are(file.dialogs)} in {file.name}")
        if self.standing is not None and journal is not None:
            tally, planned = self.standing.tally, self.standing.planned
            lines.append(over(tally, planned))
            if self.standing.left:
                lines.append(how_to_go_on(journal, is_spent=self.spent is not None))
        elif file is None and not is_shown:
            lines.append("no dialog was kept; --out PATH.jsonl keeps them")
        elif file is None and self._ended.total() > 1:
            lines.append("one dialog was shown and none was kept; --out PATH.jsonl keeps them")
        return lines

    def as_json(self, journal: Path | None) -> dict[str, Any]:
        """Of the whole run where there is a journal, with the figures of this session in `session`."""
        now, standing = self.statistics, self.standing
        assert now is not None
        session = {
            "dialogs": self._ended.total(),
            "failed": {kind: count for kind, (count, _) in self._failed.items()},
            "ended": dict(self._ended),
            "turns": now.turns,
            "tokens": now.completion_tokens,
            "prompt_tokens": now.prompt_tokens,
            "calls": now.calls,
            "retries": now.retries,
            "seconds": round(now.seconds, 3),
            "flaws": dict(now.flaws),
        }
        about = {"usd": now.usd, "unpriced": list(now.unpriced), "seed": self._seed, "model": self._model}
        if standing is None:
            return {**session, "digest": self._digest.hexdigest(), **about}
        tally = standing.tally
        whole = {
            "dialogs": tally.over,
            "failed": {kind: count for kind, (count, _) in standing.failed.items()},
            "ended": dict(+tally.ended),
            "turns": tally.turns,
            "tokens": tally.completion_tokens,
            "prompt_tokens": tally.prompt_tokens,
            "calls": tally.calls,
            "seconds": round(tally.seconds, 3),
            "flaws": dict(tally.flaws),
        }
        left = {"planned": standing.planned, "left": standing.left, "journal": str(journal)}
        return {**whole, "digest": standing.digest, **about, **left, "session": session}


def over(tally: Tally, planned: int | None) -> str:
    """How many dialogs are over, of how many, and in which ways."""
    whole = "an open number of dialogs" if planned is None else counted(planned, "dialog")
    return f"{tally.over} of {whole} {is_or_are(planned)} over: {endings(tally.ended)}"


def how_to_go_on(journal: Path, *, is_spent: bool) -> str:
    return f"go on with: playact resume {journal}{' --budget CAPS, with more than before' if is_spent else ''}"


def endings(ended: Mapping[str, int]) -> str:
    """How many ended in which way, in words."""
    counted = sorted((reason, count) for reason, count in ended.items() if count)
    return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in counted) or "none"


def _flaws(flaws: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in sorted(flaws.items()))


def one_line(text: str) -> str:
    """Whatever a model or a server said, as it may be shown: no line ends, no control characters, not too long."""
    return " ".join(plain(text).split())[:200]
