"""In which order attributes get their values: each after those that its rule depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .rules import ByModel, Computed, Rule

__all__ = ["Steps", "steps_of"]


@dataclass(frozen=True, slots=True)
class Steps:
    """The names of attributes: those drawn `before` the model is asked, those `by_model`, those worked out `after`."""

    before: tuple[str, ...]
    by_model: tuple[str, ...]
    after: tuple[str, ...]


def steps_of(rules: Mapping[str, Rule]) -> Steps:
    """The steps; a function that names no attribute it needs, but takes all, comes as late as it can before the model.

    What needs something that a model writes comes after it. Raises ValueError for functions that need each other.
    """
    by_model = tuple(name for name, rule in rules.items() if isinstance(rule, ByModel))
    drawn = [name for name, rule in rules.items() if not isinstance(rule, ByModel | Computed)]
    waiting = {name: rule for name, rule in rules.items() if isinstance(rule, Computed)}
    before = _resolved(drawn, waiting, rules)
    late = {name: rule for name, rule in waiting.items() if name not in before}
    after = _resolved([*before, *by_model], late, rules)[len(before) + len(by_model) :]
    stuck = [name for name in late if name not in after]
    if stuck:
        raise ValueError(f"the functions for {', '.join(stuck)} need each other; one of them must do without")
    return Steps(tuple(before), by_model, tuple(after))


def _resolved(known: Sequence[str], waiting: Mapping[str, Computed], rules: Mapping[str, Rule]) -> list[str]:
    """`known`, and what can be worked out of it: those that take all come last."""
    done = list(known)
    for takes_all in (False, True):
        left = {name: rule for name, rule in waiting.items() if rule.takes_all <= takes_all and name not in done}
        while ready := [n for n, rule in left.items() if all(need in done or need not in rules for need in rule.needs)]:
            done += ready
            left = {name: rule for name, rule in left.items() if name not in ready}
    return done
