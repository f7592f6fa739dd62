"""What a seed has in store for one trial: load, schedule, weather, money, and how each session of the run ends."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from ..budget.amount import Amount
from ..budget.budget import Budget, Caps
from ..budget.prices import Price
from ..seeds import generator
from .loop import Order

__all__ = ["Mishap", "MishapKind", "Plan", "Storm", "raised"]

# step, time: killed between two steps, at a moment. torn: killed in the middle of a commit.
# io: a commit fails before it is done. full: from one commit on all fail. fsync: a commit fails after it was written.
# rename, create: the journal's making fails, or is killed.
MishapKind = Literal["step", "time", "torn", "io", "full", "fsync", "rename", "create"]
_KINDS: tuple[MishapKind, ...] = ("step", "step", "time", "torn", "torn", "io", "full", "fsync", "rename", "create")


@dataclass(frozen=True, slots=True)
class Mishap:
    """How a session ends before its run does: at a share of the run's steps, time or commits.

    luck: from 0 to 1; decides what is left of the files.
    """

    kind: MishapKind
    share: float
    luck: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """How probable each fault is for a call. `tries`: no call meets more faults than this, unless it is hopeless.

    refused, dead, called_off: calls that never succeed: the model will not, cannot, or the dialog is cancelled.
    """

    overloaded: float = 0.0
    unavailable: float = 0.0
    cut: float = 0.0
    hang: float = 0.0
    malformed: float = 0.0
    tries: int = 0
    refused: float = 0.0
    dead: float = 0.0
    called_off: float = 0.0

    @property
    def is_hopeless(self) -> bool:
        return self.refused + self.dead + self.called_off > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One trial. Times are in virtual seconds.

    budget_share: the cap at first, as a share of what the run costs; None for no cap. capped: what the cap is on.
    capacity: of the subscriber's stream. taker_s: how long the taker of dialogs keeps each.
    is_stream: whether the run is given its scenarios one by one, so that its plan is open.
    from_journal: whether sessions resume from the journal alone, or are given the scenarios again.
    is_replayed: whether the complete run is played once more from its journal, to compare.
    """

    seed: int
    dialogs: int
    concurrency: int
    in_flight: int | None
    is_ordered: bool
    order: Order
    capacity: int
    taker_s: float
    latency_s: float
    disk_s: float
    storm: Storm
    price: Price
    budget_share: float | None
    capped: Literal["usd", "tokens", "calls"]
    per_dialog_share: float | None
    stop_share: float | None
    is_stream: bool
    from_journal: bool
    is_replayed: bool
    mishaps: tuple[Mishap, ...]
    requests_per_minute: int | None

    @property
    def is_hopeless(self) -> bool:
        """Whether some dialogs may end otherwise than they would when nothing goes wrong."""
        return self.storm.is_hopeless or self.per_dialog_share is not None

    @classmethod
    def drawn(cls, seed: int) -> Plan:
        luck = generator(seed, "plan")
        dialogs = luck.choice((1, 2, 2, 3, 3, 4, 6))
        is_hopeless = luck.random() < 0.2
        return cls(
            seed=seed,
            dialogs=dialogs,
            concurrency=luck.choice((1, 2, 3, 8)),
            in_flight=luck.choice((1, 2, 3, None)),
            is_ordered=luck.random() < 0.4,
            order=luck.choice(("steps", "steps", "tasks", "arrival")),
            capacity=luck.choice((1, 2, 1024)),
            taker_s=luck.choice((0.0, 0.0, 1.0)),
            latency_s=luck.choice((0.0, 0.1, 2.0)),
            disk_s=luck.choice((0.0, 0.001, 0.5)),
            storm=_storm(luck, is_hopeless=is_hopeless),
            price=Price(luck.randrange(1, 9_000_000), luck.randrange(1, 9_000_000), luck.randrange(1, 900_000)),
            budget_share=luck.uniform(0.2, 2.0) if luck.random() < 0.5 else None,
            capped=luck.choice(("usd", "tokens", "calls")),
            per_dialog_share=luck.uniform(0.3, 3.0) if is_hopeless and luck.random() < 0.5 else None,
            stop_share=luck.choice((None, 0.3)) if is_hopeless else None,
            is_stream=luck.random() < 0.2,
            from_journal=luck.random() < 0.7,
            is_replayed=luck.random() < 0.6,
            mishaps=tuple(_mishap(luck) for _ in range(luck.choice((0, 1, 1, 1, 2, 2, 3)))),
            requests_per_minute=luck.choice((None, None, None, 4, 20)),
        )

    def budget(self, billed: Amount) -> Budget | None:
        """The caps at first, of a run that costs `billed` when nothing goes wrong."""
        if self.budget_share is None:
            return None
        share, each = self.budget_share, None
        if self.per_dialog_share is not None:
            each = Caps(tokens=int(billed.tokens * self.per_dialog_share / self.dialogs))
        match self.capped:
            case "calls":
                return Budget(calls=max(1, int(billed.calls * share)), per_dialog=each)
            case "tokens":
                return Budget(tokens=int(billed.tokens * share), per_dialog=each)
        return Budget(usd=_dollars(int(billed.picodollars * share)), per_dialog=each)


def raised(budget: Budget) -> Budget:
    """Caps that let a run go on which met one."""
    return Budget(
        usd=None if budget.picodollars is None else _dollars(4 * budget.picodollars + 1),
        tokens=None if budget.tokens is None else 4 * budget.tokens + 1,
        calls=None if budget.calls is None else 2 * budget.calls + 1,
        per_dialog=budget.per_dialog,
    )


def _dollars(picodollars: int) -> str:
    return f"{picodollars}e-12"


def _storm(luck: Random, *, is_hopeless: bool) -> Storm:
    calm = luck.random() < 0.25
    most = 0.0 if calm else luck.choice((0.05, 0.2))
    hopeless = {name: luck.choice((0.0, 0.03, 0.1)) for name in ("refused", "dead", "called_off")}
    return Storm(
        **{name: luck.uniform(0, most) for name in ("overloaded", "unavailable", "cut", "hang", "malformed")},
        tries=luck.randrange(1, 4),
        **(hopeless if is_hopeless else {}),
    )


def _mishap(luck: Random) -> Mishap:
    return Mishap(luck.choice(_KINDS), luck.random(), luck.random())
