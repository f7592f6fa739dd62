"""A law, tried on random casts: no private word is ever told to who did not hear it, on no way that leads to a prompt.

Each agent has a model of its own, which its orchestrators ask, too; the simulation's own is the moderator's. Each reply
has words in it that are nowhere else, so that whoever is shown one can be asked whether it was for its ears.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest

from playact.actors import (
    AddressedByName,
    Agent,
    Asides,
    Channel,
    Check,
    DirectorOrchestrator,
    Earshot,
    Manners,
    Moderator,
    Orchestrator,
    Persona,
    PlanOrchestrator,
    PlanStep,
    Scenario,
    SimpleResponseOrchestrator,
    TurnPolicy,
    WeightedRandom,
)
from playact.actors.generators import Paraphraser
from playact.backends.scripted import ScriptedBackend
from playact.backends.small_talk import small_talk
from playact.engine import Completion, CompletionRequest, Dialog, Simulation, ToolCall, generator
from playact.engine.exports import Perspective
from playact.engine.said import parts_in

pytestmark = pytest.mark.anyio

NAMES = ("Ana", "ana", "Ben Bo", "Tom and Ana", "R2 [bot]", "Zoë: née")
WORD = re.compile(r"w\d+q\d+e")
EVERYBODY = ""  # who hears only what all hear


@dataclass
class Ears:
    """What each was shown: words, by whose model was asked. `number`: of all words of theirs, apart from others'.

    stop: called at the call of the number `stop_at`, which is never answered.
    """

    number: int = 0
    stop_at: int | None = None
    stop: Callable[[], None] = lambda: None
    shown: dict[str, set[str]] = field(default_factory=dict)

    def model(self, name: str, cast: Sequence[str]) -> ScriptedBackend:
        async def answer(request: CompletionRequest) -> Completion:
            self.shown.setdefault(name, set()).update(WORD.findall(repr(request)))
            if request.sequence == self.stop_at:
                self.stop()
                await anyio.sleep_forever()
            return reply(request, cast, f"w{self.number}q{request.sequence}e")

        return ScriptedBackend(answer, name=f"of {name}")


def reply(request: CompletionRequest, cast: Sequence[str], word: str) -> Completion:
    """Words for all, for some, for nobody; in markup, by a tool, in a form."""
    luck = generator(request.seed or 0, "reply")
    to = luck.sample(cast, luck.randint(1, min(2, len(cast))))
    if request.response_schema is not None:
        content = json.loads(small_talk(request))
        for key in ("speech", "thought", "advice"):
            content |= {key: f"{key} {word}{len(key)}"} if key in content else {}
        return Completion(text=json.dumps(content))
    if request.tools and request.messages[-1].role != "tool" and luck.random() < 0.4:
        call = ToolCall(f"c{request.sequence}", "whisper", json.dumps({"to": to, "text": f"psst {word}"}))
        return Completion(text="", tool_calls=(call,), finish="tool_calls")
    names = luck.choice([" and ", ", ", " & "]).join(to)
    aside = luck.choice(
        [
            f"[to {names}: psst {word}1]",
            f"[to {to[0]}] psst {word}1",
            f"[to {to[0]}: psst [sic] {word}1",
            f"[thought: {word}1]",
            f"*leans over [to {names}: psst {word}1]*",
            f"[to {names}: psst [thought: hm {word}1] so]",
            f"[**to {to[0].upper()}** only]: psst {word}1",
            f"[to {names} / Zed] psst {word}1",
            f"[to {to[0]}: :-] psst {word}1]",
            f"\uff3bto {names}\uff1apsst {word}1\uff3d",
            f"[to whom it may concern] psst {word}1",
        ]
    )
    public = luck.choice([f"Well, {word}2.", f"{luck.choice(cast)}, what of {word}2?", "As an AI language model, no."])
    return Completion(text=f"*waves {word}3* {public} {aside}")


class Curious(Orchestrator):
    """Passes all that it is shown on to its agent's model, and looks ahead."""

    async def instruct(self, dialog: Dialog, utterance: str) -> str:
        ahead = await self.agent_response_lookahead() if len(dialog) % 2 else ""
        return await self.ask(f"{utterance} {dialog.json(string=True)} {ahead}")

    async def conclude(self, dialog: Dialog) -> None:
        await self.ask(dialog.json(string=True))


