"""Hard caps on what a run may cost, and each of its dialogs; what they promise is said in `Budget`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from .amount import PICODOLLARS, Amount

__all__ = ["Budget", "Caps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The most of each; None for no cap, 0 for nothing at all.

    usd: US dollars, also as a text such as "0.50". tokens: of prompts and replies together. calls: those that were
    answered, or may have to be paid for all the same. seconds: how long calls are made, over all sessions of a run;
    those under way when it is over are given up, and count as paid for.

    Raises ValueError.
    """

    usd: Decimal | float | str | None = None
    tokens: int | None = None
    calls: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("usd", "tokens", "calls", "seconds"):
            cap, is_whole = getattr(self, name), name in ("tokens", "calls")
            try:
                is_cap = cap is None or (Decimal(str(cap)).is_finite() and Decimal(str(cap)) >= 0)
            except InvalidOperation:
                is_cap = False
            if not is_cap or (is_whole and cap is not None and type(cap) is not int):
                raise ValueError(f"{name}: a cap is a {'whole ' if is_whole else ''}number from 0 up, not {cap!r}")

    @property
    def picodollars(self) -> int | None:
        return None if self.usd is None else int(Decimal(str(self.usd)) * PICODOLLARS)

    def to_dict(self) -> dict[str, Any]:
        values = {"usd": None if self.usd is None else str(self.usd), "tokens": self.tokens, "calls": self.calls}
        return {name: value for name, value in {**values, "seconds": self.seconds}.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Caps):
    """Caps on the run as a whole, and, with `per_dialog`, on each dialog.

    A call is held back while calls under way might use up what is left; the run ends when one could not be paid for
    even if they cost nothing. A dialog that meets a cap of its own ends; the others go on.

    What is spent never exceeds a cap, at any number of calls in flight, retried, given up or failed: each is reserved
    at its most before it is sent, and counts as that until its reply says less. The one exception is a service that
    bills more than was asked for, a longer reply than `max_tokens` or more tokens than the prompt has bytes: that much
    is over, for the calls then under way, and no call is sent after. Over several sessions a cap on the run holds too,
    also when they were killed; for a cap on a dialog only replies count that reached the journal.
    """

    per_dialog: Caps | None = None

    def __post_init__(self) -> None:
        Caps.__post_init__(self)
        each: object = self.per_dialog
        if isinstance(each, Mapping):
            if unknown := set(each) - {"usd", "tokens", "calls", "seconds"}:
                raise ValueError(f"per_dialog: {min(unknown)} is no cap; caps are usd, tokens and calls")
            object.__setattr__(self, "per_dialog", Caps(**each))
        elif not (each is None or isinstance(each, Caps)):
            raise TypeError(f"per_dialog: say Caps(...), or its fields as a dict, not {each!r}")
        if self.per_dialog is not None and self.per_dialog.seconds is not None:
            raise ValueError("a dialog has no cap on seconds; cap its turns, calls, tokens or money")

    def after(self, spent: Amount, seconds: float = 0.0) -> Self:
        """What is left of it for another run, once so much was spent; never less than nothing."""
        usd = None if self.picodollars is None else Decimal(max(0, self.picodollars - spent.picodollars)) / PICODOLLARS
        return replace(
            self,
            usd=usd,
            tokens=None if self.tokens is None else max(0, self.tokens - spent.tokens),
            calls=None if self.calls is None else max(0, self.calls - spent.calls),
            seconds=None if self.seconds is None else max(0.0, self.seconds - seconds),
        )

    def to_dict(self) -> dict[str, Any]:
        own = Caps.to_dict(self)
        return own if self.per_dialog is None else {**own, "per_dialog": self.per_dialog.to_dict()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        return cls(**content)
