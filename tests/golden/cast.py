"""Who plays in the golden journal, and the model that they speak through; never to be changed, like the journal."""

from __future__ import annotations

import anyio

from playact.actors import Agent, LengthOrchestrator, Persona, Scenario, SimpleReflexOrchestrator
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, Context
from playact.engine.completion import Parameters, ToolCall, Usage
from playact.engine.errors import BackendRefused

__all__ = ["FORK", "SCENARIOS", "model", "price"]

_NAMES = ("Ada", "Bob", "Chatty", "Eve", "Keeper", "Mute", "Slow", "Slower", "Zoë 🎭")

ADA = Agent(Persona(name="Ada", role="barista"), model_parameters=Parameters(temperature=0.5, max_tokens=90))
BOB = Agent(Persona(name="Bob", role="customer", personality="curious"))
ZOE = Agent(Persona(name="Zoë 🎭", role="поэт", language="日本語"), think=True)
MUTE = Agent(Persona(name="Mute"))


def price(item: str) -> str:
    """What something costs."""
    return f"{item}: 2 €"


KEEPER = Agent(Persona(name="Keeper"), tools=[price])
POLITE = ADA | SimpleReflexOrchestrator("turn 1", "Be very polite.", persistent=True)
SCENARIOS = (  # by the number of the dialog
    Scenario(cast=(ADA, BOB | LengthOrchestrator(min=4, max=6)), context=Context(location="café ☕"), max_turns=9),
    Scenario(cast=(ZOE, BOB), max_turns=4, seed=11),
    Scenario(cast=(BOB, KEEPER), max_turns=4),
    Scenario(cast=(ADA, MUTE), max_turns=4),
    Scenario(cast=(POLITE, BOB), max_turns=12, seed=2**31 - 1),
    Scenario(cast=(ADA, Agent(Persona(name="Slow"))), max_turns=6),
    Scenario(cast=(ADA, BOB, Agent(Persona(name="Slower"))), max_turns=9, scenario={"kind": "three"}, notes=["n"]),
    Scenario(cast=(Agent(Persona(name="Chatty")), ADA), max_turns=50),
)
FORK = Scenario(cast=(Agent(Persona(name="Eve", role="spy")), BOB), max_turns=5)


def model(stops: frozenset[tuple[str, int]] = frozenset()) -> ScriptedBackend:
    """`stops`: who waits for ever at which call of a dialog."""

    async def words(request: CompletionRequest) -> Completion:
        prompt, call = request.messages[0].text, request.sequence
        speaker = next(name for name in _NAMES if prompt.startswith(f"You are {name}."))
        if (speaker, call) in stops:
            await anyio.Event().wait()
        if speaker == "Mute":
            raise BackendRefused("scripted", "not a word \ud83d 🤐")
        text = f"{speaker} speaks at turn {call}."
        usage = Usage(40 + 7 * call, 5 + call, 3 * call)
        if speaker == "Zoë 🎭":
            return Completion(text=f"{text} \ud83c half a flag, 🏳️‍🌈 a whole one", thinking="思考…", usage=usage)
        if speaker == "Keeper" and request.messages[-1].role != "tool":
            return Completion(text="", tool_calls=(ToolCall(f"c{call}", "price", '{"item": "thé"}'),), usage=usage)
        if speaker == "Bob" and call == 5:
            return Completion(text=f"{text} Farewell, I must go. [[END]]", usage=usage, model="scripted-2026")
        return Completion(text=text, usage=usage)

    return ScriptedBackend(words, max_tokens=100)