def drawn(seed: int, ears: Ears) -> Scenario:
    luck = Random(seed)
    names = luck.sample(NAMES, luck.randint(2, 6))
    advisers: list[Orchestrator] = [
        Curious(),
        DirectorOrchestrator("Be kind.", every=2),
        PlanOrchestrator({"ask": PlanStep(tell="Ask.", check=Check(question="Was it asked?", by="anyone"))}),
        SimpleResponseOrchestrator(["Yes.", "No."], top_k=1, embedder=LETTERS),
    ]
    cast = tuple(
        Agent(Persona(name=name), model=ears.model(name, names)) | luck.sample(advisers, luck.randint(0, 2))
        for name in names
    )
    policies: list[TurnPolicy] = [
        AddressedByName(Moderator()),
        Moderator(may_end=True, otherwise=WeightedRandom()),
        WeightedRandom(),
    ]
    return Scenario(
        cast=cast,
        seed=seed,
        max_turns=luck.randint(3, 9),
        asides=luck.choice([Asides(), Asides(by="tool"), Asides(between=(tuple(names[:2]), tuple(names[1:])))]),
        channels=luck.choice([(), (Channel("action"), Channel("thought")), (Channel("action", is_shared=False),)]),
        hearing=luck.choice([None, Earshot({names[0]: (names[-1],)})]),
        turn_form=luck.choice(["markup", "markup", "json"]),
        turn_policy=luck.choice(policies),
        manners=luck.choice([Manners(), Manners.all("retry"), Manners.all("end")]),
    )


class Letters:
    """An embedder that counts letters."""

    name = "letters"

    async def open(self) -> None: ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return [[float(text.count(letter)) for letter in "aeinrst"] for text in texts]

    async def aclose(self) -> None: ...


LETTERS = Letters()


def hearers(dialog: Dialog) -> dict[str, set[str]]:
    """Who may know each word: its speaker, and whom the dialog says to have heard it."""
    cast, known = list(dialog.personas or ()), dict[str, set[str]]()
    for turn in dialog:
        for part in parts_in(turn.text, turn.model_extra):
            told = {EVERYBODY, *cast} if part.heard_by is None else set(part.heard_by)
            assert EVERYBODY not in told or "psst" not in part.text, f"public: {part.text}"
            for word in WORD.findall(part.text):
                known.setdefault(word, set()).update(told, {turn.speaker or ""})
    return known


def check(ears: Mapping[str, set[str]], known: Mapping[str, set[str]], *, is_all: bool = True) -> None:
    """Words that came into no turn were told to nobody; whose they are, its own model and advisers may know."""
    for listener, words in ears.items():
        for word in words & known.keys():
            assert listener in known[word], f"{word} was for {known[word]}, and {listener or 'the moderator'} saw it"
    if is_all:
        owners: dict[str, set[str]] = {}
        for listener, words in ears.items():
            for word in words - known.keys():
                owners.setdefault(word, set()).add(listener)
        assert all(len(who) == 1 for who in owners.values()), owners


async def play(scenario: Scenario, ears: Ears, **more: Any) -> Dialog:
    async with Simulation(model=ears.model(EVERYBODY, scenario.names), seed=1, **more) as simulation:
        return await simulation.play(scenario)


def anew(scenario: Scenario, ears: Ears) -> Scenario:
    """The same, whose models are listened to by others."""
    names = scenario.names
    cast = (replace(agent, model=ears.model(name, names)) for name, agent in zip(names, scenario.cast, strict=True))
    return scenario.model_copy(update={"cast": tuple(cast)})


SEEDS = range(60)


