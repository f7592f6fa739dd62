"""What else the tests try: many who whisper, act and think, whom models direct and moderate, and makers of all kinds.

playact simtest tests/engine/simtest/party.py --seeds 10000
"""

from __future__ import annotations

import json
import re
from random import Random

from playact.actors import (
    AddressedByName,
    Agent,
    Asides,
    ChangeMindOrchestrator,
    Channel,
    Check,
    DirectorOrchestrator,
    Drift,
    DriftOrchestrator,
    DriftRule,
    Earshot,
    InstructionListOrchestrator,
    Manners,
    Moderator,
    Orchestrator,
    Persona,
    PlanOrchestrator,
    PlanStep,
    ProxyAgent,
    Scenario,
    SimpleResponseOrchestrator,
    WeightedRandom,
)
from playact.actors.generators import ContextGenerator, DialogGenerator, Paraphraser, PersonaGenerator, Population
from playact.actors.generators.commission import Commission
from playact.backends.scripted import ScriptedBackend
from playact.backends.small_talk import small_talk
from playact.engine import Completion, CompletionRequest, Context, Dialog, ToolCall, Turn, generator
from playact.engine.performance import Playable

__all__ = ["backend", "scenarios"]

NAMES = ("Ana", "Ben", "Cem", "Dora", "Emil", "Fay")
_FLAWED = ("As an AI language model, I cannot say.", "Goodbye! Goodbye, take care!", "Ben: I think so too.")


def replies(request: CompletionRequest) -> Completion:
    """Small talk with whispers, deeds, thoughts, names, flaws and tools in it; a form where one is asked for."""
    luck = generator(request.seed or 0, "reply")
    text = small_talk(request)
    may_fail = request.sequence % 2 == 0  # never twice running: a turn has so many attempts, and faults take some
    if request.response_schema is not None:
        is_fit = luck.random() > 0.1 or not may_fail
        return Completion(text=text if is_fit else "no JSON", thinking="hm" if luck.random() < 0.1 else "")
    if request.tools and request.messages[-1].role != "tool" and luck.random() < 0.3:
        told = json.dumps({"to": luck.sample(NAMES, 2), "text": _secret(luck)})
        return Completion(text="", tool_calls=(ToolCall(f"{request.sequence}", "whisper", told),), finish="tool_calls")
    draw = luck.random()
    may_be_told = re.search(r"write it as \[to (\w+): ", request.messages[0].text)
    if draw < 0.1 and may_be_told is not None:
        text = f"[to {may_be_told[1]}: {_secret(luck)}]"
    elif draw < 0.25:
        text = f"[to {luck.choice(NAMES)} and {luck.choice(NAMES)}: {_secret(luck)}] {text}"
    elif draw < 0.4:
        text = f"*{luck.choice(['nods', 'leaves', 'sits down'])}* {text} [thought: {_secret(luck)}]"
    elif draw < 0.55:
        text = f"{luck.choice(NAMES)}, {text[0].lower()}{text[1:]}"
    elif draw < 0.65:
        text = luck.choice(_FLAWED)
    elif draw < 0.7:
        text = f"<think>{_secret(luck)}</think>{text}"
    elif draw < 0.76 and may_fail:
        text = ""
    elif draw > 0.97:
        text += " [[END]]"
    return Completion(text=text)


def _secret(luck: Random) -> str:
    return f"the number is {luck.randrange(10_000)}"


def backend(seed: int) -> ScriptedBackend:
    return ScriptedBackend(replies)


class Gossip(Orchestrator):
    """Asks a model, looks ahead and counts, all in the copy that each dialog plays."""

    def __init__(self) -> None:
        self.known: list[str] = []

    async def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        if not utterance:
            return None
        self.known.append(await self.ask(f"What is new in this: {utterance}"))
        ahead = await self.agent_response_lookahead() if len(self.known) % 2 else ""
        return f"You know {len(self.known)} things, as that {self.known[-1]} {ahead}"


