"""How one agent may speak in a scenario: in which channels, with which asides, and who hears it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ...engine.completion import Usage
from ...engine.messages import Fact, Uttered
from ...engine.said import SPEECH, Said, written
from ...engine.structured import ReplySchema
from ..prompts import Prompts
from .asides import Asides
from .channel import Channel
from .earshot import Hearing
from .markup import Markup
from .turn_form import parts_of, schema_of
from .whisper_tool import whisper_to, whispers_in

__all__ = ["Manner", "TurnForm"]

TurnForm = Literal["markup", "json"]


@dataclass(frozen=True, kw_only=True)
class Manner:
    """An agent that speaks to all and does nothing else has none."""

    name: str
    cast: tuple[str, ...]
    channels: tuple[Channel, ...] = ()
    asides: Asides | None = None
    hearing: Hearing | None = None
    turn_form: TurnForm = "markup"

    def uttered(self, text: str, usage: Usage, facts: Iterable[Fact] = ()) -> Uttered | None:
        """The turn that a text, or JSON in the turn's form, stands for; None where there is nothing for anybody.

        `facts`: of the turn, which may have whispers in it.
        """
        meant = [*self._whispers(facts), *(self._limited(part) for part in self._parts(text))]
        meant = [part for part in meant if part.text]
        if all(part.heard_by == () for part in meant):
            return None
        parts = tuple(self._as_heard(part) for part in meant)
        if all(part.channel == SPEECH and part.heard_by == parts[0].heard_by for part in parts):
            return Uttered(self.name, " ".join(part.text for part in parts), usage, heard_by=parts[0].heard_by)
        text, heard_by = _for_readers(parts)
        return Uttered(self.name, text, usage, heard_by=heard_by, parts=parts)

    def has_whispered(self, facts: Iterable[Fact]) -> bool:
        """Whether a turn that comes to no words has something in it all the same."""
        return any(True for _ in self._whispers(facts))

    def told(self, prompts: Prompts) -> str:
        """What the agent is told of all this, "" for nothing. Raises `PromptInvalid`."""
        told = prompts.render(
            "channels_and_asides",
            channels=[
                {
                    "name": channel.name,
                    "words": channel.name.replace("_", " "),
                    "about": channel.about,
                    "max_chars": channel.max_chars,
                    "is_private": channel.hearers == (),
                }
                for channel in self.channels
            ],
            confidants=self._confidants,
            asides_by=None if self.asides is None else self.asides.by,
            turn_form=self.turn_form,
        )
        return told.removeprefix(" ")

    @cached_property
    def schema(self) -> ReplySchema | None:
        if self.turn_form != "json":
            return None
        return schema_of([channel.name for channel in self.channels], self._named_in_words)

    @property
    def tools(self) -> tuple[Callable[..., str], ...]:
        """The agent's beside those of its own."""
        return (whisper_to(self._confidants, self.cast),) if self._confidants and self._named_in_words is None else ()

    @cached_property
    def _confidants(self) -> tuple[str, ...]:
        return () if self.asides is None else self.asides.confidants(self.name, self.cast)

    @cached_property
    def _markup(self) -> Markup:
        confidants = None if self.asides is None else self._confidants  # by a tool, too, for all write as they read
        private = [channel.name for channel in self.channels if channel.hearers == ()]
        return Markup([channel.name for channel in self.channels], confidants, self.cast, private)

    @property
    def _named_in_words(self) -> tuple[str, ...] | None:
        return self._confidants if self.asides is not None and self.asides.by == "words" else None

    def _parts(self, text: str) -> Iterable[Said]:
        if self.schema is not None and not (checked := self.schema.check(text)).problem:
            formed = parts_of(checked.text, [channel.name for channel in self.channels])
            return [part for each in formed for part in self._markup.within(each)]
        return self._markup.parts(text)  # also opening words, which no model wrote

    def _whispers(self, facts: Iterable[Fact]) -> Iterable[Said]:
        return whispers_in(facts, self._confidants, self.cast) if self.tools else ()

    def _limited(self, part: Said) -> Said:
        for channel in self.channels:
            if channel.name == part.channel:
                heard_by = part.heard_by if channel.hearers is None else channel.hearers
                return Said(part.channel, channel.cut(part.text), heard_by)
        return part

    def _as_heard(self, part: Said) -> Said:
        """By those only who are where they can hear it."""
        if self.hearing is None or part.heard_by == ():
            return part
        hearers = self.hearing.hearers(self.name, part.text, self.cast)
        if hearers is None:
            return part
        meant = self.cast if part.heard_by is None else part.heard_by
        return part._replace(heard_by=tuple(name for name in meant if name in hearers and name != self.name))


def _for_readers(parts: Sequence[Said]) -> tuple[str, tuple[str, ...] | None]:
    """The text of a turn of several parts, and who hears that: what is said to all, else what is said, else done."""
    for group in (
        [part for part in parts if part.channel == SPEECH and part.heard_by is None],
        [part for part in parts if part.channel == SPEECH][:1],
    ):
        if group:
            return " ".join(part.text for part in group), group[0].heard_by
    shared = [part for part in parts if part.heard_by is None] or [part for part in parts if part.heard_by][:1]
    return written(shared), shared[0].heard_by if shared else ()
