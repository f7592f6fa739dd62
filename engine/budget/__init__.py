"""What a run may cost: prices, caps, and the purse that keeps to them."""

from .account import Account
from .amount import NOTHING, PICODOLLARS, Amount
from .budget import Budget, Caps
from .prices import Price, Prices
from .purse import Purse

__all__ = ["NOTHING", "PICODOLLARS", "Account", "Amount", "Budget", "Caps", "Price", "Prices", "Purse"]
