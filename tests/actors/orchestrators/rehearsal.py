"""A dialog of Ada, who is advised, and Bob, and what Ada's model and her orchestrators' were asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from playact.actors import Agent, Persona, Scenario
from playact.actors.orchestrators import Orchestrator
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, Dialog, Event, Simulation, Usage

__all__ = ["ADA", "BOB", "Heard", "advised", "contents", "events", "rehearsed"]

ADA = Agent(Persona(name="Ada"))
BOB = Agent(Persona(name="Bob"))
Lines = Callable[[CompletionRequest], str | Completion] | Sequence[str]


@dataclass
class Heard:
    """What was asked. `speaks`: whose words; `asks`: what else orchestrators wanted to know."""

    requests: list[CompletionRequest] = field(default_factory=list)

    @property
    def asks(self) -> list[CompletionRequest]:
        return [request for request in self.requests if not request.messages[0].text.startswith("You are ")]

    @property
    def instructions(self) -> list[list[str]]:
        """Those in each of Ada's requests."""
        own = (request for request in self.requests if request.messages[0].text.startswith("You are Ada"))
        return [[message.text for message in request.messages[1:] if message.role == "system"] for request in own]


def model(lines: Lines | None = None, heard: Heard | None = None) -> ScriptedBackend:
    """Says lines, or what a function has it say; three tokens a call."""
    coming = iter(()) if lines is None or callable(lines) else iter(lines)

    def answer(request: CompletionRequest) -> Completion:
        if heard is not None:
            heard.requests.append(request)
        said = lines(request) if callable(lines) else next(coming, f"This is line {request.sequence}.")
        return said if isinstance(said, Completion) else Completion(text=said, usage=Usage(2, 1))

    return ScriptedBackend(answer)


def advised(*orchestrators: Orchestrator, turns: int = 6, **more: Any) -> Scenario:
    return Scenario(cast=(ADA | orchestrators, BOB), max_turns=turns, **more)


async def rehearsed(
    *orchestrators: Orchestrator, turns: int = 6, lines: Lines | None = None, seed: int = 1, **more: Any
) -> tuple[Dialog, Heard]:
    heard = Heard()
    async with Simulation(model=model(lines, heard), seed=seed) as simulation:
        dialog = await simulation.play(advised(*orchestrators, turns=turns, **more))
    return dialog, heard


def events(dialog: Dialog, *actions: str) -> list[Event]:
    """All but what was said, or those of some actions."""
    return [e for e in dialog.events or () if (e.action in actions if actions else e.action != "utter")]


def contents(dialog: Dialog, *actions: str) -> list[Any]:
    return [event.content for event in events(dialog, *actions)]
