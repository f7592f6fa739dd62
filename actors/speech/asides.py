"""Who may speak with whom behind the others' backs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict
from pydantic.dataclasses import dataclass

from ..problem import problem

__all__ = ["Asides", "AsidesAllowed"]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Asides:
    """Agents may tell something to some of the others only, who alone hear it then.

    between: groups of names, as in [("Ana", "Ben")]; whoever are in one group may whisper to each other. Without any,
        everybody may to everybody.
    by: how it is done: in "words", as [to Ben: I do not trust him.], or by a "tool" of the name `whisper`.

    What is whispered to somebody who is not there, or with whom the speaker may not, is heard by nobody.
    """

    between: tuple[tuple[str, ...], ...] = ()
    by: Literal["words", "tool"] = "words"

    def confidants(self, speaker: str, cast: Sequence[str]) -> tuple[str, ...]:
        """To whom a speaker may whisper, in the order of the cast."""
        if not self.between:
            return tuple(name for name in cast if name != speaker)
        allowed = {name for group in self.between if speaker in group for name in group}
        return tuple(name for name in cast if name in allowed and name != speaker)

    def check(self, cast: Sequence[str]) -> None:
        """Raises ValueError when it names somebody who is not in the cast."""
        for place, group in enumerate(self.between):
            for name in group:
                if name not in cast:
                    told = f"asides are between the cast, {', '.join(cast)}; {name!r} is not one of them"
                    raise problem(told, "between", place)


def _asides(value: Any) -> Any:
    if isinstance(value, bool):
        return Asides() if value else None
    return value


AsidesAllowed = Annotated[Asides | None, BeforeValidator(_asides)]
