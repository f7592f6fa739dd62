"""The budget of one run while it is spent: reserved at the most before a call is sent, settled after.

Plain decisions without a clock or a loop: whether a call may go now, must wait until others are settled, or never may.
"""

from __future__ import annotations

from collections.abc import Callable

from ..completion import CompletionRequest, Usage
from ..errors import BudgetSpent, PriceUnknown, SetupError
from .account import Account
from .amount import NOTHING, Amount
from .budget import Budget
from .prices import Price, Prices
from .prompt_size import most_tokens

__all__ = ["Purse"]

# They go to the service as they are, over what `Parameters` says of the reply's length: a budget cannot rely on it.
_LENGTHS_OF_THEIR_OWN = ("n", "best_of", "max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict")
_FREE = Price(0, 0, 0)
_NO_CAPS = Budget()
_NO_TOKENS = Usage()


class Purse:
    """`seconds` tells how long the run has lasted, over all its sessions; `spent` is what the earlier ones cost."""

    def __init__(
        self, budget: Budget, prices: Prices, *, seconds: Callable[[], float], spent: Amount = NOTHING
    ) -> None:
        self.budget = budget
        self.has_caps = budget != _NO_CAPS
        self.account = Account(budget, spent)
        self.end: BudgetSpent | None = None  # what ended the run
        self.unpriced: set[str] = set()  # models that were asked, whose price is not known and counts as nothing
        self._prices = prices
        self._seconds = seconds
        each = budget.per_dialog
        self.has_caps = budget != Budget()
        self._known: dict[str, Price] = {}
        self._caps_money = budget.usd is not None or (each is not None and each.usd is not None)
        self._caps_tokens = budget.tokens is not None or (each is not None and each.tokens is not None)

    @property
    def is_spent(self) -> str | None:
        """The cap of the run that is reached, in words."""
        return None if self.end is None else self.end.cap

    @property
    def seconds_left(self) -> float | None:
        """In which calls may begin; None when there is no cap on them."""
        return None if self.budget.seconds is None else max(self.budget.seconds - self._seconds(), 0.0)

    def account_for_dialog(self, spent: Amount) -> Account | None:
        """The account of a dialog that has spent something already; None when dialogs have no caps."""
        return None if self.budget.per_dialog is None else Account(self.budget.per_dialog, spent)

    def check(self, model: str) -> Price:
        """The model's price. Raises `PriceUnknown` when a cap on money could not hold."""
        price = self._known.get(model) or self._prices.of(model)
        if price is None:
            if self._caps_money:
                raise PriceUnknown(model, self._prices.similar(model))
            self.unpriced.add(model)
            price = _FREE
        self._known[model] = price
        return price

    def most(self, request: CompletionRequest, price: Price, longest: int | None) -> Usage:
        """The most tokens that a request can take; `longest` is the backend's own limit of a reply.

        Raises `SetupError` when a cap needs to know how long a reply can be, and nothing limits it.
        """
        if not (self._caps_tokens or (self._caps_money and not price.is_free)):
            return _NO_TOKENS  # nothing depends on them
        extra = request.parameters.extra
        if extra and (own := [name for name in _LENGTHS_OF_THEIR_OWN if extra.get(name, 1) != 1]):
            raise SetupError(
                f"a cap on money or tokens cannot hold with {own[0]} among the extra model_parameters; "
                "leave it out, and say max_tokens for the length of a reply"
            )
        limits = [limit for limit in (price.max_output_tokens, longest) if limit is not None]
        reply = request.parameters.max_tokens or min(limits, default=None)
        if reply is None:
            raise SetupError(
                "a cap on money or tokens must know how long a reply can be; set max_tokens in the model_parameters "
                "of each agent, as in Agent(..., model_parameters={'max_tokens': 200})"
            )
        return Usage(most_tokens(request), reply)

    def may_go(self, amount: Amount, dialog: Account | None) -> bool:
        """Reserves the amount if it may go now; False when it must wait until something is settled.

        Raises `BudgetSpent` when waiting would be of no use; for a cap of the run that is its end.
        """
        if self.end is not None:
            raise BudgetSpent(*self.end.args)
        account, seconds = self.account, self._seconds()
        is_in_time = self.budget.seconds is None or seconds < self.budget.seconds
        if is_in_time and account.covers(amount) and (dialog is None or dialog.covers(amount)):
            account.reserve(amount)
            if dialog is not None:
                dialog.reserve(amount)
            return True
        if dialog is not None and (short := dialog.shortage(amount)) is not None:
            raise BudgetSpent(f"{short.cap} a dialog", False, short.left, short.needed)
        if (short := account.shortage(amount, seconds)) is not None:
            self.end = BudgetSpent(short.cap, True, short.left, short.needed)
            raise BudgetSpent(*self.end.args)
        return False

    def settle(self, reserved: Amount, spent: Amount, dialog: Account | None) -> None:
        """A call is over; it cost `spent`."""
        self.account.settle(reserved, spent)
        if dialog is not None:
            dialog.settle(reserved, spent)

    def __repr__(self) -> str:
        return f"<Purse {self.account!r}{'' if self.end is None else f', no more than {self.end.cap}'}>"


_FREE = Price(0, 0, 0)
_NO_TOKENS = Usage()
