"""Who is spoken to answers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from ...engine.dialog import Dialog
from .round_robin import after_last
from .turn_policy import CHECKED, Asking, Choice, Particular, TurnPolicy, policy_of

if TYPE_CHECKING:
    from ...engine.performance import Performance

__all__ = ["AddressedByName", "Otherwise"]


def _fallback(value: Any) -> Any:
    return None if value is None else policy_of(value)


Otherwise = Annotated[Any, BeforeValidator(_fallback)]  # a TurnPolicy or None; pydantic cannot check a protocol


@dataclass(frozen=True, config=CHECKED)
class AddressedByName:
    """Whoever the last turn names speaks next: who is spoken to, as in "Ben, are you there?", before who is spoken of.

    A first name will do where only one has it. A speaker's own name does not count. Where nobody is named, or several
    are with equal right, `otherwise` decides: a policy, or None for who comes next in the cast.
    """

    otherwise: Otherwise = None

    def next_speaker(self, cast: Sequence[str], dialog: Dialog) -> Choice | Awaitable[Choice]:
        if dialog.turns:
            last = dialog.turns[-1]
            for named in _named(tuple(cast), last.text):
                others = [name for name in named if name != last.speaker]
                if len(others) == 1:
                    return cast.index(others[0])
                if others:
                    break
        if self.otherwise is None:
            return after_last(cast, dialog)
        policy: TurnPolicy = self.otherwise
        return policy.next_speaker(cast, dialog)

    def playing(self, performance: Performance) -> TurnPolicy:
        """Itself, unless `otherwise` asks a model."""
        if not isinstance(self.otherwise, Asking):
            return self
        return replace(self, otherwise=self.otherwise.playing(performance))

    def check(self, cast: Sequence[str]) -> None:
        if isinstance(self.otherwise, Particular):
            self.otherwise.check(cast)


def _named(cast: tuple[str, ...], text: str) -> tuple[list[str], list[str]]:
    """Who is spoken to in a text, and who is named in it at all."""
    addressed, mentioned = _patterns(cast)
    return (
        [name for name, pattern in addressed.items() if pattern.search(text)],
        [name for name, pattern in mentioned.items() if pattern.search(text)],
    )


@lru_cache(maxsize=256)
def _patterns(cast: tuple[str, ...]) -> tuple[Mapping[str, re.Pattern[str]], Mapping[str, re.Pattern[str]]]:
    addressed, mentioned = {}, {}
    for name in cast:
        own = "|".join(_whole(form) for form in _forms(name, cast))
        mentioned[name] = re.compile(own, re.IGNORECASE)
        addressed[name] = re.compile(
            rf"@(?:{own})|(?:^|[.!?\n]\s*|\b(?:hi|hey|hello|so|and|well|thanks|yes|no|ok|okay),?\s+)(?:{own})\s*[,:?!—-]"
            rf"|,\s*(?:{own})\s*(?:[.?!…,]|$)",
            re.IGNORECASE,
        )
    return addressed, mentioned


def _forms(name: str, cast: Sequence[str]) -> list[str]:
    """The name, and its first word where nobody else's name begins with that."""
    first = name.split()[0] if name.split() else name
    same = [other for other in cast if other.split()[:1] == [first]]
    return [name, first] if len(same) == 1 and first != name and len(first) > 1 else [name]


def _whole(form: str) -> str:
    """Not within another word; scripts without letter case have no spaces between words either."""
    before = r"(?<!\w)" if form[0].lower() != form[0].upper() else ""
    after = r"(?!\w)" if form[-1].lower() != form[-1].upper() else ""
    return f"{before}{re.escape(form)}{after}"