async def test_it_holds_in_dialogs_and_in_all_that_is_made_of_them() -> None:
    private = 0
    for seed in SEEDS:
        ears = Ears()
        dialog = await play(drawn(seed, ears), ears)
        known = hearers(dialog)
        private += sum(EVERYBODY not in who for who in known.values())

        check(ears.shown, known)
        for chat in Perspective(assistant="each", advice=False).chats(dialog):
            words = set(WORD.findall(repr(chat.messages)))
            assert all(chat.assistant in known.get(word, {chat.assistant}) for word in words)
        for turn_by_turn in (False, True):
            told: set[str] = set()
            reworded = await paraphrased(dialog, told, turn_by_turn=turn_by_turn)
            check({EVERYBODY: told}, known, is_all=False)
            assert hearers(reworded).keys() <= known.keys()
            assert [(turn.model_extra or {}).get("heard_by") for turn in reworded] == [
                (turn.model_extra or {}).get("heard_by") for turn in dialog
            ]
            assert all(known[word] == who for word, who in hearers(reworded).items() if EVERYBODY not in known[word])
    assert private > 100


async def paraphrased(dialog: Dialog, told: set[str], *, turn_by_turn: bool) -> Dialog:
    def answer(request: CompletionRequest) -> str:
        told.update(WORD.findall(repr(request)))
        return small_talk(request)

    async with Simulation(model=ScriptedBackend(answer)) as simulation:
        return await simulation.play(Paraphraser(turn_by_turn=turn_by_turn).rewording(dialog))


async def test_it_holds_in_forks_whoever_sits_where() -> None:
    for seed in SEEDS:
        before = Ears()
        dialog = await play(drawn(seed, before), before)
        known, luck = hearers(dialog), Random(seed)
        ears = Ears(number=1)
        scenario = anew(drawn(seed, ears), ears)
        cast = list(scenario.cast)
        luck.shuffle(cast)
        cast = cast[: luck.randint(2, len(cast))]
        forked = Scenario(cast=tuple(cast), seed=seed, max_turns=len(dialog) + 4, asides=Asides())
        takes = dict(zip(scenario.names, forked.names, strict=False))

        turn = luck.randint(0, len(dialog))
        async with Simulation(model=ears.model(EVERYBODY, forked.names), seed=1) as simulation:
            await simulation.fork(dialog, turn=turn, scenario=forked)

        inherited = {word: {takes.get(who, "gone") if who else who for who in told} for word, told in known.items()}
        check(ears.shown, inherited, is_all=False)


async def test_it_holds_in_runs_that_are_broken_off_and_gone_on_with(tmp_path: Path) -> None:
    for seed in list(SEEDS)[::3]:
        whole, stop_at = Ears(), 1 + seed % 9
        expected = await play(drawn(seed, whole), whole)
        ears, journal = Ears(stop_at=stop_at), tmp_path / f"{seed}.db"
        scenario = drawn(seed, ears)

        with anyio.CancelScope() as scope:
            ears.stop = scope.cancel
            await play(scenario, ears, journal=journal)
        ears.stop_at = None
        code = [LETTERS, Curious, *(agent.model for agent in scenario.cast)]
        async with Simulation.resume(journal, model=ears.model(EVERYBODY, scenario.names), code=code) as simulation:
            dialogs = [dialog async for dialog in simulation.run()]

        for dialog in dialogs:
            assert dialog.digest() == expected.digest()
            check(ears.shown, hearers(dialog))
        assert ears.shown == whole.shown


async def test_it_holds_in_conversations_whose_partner_hears_no_thought() -> None:
    agent = Agent(Persona(name="Ana"), channels=(Channel("action"), Channel("thought")))
    model = ScriptedBackend(lambda request: "*nods* Well. [thought: w1q1e] Yes.")
    async with agent.conversation(model=model) as chat:
        heard = [await chat("Hello?"), await chat.response_lookahead("And now?"), await chat("Well?")]

    assert heard == ["*nods* Well. Yes."] * 3
