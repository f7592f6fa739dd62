"""The budget of one run while it is spent: reserved at the most before a call is sent, settled after.

Plain decisions without a clock or a loop: whether a call may go now, must wait until others are settled, or never may.
"""

from __future__ import annotations

from collections.abc import Callable

from ..completion import CompletionRequest
from ..errors import BudgetSpent, PriceUnknown, SetupError
from .amount import NOTHING, Amount
from .budget import Budget, Caps
from .prices import Price, Prices

__all__ = ["Account", "Purse", "most_tokens"]

_TOKENS_AROUND_A_MESSAGE = 16  # what chat templates put around one; the largest in use need 10


class Account:
    """What was spent and what is reserved, against caps."""

    __slots__ = ("_caps", "_limits", "reserved", "spent")

    def __init__(self, caps: Caps, spent: Amount = NOTHING) -> None:
        self.spent = spent
        self.reserved = NOTHING
        self._caps = caps
        self._limits = (caps.calls, caps.tokens, caps.picodollars)

    def exceeded(self, amount: Amount, seconds: float, *, reserved: bool) -> str | None:
        """The cap that the amount would exceed, in words; also counting what is reserved, or only what was spent."""
        if self._caps.seconds is not None and seconds >= self._caps.seconds:
            return f"{self._caps.seconds:g} seconds"
        for place, (limit, unit) in enumerate(zip(self._limits, ("calls", "tokens", "usd"), strict=True)):
            if limit is not None:
                held = self.reserved[place] if reserved else 0
                if self.spent[place] + held + amount[place] > limit:
                    return f"{self._caps.usd} US dollars" if unit == "usd" else f"{limit} {unit}"
        return None

    def reserve(self, amount: Amount) -> None:
        self.reserved += amount

    def settle(self, reserved: Amount, spent: Amount) -> None:
        self.reserved -= reserved
        self.spent += spent


class Purse:
    """The budget of one run while it is spent. `seconds` tells how long the run has lasted, over all its sessions."""

    def __init__(
        self, budget: Budget, prices: Prices, *, seconds: Callable[[], float], spent: Amount = NOTHING
    ) -> None:
        self.budget = budget
        self.account = Account(budget, spent)
        self.is_spent: str | None = None
        self._prices = prices
        self._seconds = seconds

    def account_for_dialog(self, spent: Amount) -> Account | None:
        """The account of a dialog that has spent something already; None when dialogs have no caps."""
        return None if self.budget.per_dialog is None else Account(self.budget.per_dialog, spent)

    @property
    def has_caps(self) -> bool:
        return self.budget != _NO_CAPS

    def check(self, model: str) -> Price:
        """The model's price. Raises `PriceUnknown` when a cap on money could not hold."""
        price = self._prices.of(model)
        if price is not None:
            return price
        if self.budget.usd is not None or (self.budget.per_dialog and self.budget.per_dialog.usd is not None):
            raise PriceUnknown(model)
        return _FREE

    def most(self, request: CompletionRequest, price: Price, longest: int | None) -> Amount:
        """The most that a request can cost; `longest` is the backend's own limit of a reply's tokens.

        Raises `SetupError` when a reply has no limit.
        """
        prompt = most_tokens(request)
        reply = request.parameters.max_tokens or price.max_output_tokens or longest
        if reply is None:
            if self._needs_no_tokens:
                return Amount(1)
            raise SetupError("a budget must know how long a reply can be: set max_tokens in model_parameters")
        return Amount(1, prompt + reply, prompt * price.dearest_input + reply * price.output)

    def may_go(self, amount: Amount, dialog: Account | None) -> bool:
        """Reserves the amount if it may go now; False when it must wait until something is settled.

        Raises `BudgetSpent` when waiting would be of no use; for a cap of the run that is its end.
        """
        if self.is_spent is not None:
            raise BudgetSpent(self.is_spent)
        seconds = self._seconds()
        if dialog is not None and (cap := dialog.exceeded(amount, 0.0, reserved=True)) is not None:
            raise BudgetSpent(f"{cap} a dialog", is_of_run=False)
        if self.account.exceeded(amount, seconds, reserved=True) is not None:
            self.is_spent = self.account.exceeded(amount, seconds, reserved=False)
            if self.is_spent is not None:
                raise BudgetSpent(self.is_spent)
            return False
        self.account.reserve(amount)
        if dialog is not None:
            dialog.reserve(amount)
        return True

    def settle(self, reserved: Amount, spent: Amount, dialog: Account | None) -> None:
        """A call is over; it cost `spent`."""
        self.account.settle(reserved, spent)
        if dialog is not None:
            dialog.settle(reserved, spent)

    @property
    def _needs_no_tokens(self) -> bool:
        caps = (self.budget, self.budget.per_dialog or self.budget)
        return all(each.tokens is None and each.usd is None for each in caps)


_FREE = Price(0, 0, 0)
_NO_CAPS = Budget()


def most_tokens(request: CompletionRequest) -> int:
    """An upper bound of the tokens of a request's prompt: no tokenizer makes more tokens than there are bytes."""
    count = sum(
        len(message.text.encode("utf-8", "replace"))
        + sum(len(call.name) + len(call.arguments.encode("utf-8", "replace")) for call in message.tool_calls)
        + _TOKENS_AROUND_A_MESSAGE
        for message in request.messages
    )
    count += sum(len(repr(tool).encode("utf-8", "replace")) for tool in request.tools)
    if request.response_schema is not None:
        count += len(repr(request.response_schema).encode("utf-8", "replace"))
    return count + _TOKENS_AROUND_A_MESSAGE