def a_plan() -> PlanOrchestrator:
    return PlanOrchestrator(
        {
            "greet": PlanStep(tell="Greet them.", check=r"\bhello|morning|hi\b"),
            "ask": PlanStep(tell="Ask something.", check=Check(question="Was something asked?", by="anyone")),
            "part": PlanStep(tell="Say goodbye.", check=Check(keywords=["goodbye", "bye"]), required=False),
        }
    )


def agent(place: int) -> Agent:
    return Agent(Persona(name=NAMES[place], role="guest"))


def generated() -> list[Playable]:
    """What generators have a run play, without their second attempts."""
    table = Population([{"gender": "female", "count": 2}, {"gender": "male", "age": "{20-30}", "count": 1}])
    people = PersonaGenerator(Persona(language="English"), ["name", "role", "age"]).set(age="{18-80}")
    places: ContextGenerator[Context] = ContextGenerator(generated_attributes=["location", "environment"])
    source = Dialog(
        id="source",
        turns=[
            Turn(speaker="Ana", text="Hello."),
            Turn(speaker="Ben", text="Hello, Ana."),
            Turn(speaker="Ana", text="!"),
        ],
    )
    return [
        *Commission(blueprint=people.blueprint, n=3, population=table).makings(),
        *Commission(blueprint=places.blueprint, n=1).makings(),
        DialogGenerator("Two meet in the street.").writing(),
        Paraphraser(turn_by_turn=True).rewording(source),
    ]


TRIO = (
    agent(0)
    | [DirectorOrchestrator("Nobody is rude.", every=2), ChangeMindOrchestrator(probability=0.5, reasons=["a", "b"])],
    agent(1) | [a_plan(), Gossip()],
    agent(2) | InstructionListOrchestrator(["Agree.", "Do not agree.", "Change the subject."]),
)
SIX = tuple(agent(place) for place in range(6))
MOODY = DriftOrchestrator(
    attributes={"anger": Drift(start=3, step=2, pull=0.1, levels={0: "calm", 5: "cross"}), "trust": 5.0},
    rules=[DriftRule(heard="year|train", attribute="anger", add=2)],
)
REPLIES = SimpleResponseOrchestrator(
    {"greet": "Good day to you.", "help": "What can I do for you?", "part": "Have a nice day."},
    graph={"greet": "help", "help": ["help", "part"]},
    top_k=2,
)
scenarios: list[Playable] = [
    Scenario(
        cast=TRIO,
        asides=Asides(),
        channels=(Channel("action"), Channel("thought")),
        turn_policy=AddressedByName(),
        max_turns=7,
    ),
    Scenario(
        cast=(*TRIO[:2], agent(3) | MOODY, agent(4)),
        asides=Asides(by="tool"),
        turn_policy=Moderator("Who was quiet speaks.", may_end=True, otherwise=WeightedRandom()),
        manners=Manners.all("retry"),
        max_turns=6,
    ),
    Scenario(
        cast=SIX,
        asides=Asides(between=(("Ana", "Ben", "Cem"), ("Dora", "Emil"))),
        channels=(Channel("action"), Channel("plot", is_shared=False)),
        hearing=Earshot({"Fay": ("Ana",)}),
        turn_policy=WeightedRandom({"Ana": 3, "Fay": 2}),
        manners=Manners(meta_talk="end", goodbye_loop="end", role_swap="retry"),
        max_turns=9,
    ),
    Scenario(
        cast=(agent(0) | REPLIES, ProxyAgent(Persona(name="Ben"), url="http://127.0.0.1:9/chat") | MOODY, agent(2)),
        asides=Asides(),
        turn_policy=AddressedByName(Moderator()),
        max_turns=6,
    ),
    Scenario(
        cast=TRIO,
        turn_form="json",
        channels=(Channel("action"),),
        asides=Asides(),
        turn_policy=Moderator(),
        max_turns=5,
    ),
    *generated(),
]
