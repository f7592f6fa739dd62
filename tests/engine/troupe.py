"""Scenarios for tests of durable runs: one for each thing that a dialog may go by, and a model that hears it all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeVar

import anyio.lowlevel

from playact.actors import (
    Agent,
    LengthOrchestrator,
    Orchestrator,
    Persona,
    Scenario,
    SimpleReflexOrchestrator,
)
from playact.backends.faults import Latency
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, Context, Dialog, Simulation, ToolCall, Usage
from playact.engine.digest import DatasetDigest
from playact.engine.journal import JournalFile
from playact.engine.journal.disk import Step

__all__ = [
    "CODE",
    "ORDERS",
    "PLAIN",
    "TROUPE",
    "InlineDisk",
    "Model",
    "Quest",
    "answered",
    "digest_of",
    "given",
    "played",
]

T = TypeVar("T")
ORDERS: list[str] = []  # the effect of a tool beyond its dialog; each test empties it
_WORDS = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath")


class Model(ScriptedBackend):
    """Says what all of the request decides, so that whatever is not as it was shows; remembers what it was asked."""

    def __init__(self, *, name: str = "scripted", latency: Latency | None = None, seed: int = 0) -> None:
        super().__init__(self.reply, name=name, latency=latency, seed=seed)
        self.asked: list[tuple[str, int]] = []

    def reply(self, request: CompletionRequest) -> Completion:
        self.asked.append((request.dialog, request.sequence))
        said = repr((request.messages, request.seed, request.parameters, self.name))
        luck = int.from_bytes(blake2b(said.encode(), digest_size=4).digest(), "big")
        words = f"{_WORDS[luck % 8]} {_WORDS[luck // 8 % 8]} {luck % 1000}"
        last = request.messages[-1]
        if request.tools and last.role != "tool":
            calls = tuple(ToolCall(f"c{place}", "order", f'{{"what": "{words} {place}"}}') for place in range(2))
            return Completion(text="", tool_calls=calls, usage=Usage(5, 2))
        match request.messages[0].text:
            case text if "says the same" in text:
                words = "Again and again."
            case text if "says goodbye" in text and len(request.messages) > 4:
                words = f"Goodbye, {words}!"
            case text if "ends it" in text and len(request.messages) > 4:
                words = f"{words} [[END]]"
        return Completion(text=words, thinking=f"Hm, {words}" if request.think else "", usage=Usage(7, 3))


class Counting(Orchestrator):
    """Keeps a count, so that it must have lived through the dialog."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.seen: list[str] = []

    def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        self.seen.append(utterance)
        return f"Heard so far: {self.seen}" if len(self.seen) % self.every == 0 else None


@dataclass
class Moody(Orchestrator):
    """Goes by chance, seeded by the dialog."""

    moods: tuple[str, ...] = ("glad", "sad", "cross")
    persistent: bool = True

    async def instruct(self, dialog: Dialog, utterance: str) -> str:
        await anyio.lowlevel.checkpoint()
        return f"Be {Random(f'{dialog.id} {len(dialog)}').choice(self.moods)}."


class ByTheWord:
    """A turn policy that goes by what was said last, and may give the same speaker two turns running."""

    def next_speaker(self, cast: Sequence[str], dialog: Dialog) -> int:
        return len(dialog.turns[-1].text) % len(cast) if dialog.turns else 0


class Quest(Scenario):
    """A scenario with a field of its own."""

    prize: str = "gold"

    def dialog(self, **header: Any) -> Dialog:
        dialog = super().dialog(**header)
        dialog.scenario = f"for {self.prize}"
        return dialog


async def order(what: str) -> str:
    """Orders something, which cannot be taken back."""
    ORDERS.append(what)
    return f"ordered {what}"


def shout(text: str) -> str:
    return text.upper()


def without_vowels(text: str) -> str:
    return "".join(letter for letter in text if letter not in "aeiou")


