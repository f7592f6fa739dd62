"""A channel: one of the things that a turn may consist of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from ...engine.said import SPEECH
from ..problem import problem

__all__ = ["Channel", "Channels", "OwnChannels"]

_CHECKED = ConfigDict(extra="forbid")
_PRIVATE = ("thought",)


@dataclass(frozen=True, config=_CHECKED)
class Channel:
    """Something that runs beside what is said, such as Channel("action"), or speech itself, to limit it.

    is_shared: whether all hear of it, or nobody but the speaker; None is nobody of thoughts and all of anything else.
    max_chars: how long each part of a turn may be in it; what is beyond is left out, from a word's end.
    about: what an agent is told of it, beside how to write it.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,30}$")]
    is_shared: bool | None = None
    max_chars: Annotated[int | None, Field(ge=1)] = None
    about: str = ""

    def __post_init__(self) -> None:
        if self.name == SPEECH and self.is_shared is False:
            raise ValueError("speech that nobody hears is no speech; say with `hearing` who hears whom")
        if self.name == "to":
            raise ValueError("a channel cannot be named to, as [to Ben: ...] is an aside; give it another name")

    @property
    def hearers(self) -> tuple[str, ...] | None:
        """As `Said.heard_by` has them."""
        is_shared = self.name not in _PRIVATE if self.is_shared is None else self.is_shared
        return None if is_shared else ()

    def cut(self, text: str) -> str:
        if self.max_chars is None or len(text) <= self.max_chars:
            return text
        head = text[: self.max_chars]
        if not text[self.max_chars].isspace() and any(letter.isspace() for letter in head):
            head = head[: max(place for place, letter in enumerate(head) if letter.isspace())]
        return head.rstrip()


def _channels(value: Any) -> Any:
    """One thing stands for a list of one, a name for the channel of that name."""
    if value is None:
        return None
    several = value if isinstance(value, list | tuple) else (value,)
    made = tuple({"name": each} if isinstance(each, str) else each for each in several)
    for place, each in enumerate(made):
        if not isinstance(each, Channel | Mapping):
            raise problem("a channel is a name, as in action, or {name: action, max_chars: 80}", place)
    names = [each.name if isinstance(each, Channel) else dict(each).get("name") for each in made]
    if len(set(names)) < len(names):
        raise ValueError(f"a channel is declared twice among {', '.join(map(str, names))}")
    return made


Channels = Annotated[tuple[Channel, ...], BeforeValidator(_channels)]
OwnChannels = Annotated[tuple[Channel, ...] | None, BeforeValidator(_channels)]
