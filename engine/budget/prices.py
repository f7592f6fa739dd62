"""What a token costs, by model: a table that ships with playact, and the user's own over it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from decimal import Decimal, InvalidOperation, Overflow
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from ..completion import Usage
from ..errors import FileInvalid
from .amount import PICODOLLARS

__all__ = ["UNKNOWN", "Price", "Prices"]

_PER = 1_000_000  # prices are stated for so many tokens
_DATE = re.compile(r"[-@](\d{4}-\d\d-\d\d|\d{8}|latest)$")
_KEYS = ("input", "output", "cached_input", "max_output_tokens")


@dataclass(frozen=True, slots=True)
class Price:
    """Picodollars a token. `max_output_tokens` is the longest reply that the model gives when none is asked for."""

    input: int
    output: int
    cached_input: int
    max_output_tokens: int | None = None

    def cost(self, usage: Usage) -> int:
        """Picodollars. Tokens of the prompt that were cached cost their own price, reasoning counts as output."""
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        return (
            (usage.prompt_tokens - cached) * self.input
            + cached * self.cached_input
            + usage.completion_tokens * self.output
        )

    def most(self, usage: Usage) -> int:
        """Picodollars, however many tokens of the prompt may turn out to be cached."""
        return usage.prompt_tokens * max(self.input, self.cached_input) + usage.completion_tokens * self.output

    @property
    def is_free(self) -> bool:
        return not (self.input or self.cached_input or self.output)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], under: Price | None = None) -> Self:
        """From US dollars for a million tokens. Raises ValueError, or TypeError, for what is no price.

        under: the price of which what is not said stays as it is. But who says what the input costs, and nothing of
        cached input, pays as much for that: nobody is to count on a discount that another price list has.
        """
        if not isinstance(content, Mapping):
            raise TypeError(f'a price is an object such as {{"input": 1, "output": 2}}, not {content!r}')
        if unknown := set(content) - set(_KEYS):
            raise ValueError(f"{min(unknown)} is nothing that a price has, which is {', '.join(_KEYS)}")
        if under is None and not {"input", "output"} <= set(content):
            raise ValueError(f"a price has input and output, and may have {', '.join(_KEYS[2:])}")
        paid = {name: _picodollars(content[name]) for name in _KEYS[:3] if name in content}
        if "input" in paid:
            paid.setdefault("cached_input", paid["input"])
        longest = content.get("max_output_tokens")
        if longest is not None and not (type(longest) is int and longest > 0):
            raise ValueError("max_output_tokens is a whole number above 0")
        if under is not None:
            paid = {name: getattr(under, name) for name in _KEYS[:3]} | paid
            longest = under.max_output_tokens if longest is None else longest
        return cls(**paid, max_output_tokens=longest)


UNKNOWN = Price(0, 0, 0)  # known by being this very object; it counts as nothing


class Prices:
    """Looks prices up by model string.

    A dated name, as "openai:gpt-4.1-2025-04-14", has the price of the plain one where it has none of its own; the price
    of a name without a colon, as "embedded", is that of all its models. `as_of` is the day of the table that ships with
    playact, `source` the file over it.
    """

    def __init__(self, prices: Mapping[str, Price], *, as_of: str = "", source: str | None = None) -> None:
        self.as_of = as_of
        self.source = source
        self._prices = dict(prices)

    @classmethod
    def load(cls, path: str | Path | None = None) -> Self:
        """The table that ships with playact, under that of a file in the same form. Raises `FileInvalid`.

        What the file leaves out of a price is as in the table, see `Price.from_dict`.
        """
        text = (files("playact.engine.budget") / "prices.json").read_text(encoding="utf-8")
        prices, as_of = _read(text, "prices.json", cls({}))
        if path is not None:
            try:
                text = Path(path).read_text(encoding="utf-8")
                prices |= _read(text, str(path), cls(prices))[0]
            except OSError as error:
                raise FileInvalid(str(path), None, f"cannot be read: {error.strerror}") from error
            except UnicodeDecodeError as error:
                raise FileInvalid(str(path), None, "is not UTF-8 text") from error
        return cls(prices, as_of=as_of, source=None if path is None else str(path))

    def of(self, model: str) -> Price | None:
        """None when it is not known."""
        for name in (model, _DATE.sub("", model), model.partition(":")[0]):
            if name in self._prices:
                return self._prices[name]
        return None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON, for a journal; `from_dict` is the way back."""
        return {"as_of": self.as_of, "source": self.source, "prices": {n: astuple(p) for n, p in self._prices.items()}}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        prices = {name: Price(*price) for name, price in content["prices"].items()}
        return cls(prices, as_of=content["as_of"], source=content["source"])

    def similar(self, model: str) -> tuple[str, ...]:
        """Names that have a price and look like this one, the likest first."""
        from difflib import get_close_matches

        return tuple(get_close_matches(model, self._prices, n=3, cutoff=0.75))


def _read(text: str, path: str, under: Prices) -> tuple[dict[str, Price], str]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise FileInvalid(path, error.lineno, f"is not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets within brackets
        raise FileInvalid(path, None, f"is no price table: {error}") from error
    models = content.get("models") if isinstance(content, dict) else None
    if not isinstance(models, dict):
        raise FileInvalid(path, None, 'has no "models", an object from model strings to prices')
    prices = {}
    for model, price in models.items():
        try:
            prices[model] = Price.from_dict(price, under.of(model))
        except (ValueError, TypeError, AttributeError) as error:
            raise FileInvalid(path, None, f"{model}: {error}") from error
    return prices, str(content.get("as_of", ""))


def _picodollars(dollars: object) -> int:
    """A token's share of a price, rounded up, so that what is reserved is never too little."""
    try:
        exact = Decimal(str(dollars)) * PICODOLLARS / _PER
    except (InvalidOperation, Overflow) as error:
        raise ValueError(f"{dollars!r} is no price") from error
    if not (exact.is_finite() and 0 <= exact <= PICODOLLARS) or isinstance(dollars, bool):
        raise ValueError(f"{dollars!r} is no price")
    return int(exact.to_integral_value(rounding="ROUND_CEILING"))
