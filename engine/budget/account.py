"""What was spent and what is reserved, against caps: whole numbers, never rounded."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from ..wording import counted
from .amount import NOTHING, PICODOLLARS, Amount
from .budget import Caps

__all__ = ["Account", "Shortage"]

_UNITS = ("call", "token", "US dollar")


class Shortage(NamedTuple):
    """A cap that does not cover an amount. All in words, for whoever is to raise it."""

    cap: str
    left: str = ""
    needed: str = ""


class Account:
    """The law of it: `spent` is the sum of all that was settled, `reserved` of all that was not settled yet."""

    __slots__ = ("_caps", "_limits", "reserved", "spent")

    def __init__(self, caps: Caps, spent: Amount = NOTHING) -> None:
        self.spent = spent
        self.reserved = NOTHING
        self._caps = caps
        self._limits = (caps.calls, caps.tokens, caps.picodollars)

    def concerns(self, amount: Amount) -> bool:
        """Whether any cap counts something of the amount."""
        return any(limit is not None and more for limit, more in zip(self._limits, amount, strict=True))

    def covers(self, amount: Amount) -> bool:
        """Whether the amount fits below the caps, should all that is reserved be spent."""
        for limit, spent, reserved, more in zip(self._limits, self.spent, self.reserved, amount, strict=True):
            if limit is not None and spent + reserved + more > limit:
                return False
        return True

    def shortage(self, amount: Amount, seconds: float = 0.0) -> Shortage | None:
        """The cap that the amount does not fit below, even if all that is reserved should cost nothing."""
        caps = self._caps
        if caps.seconds is not None and seconds >= caps.seconds:
            return Shortage(counted(caps.seconds, "second"))
        for unit, limit, spent, more in zip(_UNITS, self._limits, self.spent, amount, strict=True):
            if limit is None or spent + more <= limit:
                continue
            left = max(limit - spent, 0)
            if unit == "US dollar":
                return Shortage(counted(caps.usd, unit), in_dollars(left), in_dollars(more))
            return Shortage(counted(limit, unit), str(left), str(more))
        return None

    def reserve(self, amount: Amount) -> None:
        self.reserved += amount

    def settle(self, reserved: Amount, spent: Amount) -> None:
        if reserved is not NOTHING:
            self.reserved -= reserved
        self.spent += spent

    def __repr__(self) -> str:
        return f"<Account {self.spent} spent, {self.reserved} reserved>"


def in_dollars(picodollars: int) -> str:
    """Exactly, without needless zeros."""
    text = f"{Decimal(picodollars) / PICODOLLARS:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
