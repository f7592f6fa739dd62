"""What can be told of a dialog before it is played: between what it will take, and what it is supposed to take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..completion import Usage
from .prices import Price

__all__ = ["Figures", "Outline", "Voice", "assumptions"]

LIKELY_REPLY, LONGEST_REPLY = 40, 1000  # tokens: of a short utterance, and where nothing limits a reply
_BYTES_A_TOKEN = 4  # of English; between 8, of long and common words, and 1
_JOURNAL_BYTES_A_CALL = 450  # of a reply and a turn, beside their words, which are in both


class Figures(NamedTuple):
    """What one dialog took, or what many did on the average. None is what is not known."""

    turns: float
    calls: float
    prompt_tokens: float
    completion_tokens: float
    picodollars: float | None
    seconds: float | None
    dataset_bytes: float
    journal_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A speaker: the bytes of its instructions, its longest reply in tokens, the price of its model.

    None is what is not known. `has_opening`: the dialog's first turn costs it no call.
    """

    prompt_bytes: int
    longest_reply: int | None = None
    price: Price | None = None
    has_opening: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A dialog that is to be: who speaks, in turn, and how long at the most.

    header_bytes, turn_bytes: what it takes in a dataset without any words, and what each turn adds beside its words.
    """

    voices: tuple[Voice, ...]
    max_turns: int
    header_bytes: int
    turn_bytes: int

    def least(self) -> Figures:
        """One turn of one token."""
        return self._figures(1, _Scale(reply=1, longest_reply=1, bytes_a_token=8, around=0))

    def likely(self) -> Figures:
        """Half of the turns, each a short utterance."""
        scale = _Scale(reply=LIKELY_REPLY, longest_reply=LIKELY_REPLY, bytes_a_token=_BYTES_A_TOKEN, around=4)
        return self._figures((1 + self.max_turns) // 2, scale)

    def most(self) -> Figures:
        """All turns, each as long as it may be, and a token for each byte."""
        return self._figures(
            self.max_turns, _Scale(reply=LONGEST_REPLY, longest_reply=None, bytes_a_token=1, around=16)
        )

    def _figures(self, turns: int, scale: _Scale) -> Figures:
        usages = list(self._usages(turns, scale))
        words = sum(usage.completion_tokens for _, usage in usages) * min(scale.bytes_a_token, _BYTES_A_TOKEN)
        if any(voice.price is None for voice, _ in usages):
            picodollars = None
        else:
            picodollars = sum(voice.price.cost(usage) for voice, usage in usages if voice.price is not None)
        return Figures(
            turns=turns,
            calls=len(usages),
            prompt_tokens=sum(usage.prompt_tokens for _, usage in usages),
            completion_tokens=sum(usage.completion_tokens for _, usage in usages),
            picodollars=picodollars,
            seconds=None,
            dataset_bytes=self.header_bytes + turns * self.turn_bytes + 2 * words,
            journal_bytes=turns * _JOURNAL_BYTES_A_CALL + 2 * words,
        )

    def _usages(self, turns: int, scale: _Scale) -> Iterator[tuple[Voice, Usage]]:
        """Each call sends the instructions and all that was said before."""
        said = 0
        for turn in range(turns):
            voice = self.voices[turn % len(self.voices)]
            reply = scale.reply_of(voice)
            if turn or not voice.has_opening:
                prompt = voice.prompt_bytes // scale.bytes_a_token + said + (turn + 2) * scale.around
                yield voice, Usage(prompt, reply)
            said += reply


@dataclass(frozen=True, slots=True)
class _Scale:
    """How much a reply is supposed to be, in tokens, and what bytes and messages come to."""

    reply: int
    longest_reply: int | None
    bytes_a_token: int
    around: int

    def reply_of(self, voice: Voice) -> int:
        if voice.longest_reply is None:
            return self.reply
        return voice.longest_reply if self.longest_reply is None else min(voice.longest_reply, self.longest_reply)


def assumptions(outlines: Iterable[Outline]) -> tuple[str, ...]:
    """What the figures of outlines suppose, in words."""
    outlines = list(outlines)
    most = max(outline.max_turns for outline in outlines)
    said = [
        f"a dialog has from 1 to {most} turns, half as many when nothing is known",
        f"a reply has {LIKELY_REPLY} tokens, or its max_tokens where they are fewer; at the most all it may have",
        f"a token is {_BYTES_A_TOKEN} bytes, at the most 8, at the least 1",
        "each turn is one call; tools, orchestrators, moderators and failed calls are not counted",
    ]
    if any(voice.longest_reply is None for outline in outlines for voice in outline.voices):
        said.append(f"no reply is longer than {LONGEST_REPLY} tokens, though no max_tokens says so")
    return tuple(said)
