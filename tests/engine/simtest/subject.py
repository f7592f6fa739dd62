"""What the tests try: three agents with tools, orchestrators that keep state, thoughts, openings and endings.

playact simtest tests/engine/simtest/subject.py --seeds 10000
"""

from __future__ import annotations

import json

from playact.actors import Agent, LengthOrchestrator, Persona, Scenario
from playact.actors.orchestrators import Orchestrator
from playact.backends.scripted import ScriptedBackend
from playact.backends.small_talk import small_talk
from playact.engine import Completion, CompletionRequest, Dialog, ToolCall, generator

__all__ = ["backend", "scenarios"]


def price_of(item: str) -> str:
    """What something costs."""
    return f"{len(item)} crowns"


async def hours(day: int) -> str:
    """When the shop is open."""
    if day > 5:
        raise ValueError("there is no such day")
    return f"from {day + 6} to {day + 14}"


class Patience(Orchestrator):
    """Counts what it was asked, in the copy that each dialog plays."""

    def __init__(self) -> None:
        self.asked = 0

    def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        self.asked += 1
        return f"You have been asked {self.asked} times." if self.asked % 2 == 0 else None


def replies(request: CompletionRequest) -> Completion:
    """Small talk, and now and then a thought, two tools at once, a name before the words or the end marker."""
    luck = generator(request.seed or 0, "reply")
    draw = luck.random()
    has_asked = request.messages[-1].role == "tool"
    if request.tools and not has_asked and draw < 0.4:
        item, day = luck.choice(["tea", "a very long cake"]), luck.randrange(8)
        calls = (
            ToolCall(f"{request.sequence}a", "price_of", json.dumps({"item": item})),
            ToolCall(f"{request.sequence}b", "hours", json.dumps({"day": day})),
        )
        return Completion(text="", tool_calls=calls[: luck.choice([1, 2])], finish="tool_calls")
    text = small_talk(request)
    if 0.4 < draw < 0.5:
        text = f"<think>{item_of(luck.random())}</think>{text}"
    if draw > 0.9:
        text += " [[END]]"
    return Completion(text=text, thinking="hm" if 0.5 < draw < 0.6 else "")


def item_of(draw: float) -> str:
    return f"something like {draw:.3f}"


def backend(seed: int) -> ScriptedBackend:
    return ScriptedBackend(replies)


ADA = Agent(Persona(name="Ada"), tools=[price_of, hours], first_utterance=["Good day!", "Yes?", "Hello."])
BOB = Agent(Persona(name="Bob")) | Patience()
EVE = Agent(Persona(name="Eve"), tools=[price_of]) | [LengthOrchestrator(min=3, max=5), Patience()]
scenarios = [
    Scenario(cast=(ADA, BOB), max_turns=5),
    Scenario(cast=(BOB, EVE), max_turns=4, context="a market"),
    Scenario(cast=(ADA, BOB, EVE), max_turns=6),
]
