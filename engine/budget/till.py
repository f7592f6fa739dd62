"""Where calls pay: each lays aside what it may cost before it is sent; those that must wait go oldest dialog first.

What is laid aside is durable before the call is sent, where there is a journal: so a killed run knows what it may owe.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from ..completion import Backend, Completion, CompletionRequest, Usage
from ..errors import BudgetSpent
from ..log import logger
from .account import Account
from .amount import NOTHING, Amount
from .prices import UNKNOWN, Price
from .purse import Purse, model_asked

if TYPE_CHECKING:
    from ..journal.journal import Journal
    from ..promise import Promise

__all__ = ["Hold", "Till"]


@dataclass(slots=True)
class Hold:
    """Laid aside for one call. Until more is known it has cost all of that."""

    price: Price
    most: Usage
    reserved: Amount
    spent: Amount
    noted: Amount = NOTHING  # what of it a reply in the journal tells

    def cost_nothing(self) -> None:
        self.spent = NOTHING

    def answered(self, completion: Completion) -> int | None:
        """What the reply cost, in picodollars; None if its price is not known.

        Tokens that the service does not tell of are those that were laid aside: a reply that says nothing of its cost
        cannot be known to be cheap.
        """
        if completion.is_cached:
            self.cost_nothing()
            return 0
        told, most = completion.usage, self.most
        usage = told
        if not (told.prompt_tokens and told.completion_tokens):
            says_something = completion.text or completion.thinking or completion.tool_calls
            usage = Usage(
                told.prompt_tokens or most.prompt_tokens,
                told.completion_tokens or (most.completion_tokens if says_something else 0),
                told.cached_tokens,
            )
        cost = self.price.cost(usage)
        self.spent = self.noted = Amount(1, usage.total_tokens, cost)
        if usage is not told:
            self.noted = Amount(1, told.total_tokens, cost)
        for _ in range(completion.calls - 1):  # of those that were given up the prompt is known, else the most
            given_up = Usage(usage.prompt_tokens, most.completion_tokens)
            self.spent += Amount(1, given_up.total_tokens, self.price.cost(given_up))
        return None if self.price is UNKNOWN else cost


@dataclass(slots=True, order=True)
class _Waiting:
    """A call that is to be paid for; sorted by the age of its dialog."""

    dialog: int
    sequence: int
    order: int
    amount: Amount = field(compare=False)
    account: Account | None = field(compare=False)
    turn: Promise = field(compare=False)
    is_paid: bool = field(default=False, compare=False)


class Till:
    """Spends a purse that has caps. `promise` makes what a call waits with.

    A call that waits is paid for by whoever settles, in its stead: nobody can slip in between, and no wake-up is lost
    when it has been cancelled meanwhile.
    """

    def __init__(self, purse: Purse, promise: Callable[[], Promise], journal: Journal | None = None) -> None:
        self.purse = purse
        self._promise = promise
        self._journal = journal
        self._waiting: list[_Waiting] = []  # a heap
        self._order = count()
        self._overcharged: set[str] = set()

    async def hold(
        self, backend: Backend, request: CompletionRequest, dialog: int, account: Account | None = None
    ) -> Hold:
        """Lays aside the most that the request can cost, when there is as much. `settle` must follow.

        Raises `BudgetSpent`, `PriceUnknown`, and `SetupError` when a reply has no limit.
        """
        purse = self.purse
        price = purse.check(model_asked(backend, request))
        most = purse.most(request, price, backend.capabilities.max_tokens)
        amount = Amount(1, most.total_tokens, price.most(most))
        for _ in range(backend.capabilities.calls - 1):
            amount += Amount(1, most.total_tokens, price.most(most))
        await self._pay(dialog, request.sequence, amount, account)
        hold = Hold(price, most, amount, amount)
        if self._journal is not None:
            try:
                await self._journal.durable(self._journal.touch())
            except BaseException:
                hold.cost_nothing()
                self.settle(backend, hold, account)
                raise
        return hold

    def settle(self, backend: Backend, hold: Hold, account: Account | None, *, is_noted: bool = False) -> None:
        """The call is over. `is_noted`: its reply is in the journal."""
        self.purse.settle(hold.reserved, hold.spent, account)
        if self._journal is not None and not (is_noted and hold.spent == hold.noted):
            self._journal.tally.lost += hold.spent - hold.noted if is_noted else hold.spent
        is_capped = hold.most.total_tokens > 0  # else tokens and money were not laid aside, for nothing depends on them
        if is_capped and any(spent > most for spent, most in zip(hold.spent, hold.reserved, strict=True)):
            self._warn(backend.name, hold)
        self._serve()

    async def _pay(self, dialog: int, sequence: int, amount: Amount, account: Account | None) -> None:
        # One that takes nothing that others wait for, as those of free models do where money is short, waits for none.
        if (not self._waiting or not self._concerns(amount, account)) and self.purse.may_go(amount, account):
            self._note()
            return
        call = _Waiting(dialog, sequence, next(self._order), amount, account, self._promise())
        heapq.heappush(self._waiting, call)
        self._serve()
        try:
            error: BudgetSpent | None = await call.turn
        except BaseException:
            if call.is_paid:
                self.purse.settle(amount, NOTHING, account)
            self._serve()  # others may have waited for this one's money, or behind it
            raise
        if error is not None:
            raise error

    def _serve(self) -> None:
        """Pays for the calls that wait, as far as the money goes; those that never can be paid for are told so."""
        while self._waiting:
            first = self._waiting[0]
            error: BudgetSpent | None = None
            if not first.turn.done():
                try:
                    first.is_paid = self.purse.may_go(first.amount, first.account)
                    if not first.is_paid:
                        break
                except BudgetSpent as spent:
                    error = spent
                first.turn.set_result(error)
            heapq.heappop(self._waiting)
        self._note()

    def _note(self) -> None:
        if self._journal is not None:
            self._journal.tally.reserved = self.purse.account.reserved

    def _concerns(self, amount: Amount, account: Account | None) -> bool:
        return self.purse.account.concerns(amount) or (account is not None and account.concerns(amount))

    def _warn(self, model: str, hold: Hold) -> None:
        """Once for each model, for there may be thousands."""
        if model not in self._overcharged:
            self._overcharged.add(model)
            logger().warning(
                "budget.overcharged",
                model=model,
                tokens=hold.spent.tokens,
                tokens_reserved=hold.reserved.tokens,
                hint="the service bills more than was asked for; a cap may be passed by that much",
            )

    def __repr__(self) -> str:
        return f"<Till {self.purse!r}, {len(self._waiting)} waiting>"