ADA = Agent(Persona(name="Ada", role="host"))
BOB = Agent(Persona(name="Bob", role="guest", age=40))
CEM = Agent(Persona(name="Cem"), think=True)
PLAIN = Scenario(cast=(ADA, BOB), max_turns=4, context=Context(location="a pier"))
TROUPE: dict[str, Scenario] = {
    "plain": PLAIN,
    "advised": Scenario(
        cast=(ADA | SimpleReflexOrchestrator("amber|birch|[02468]", "Ask why."), BOB | LengthOrchestrator(max=5)),
        max_turns=6,
    ),
    "counting": Scenario(cast=(ADA | Counting(2), Agent(name="Eve", preprocess=shout) | Counting(1)), max_turns=6),
    "moody": Scenario(cast=(ADA | Moody(), BOB | Moody(moods=("shy", "bold"))), max_turns=5),
    "tools": Scenario(cast=(ADA, Agent(name="Til", tools=[order])), max_turns=4),
    "three": Scenario(cast=(ADA, BOB, CEM), max_turns=7),
    "policy": Scenario(cast=(ADA | Counting(1), BOB, CEM), turn_policy=ByTheWord(), max_turns=6),
    "opening": Scenario(cast=(Agent(name="Oda", first_utterance=["Hi.", "Hello.", "Ahoy."]), BOB), max_turns=4),
    "marker": Scenario(cast=(ADA, Agent(Persona(name="Max", personality="ends it"))), max_turns=9),
    "goodbyes": Scenario(
        cast=tuple(Agent(Persona(name=name, personality="says goodbye")) for name in ("Gil", "Gus")), max_turns=9
    ),
    "loop": Scenario(
        cast=tuple(Agent(Persona(name=name, personality="says the same")) for name in ("Lea", "Lou")), max_turns=9
    ),
    "words": Scenario(cast=(Agent(name="Pre", preprocess=shout), Agent(name="Pos", postprocess=without_vowels))),
    "quest": Quest(cast=(ADA, BOB), max_turns=3, prize="silver", seed=99),
}
TROUPE["words"] = TROUPE["words"].model_copy(update={"max_turns": 4})
CODE: tuple[object, ...] = (Counting, Moody, ByTheWord, Quest, order, shout, without_vowels)


class InlineDisk:
    """Does its work at once, and lets other tasks run before it. Dead from the `dies_at`-th commit on, if there is one.

    is_kept: whether that commit reaches the file all the same, and only nobody hears of it.
    """

    synchronous: Literal["FULL", "OFF"] = "OFF"

    def __init__(self, dies_at: int | None = None, *, is_kept: bool = False) -> None:
        self.commits = 0
        self._dies_at = dies_at
        self._is_kept = is_kept

    async def run(self, step: Step, work: Callable[[], T]) -> T:
        await anyio.lowlevel.checkpoint()
        if step == "commit":
            self.commits += 1
            if self._dies_at is not None and self.commits >= self._dies_at:
                if self._is_kept and self.commits == self._dies_at:
                    work()
                raise OSError("the disk is dead")
        return work()

    def rename(self, old: Path, new: Path) -> None:
        old.replace(new)


async def played(simulation: Simulation, scenarios: Any = None, *, ordered: bool = False) -> dict[str, Dialog]:
    """The dialogs of one run, by id, in the order in which they came."""
    return {str(dialog.id): dialog async for dialog in simulation.run(scenarios, ordered=ordered)}


def digest_of(dialogs: dict[str, Dialog]) -> str:
    digest = DatasetDigest()
    for dialog in dialogs.values():
        digest.add(dialog)
    return digest.hexdigest()


def answered(path: Path) -> set[tuple[str, int]]:
    """Which calls of which dialogs have a reply in a journal, by the dialog's id and the call's number."""
    file = JournalFile.read(path)
    try:
        ids = {row.number: row.id for row in file.dialogs()}
        return {(ids[e.dialog], e.content()["call"]) for e in file.entries(1) if e.kind == "reply"}
    finally:
        file.close()


def given(path: Path) -> set[str]:
    """What was ordered, as far as a journal knows."""
    file = JournalFile.read(path)
    try:
        return {e.content()["text"].removeprefix("ordered ") for e in file.entries(1) if e.kind == "answer"}
    finally:
        file.close()
