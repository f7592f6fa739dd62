"""Numbers as a person reads them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from playact.engine.wording import counted, dollars


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 dialogs"),
        (1, "1 dialog"),
        (1.0, "1 dialog"),
        ("1", "1 dialog"),
        (2, "2 dialogs"),
        (0.5, "0.5 dialogs"),
        (3_600_000.0, "3600000 dialogs"),
        (Decimal("0.10"), "0.10 dialogs"),
        ("1,000", "1,000 dialogs"),
        ("no", "no dialogs"),
    ],
)
def test_one_is_singular_and_all_else_plural(number: object, words: str) -> None:
    assert counted(number, "dialog") == words


@pytest.mark.parametrize(
    ("usd", "words"),
    [(0.0, "0.00"), (12.345, "12.35"), (0.05123, "0.0512"), (0.0000341, "0.000034"), (2.5e-10, "0.00000000025")],
)
def test_small_sums_keep_two_digits(usd: float, words: str) -> None:
    assert dollars(usd) == words
