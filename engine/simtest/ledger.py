"""What the provider of a model has in its books: calls received, replies given, money. It never forgets, nor dies."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ..budget.amount import NOTHING, Amount
from ..completion import Usage

__all__ = ["CallKey", "Ledger"]

CallKey = tuple[int, int]  # the dialog's number, and that of the call in it


@dataclass(slots=True)
class Ledger:
    """billed: by whatever was sent and worked on, whether its reply arrived or not.

    wasted: how many calls brought no reply and may have cost something, as far as who asked can know.
    given: what each reply that arrived used and cost. lost: how often one had arrived, and was in no journal when its
    session was over. received, answered, pending: of the session that is going on.
    """

    billed: Amount = NOTHING
    wasted: int = 0
    calls: int = 0
    given: dict[CallKey, tuple[Usage, int]] = field(default_factory=dict)
    times_given: Counter[CallKey] = field(default_factory=Counter)
    lost: Counter[CallKey] = field(default_factory=Counter)
    received: set[CallKey] = field(default_factory=set)
    answered: set[CallKey] = field(default_factory=set)
    pending: Counter[CallKey] = field(default_factory=Counter)

    def begin_session(self) -> None:
        self.received = set()
        self.answered = set()
        self.pending = Counter()

    def bill(self, usage: Usage, cost: int) -> Amount:
        amount = Amount(1, usage.total_tokens, cost)
        self.billed += amount
        return amount
