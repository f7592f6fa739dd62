"""One object to be generated: what a simulation plays to have it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...engine.dialog import Dialog, Ending
from ...engine.performance import Performance
from ..prompts import with_versions
from .blueprint import Blueprint
from .maker import Make, Maker

__all__ = ["Making"]


@dataclass(frozen=True, kw_only=True)
class Making:
    """A blueprint, and what is particular to one object made from it.

    cell: what a population says that it has. variant: how often it was made before, in vain. unlike: objects that it
    was too much like.
    """

    blueprint: Blueprint
    seed: int | None = None
    cell: Mapping[str, Any] = field(default_factory=dict)
    variant: int = 0
    unlike: tuple[Mapping[str, Any], ...] = ()

    def dialog(self, **header: Any) -> Dialog:
        """A dialog without words; what is made becomes its last event, "generate"."""
        return Dialog(personas={}, **with_versions(header, self.blueprint.prompts))

    def play(self, performance: Performance) -> Awaitable[Ending]:
        """Raises what keeps it from being made."""
        scope = performance.scope
        return scope.ask(scope.spawn(partial(Maker, self, performance), name="maker"), Make())

    def recipe(self) -> Mapping[str, Any]:
        """As JSON, but for the seed; see `recipes`."""
        from ..recipes import playable_recipe

        return playable_recipe(self, blueprint=self.blueprint.recipe)
