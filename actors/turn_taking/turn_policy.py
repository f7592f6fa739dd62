"""The port of all turn policies, and how a scenario file names one."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pydantic import ConfigDict, ValidationError

from ...engine.dialog import Dialog
from ..problem import inside, problem

if TYPE_CHECKING:
    from ...engine.performance import Performance

__all__ = ["CHECKED", "Asking", "Particular", "TurnPolicy", "policies_by_name", "policy_of"]

CHECKED = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

Choice = int | None


class TurnPolicy(Protocol):
    """Decides who speaks. One object serves many dialogs: all it may go by is what it is given."""

    def next_speaker(self, cast: Sequence[str], dialog: Dialog) -> Choice | Awaitable[Choice]:
        """The place in `cast` of who speaks next; None when nobody is to speak any more, which ends the dialog.

        `dialog` is what was said so far, to be read only. What not all hear is not in it: a turn that was whispered is
        there without words.
        """
        ...


@runtime_checkable
class Particular(Protocol):
    """A policy that suits not every cast."""

    def check(self, cast: Sequence[str]) -> None:
        """Raises ValueError when it names somebody who is not in the cast, or leaves nobody to speak."""
        ...


@runtime_checkable
class Asking(Protocol):
    """A policy that asks a model, for which it must know the dialog that is played."""

    def playing(self, performance: Performance) -> TurnPolicy:
        """The policy in this one dialog. It may have to go on from facts that are in the scope's log already."""
        ...


def policies_by_name() -> dict[str, Any]:
    """Those that a scenario file can name."""
    from .addressed_by_name import AddressedByName
    from .moderator import Moderator
    from .round_robin import RoundRobin
    from .scripted_order import ScriptedOrder
    from .weighted_random import WeightedRandom

    kinds = (RoundRobin, WeightedRandom, AddressedByName, Moderator, ScriptedOrder)
    return {kind.__name__: kind for kind in kinds}


def policy_of(value: Any) -> Any:
    """A policy as it is, or as a scenario file names one. Raises ValueError for what is none, with the place inside."""
    if hasattr(value, "next_speaker"):
        return value
    known = policies_by_name()
    content = {value: {}} if isinstance(value, str) else value
    if isinstance(content, dict) and len(content) == 1:
        ((name, parameters),) = content.items()
        if name not in known and (close := get_close_matches(str(name), known, 1)):
            raise problem(f"unknown turn policy `{name}`; did you mean `{close[0]}`?", name)
        if name in known and isinstance(parameters, dict | None):
            try:
                return known[name](**(parameters or {}))
            except ValidationError as error:
                raise inside(error, name) from error
    raise ValueError(
        f"a turn policy is one of {', '.join(known)}, with its parameters as in WeightedRandom: {{weights: {{Ana: 2}}}}"
        ", or an object of yours with a method `next_speaker`"
    )
