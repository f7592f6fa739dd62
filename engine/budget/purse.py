"""The budget of one run while it is spent: reserved at the most before a call is sent, settled after.

Plain decisions without a clock or a loop: whether a call may go now, must wait until others are settled, or never may.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..completion import Backend, CompletionRequest, Usage
from ..errors import BudgetSpent, PriceUnknown, SetupError
from ..wording import counted
from .account import Account
from .amount import NOTHING, PICODOLLARS, Amount
from .budget import Budget
from .prices import UNKNOWN, Price, Prices
from .prompt_size import most_tokens

__all__ = ["Purse", "model_asked"]

# They go to the service as they are, over what `Parameters` says of the reply's length: a budget cannot rely on it.
_LENGTHS_OF_THEIR_OWN = ("n", "best_of", "max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict")
_NO_TOKENS = Usage()


class Purse:
    """Without caps nothing is reserved or settled, and `account` stays as it was.

    seconds: tells how long the run has lasted, over all its sessions.
    spent, unpriced_calls: what the earlier sessions cost, and how many of their calls count as nothing in it, since no
    price was known.
    """

    def __init__(
        self,
        budget: Budget,
        prices: Prices,
        *,
        seconds: Callable[[], float],
        spent: Amount = NOTHING,
        unpriced_calls: int = 0,
    ) -> None:
        self.budget = budget
        self.has_caps = budget != Budget()
        self.account = Account(budget, spent)
        self.end: BudgetSpent | None = None  # what ended the run
        self.unpriced: set[str] = set()  # models that were asked, whose price is not known and counts as nothing
        self._unpriced_earlier = unpriced_calls
        self._prices = prices
        self._seconds = seconds
        each = budget.per_dialog
        self._known: dict[str, Price] = {}
        self._caps_money = budget.usd is not None or (each is not None and each.usd is not None)
        self._caps_tokens = budget.tokens is not None or (each is not None and each.tokens is not None)

    @property
    def is_spent(self) -> str | None:
        """The cap of the run that is reached, in words."""
        return None if self.end is None else self.end.cap

    def usd(self, answered: Mapping[str, Usage]) -> float | None:
        """What the run has cost, in US dollars; None when it asked a model whose price is not known.

        answered: what the replies of this session took, by model. They are what it has cost where there are no caps;
        under caps that is what was settled.
        """
        costs = [self.cost(model, usage) for model, usage in answered.items()]
        if self.unpriced or self._unpriced_earlier:
            return None
        spent = self.account.spent.picodollars
        return (spent if self.has_caps else spent + sum(filter(None, costs))) / PICODOLLARS

    @property
    def seconds_left(self) -> float | None:
        """For calls; None when there is no cap on them."""
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
            price = UNKNOWN
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
                "a cap on money or tokens must know how long a reply can be; set max_tokens in the agents' "
                "model_parameters: in a scenario file as model_parameters: {max_tokens: 200}, "
                "in Python as Agent(..., model_parameters={'max_tokens': 200})"
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

    def cost(self, model: str, usage: Usage) -> int | None:
        """What a model's tokens cost, in picodollars; None if its price is not known."""
        price = self.check(model)
        return None if price is UNKNOWN else price.cost(usage)

    def out_of_time(self) -> BudgetSpent:
        """The error to raise when the cap on seconds is reached, which is the end of the run."""
        if self.end is None:
            self.end = BudgetSpent(counted(self.budget.seconds or 0, "second"))
        return BudgetSpent(*self.end.args)

    def settle(self, reserved: Amount, spent: Amount, dialog: Account | None) -> None:
        """A call is over; it cost `spent`."""
        self.account.settle(reserved, spent)
        if dialog is not None:
            dialog.settle(reserved, spent)

    def __repr__(self) -> str:
        return f"<Purse {self.account!r}{'' if self.end is None else f', no more than {self.end.cap}'}>"


def model_asked(backend: Backend, request: CompletionRequest) -> str:
    """What is paid for: a request may name another model than its backend's own."""
    return f"{backend.name.partition(':')[0]}:{request.model}" if request.model else backend.name
