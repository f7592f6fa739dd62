"""Counts by model."""

from __future__ import annotations

from playact.engine.budget.meter import Meter
from playact.engine.completion import Usage


def test_calls_and_tokens_are_counted_by_model() -> None:
    meter = Meter()

    for model, usage in (("a", Usage(1, 2, 1)), ("b", Usage(10, 20)), ("a", Usage(3, 4, 2))):
        meter.add(model, usage)

    assert meter.calls == 3
    assert meter.by_model == {"a": Usage(4, 6, 3), "b": Usage(10, 20)}
    assert repr(meter) == "<Meter 3 calls of a, b>"
