"""What models were told by generators, a moderator, orchestrators and the ways to speak: frozen in `told.json`.

`python -m tests.golden.told` wrote that file when these prompts were still made by Python code. Never to be changed,
like the journal.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
from pydantic import BaseModel, Field

from playact.actors import Agent, Persona, Scenario
from playact.actors.generators import (
    AttributeModelGenerator,
    ContextGenerator,
    DialogGenerator,
    Paraphraser,
    PersonaDialogGenerator,
    PersonaGenerator,
)
from playact.actors.orchestrators import (
    ChangeMindOrchestrator,
    Check,
    DirectorOrchestrator,
    Drift,
    DriftOrchestrator,
    PlanOrchestrator,
    PlanStep,
    SimpleResponseOrchestrator,
)
from playact.actors.speech import Asides, Channel
from playact.actors.turn_taking import Moderator
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Context, Dialog, Event, Simulation, Turn

__all__ = ["FILE", "told"]

FILE = Path(__file__).with_suffix(".json")
ROUNDS = 8

_TEXTS = (
    "barista",
    "A.",
    "Really?",
    "{{ name }} {% raw %} {# x #}",
    "two\nlines\r\n",
    "naïve 日本語 🎭",
    "<b>&amp;</b> 'q' \"d\"",
    "\\n %s {0} $x {agent}",
    "ends with newline\n",
    "- a point",
    "0",
)


class ITTicket(BaseModel):
    """Something that is no persona."""

    id_number: int | None = Field(default=None, description="A number of three digits.")
    summary: str = ""
    tags: list[str] = Field(default_factory=list, description="  one to three words  ")


class Ear(ScriptedBackend):
    """Fills in each form, spoils every third, and keeps what it was told."""

    def __init__(self, *, is_small: bool) -> None:
        super().__init__(self._reply)
        self.capabilities = replace(self.capabilities, is_small=is_small)
        self.told: list[list[tuple[str, str]]] = []

    def _reply(self, request: CompletionRequest) -> str:
        self.told.append([(message.role, message.text) for message in request.messages])
        if request.response_schema is None:
            return f"This is what {request.sequence} says."
        if len(self.told) % 3 == 0:
            return "no form at all"
        return json.dumps(_filled(request.response_schema, request.sequence))


class Near:
    """An embedder that goes by the length."""

    name = "near"

    async def open(self) -> None:
        pass

    async def embed(self, texts: Any) -> list[list[float]]:
        return [[float(len(text)), 1.0] for text in texts]

    async def aclose(self) -> None:
        pass


def told() -> dict[str, Any]:
    """All texts, each once, in the order in which they were first told; and a digest of all requests' messages."""
    requests = [request for number in range(ROUNDS) for request in anyio.run(_case, number)]
    texts = dict.fromkeys(text for request in requests for role, text in request if role != "assistant")
    return {"texts": list(texts), "digest": sha256(json.dumps(requests).encode()).hexdigest()}


async def _case(number: int) -> list[list[tuple[str, str]]]:
    chance = random.Random(f"told {number}")
    model = Ear(is_small=number % 3 == 0)
    async with Simulation(model=model, seed=number, concurrency=1) as simulation:
        for generator in _generators(chance):
            made = generator.stream(2, simulation=simulation, repeats="allow")
            async with made:
                async for _ in made:
                    pass
        playables = [*_writings(chance), _scenario(chance), _scenario(chance), _group(chance)]
        async for dialog in simulation.run(playables):
            assert dialog.ending is not None
            assert not dialog.ending.failed, dialog.ending
    return model.told


def _generators(chance: random.Random) -> Iterator[AttributeModelGenerator[Any]]:
    extra = chance.choice(["", "Attributes must be in English", f"- {_text(chance)}\n\n • {_text(chance)}"])
    persona = Persona(name=_text(chance) or "Ada", background=_text(chance))
    yield PersonaGenerator(persona, ["role", "personality", "rules"], extra_instructions=extra)
    yield PersonaGenerator(Persona).set(age="{20-70}", role=f"{{llm:{chance.choice(['a job', 'be short.'])}}}")
    yield ContextGenerator(Context(location=_text(chance) or None, goals=[_text(chance), "b"]))
    yield AttributeModelGenerator(ITTicket, extra_instructions=extra)
    yield PersonaGenerator(Persona, ["role"], system_prompt=_text(chance), extra_instructions=extra)
    template = "{{ class_name }}: {{ object }}\n{{ attributes_instructions }}\n{% if 1 %}\nx\n{% endif %}\n"
    yield PersonaGenerator(Persona, ["name", "role"], llm_prompt=template)


def _writings(chance: random.Random) -> Iterator[Any]:
    context = chance.choice([None, "", _text(chance), Context(location=_text(chance), goals=["a", _text(chance)])])
    examples = [_dialog(chance) for _ in range(chance.randrange(3))]
    details, response = _text(chance), _text(chance)
    yield DialogGenerator(details or "x", context, examples, output_format=None).writing()
    yield DialogGenerator(details, context, output_format=ITTicket).writing()
    people = [Persona(name=_text(chance)), Persona(role=_text(chance), age=4), Persona()][: chance.choice([2, 3])]
    yield PersonaDialogGenerator(
        people[0],
        people[1],
        others=people[2:],
        context=context,
        example_dialogs=examples,
        dialogue_details=details,
        response_details=response,
    ).writing()
    source = _dialog(chance)
    for turn_by_turn in (False, True):
        for target in (None, source.turns[0].speaker):
            instructions = {"extra_instructions": response} if chance.random() < 0.6 else {}
            yield Paraphraser(target_speaker=target, turn_by_turn=turn_by_turn, **instructions).rewording(source)


def _scenario(chance: random.Random) -> Scenario:
    steps = {
        "greet": PlanStep(tell=_text(chance) or "Greet.", check=Check(question=_text(chance) or "Greeted?")),
        "ask": PlanStep(tell="Ask.", check="what", next=("greet", "end")),
        "end": PlanStep(tell=_text(chance) or "End.", check=Check(question="Is it over?", by="anyone")),
    }
    advisers = (
        PlanOrchestrator(steps, start=chance.choice([(), ("greet", "end")])),
        DirectorOrchestrator(rubric=_text(chance) or "Good.", every=1, first=1, turns=chance.choice([None, 2])),
        SimpleResponseOrchestrator({"a": _text(chance) or "b", "c": "d"}, embedder=Near(), top_k=2),
        SimpleResponseOrchestrator(["x", _text(chance) or "y"], embedder=Near()),
        DriftOrchestrator({"mood_now": Drift(levels={4: "calm", 6: _text(chance) or "wild"}), "trust": 3.0}),
        ChangeMindOrchestrator(probability=0.7, reasons=chance.choice([(), ("a", _text(chance)), "b"]), max_times=None),
    )
    channels = (Channel("action", about=_text(chance)), Channel("thought"), Channel("speech", max_chars=90))
    return Scenario(
        cast=(Agent(Persona(name="Ada")) | advisers, Agent(Persona(name="Bob"))),
        channels=chance.choice([(), channels, channels[:1]]),
        asides=chance.choice([None, Asides(), Asides(by="tool")]),
        turn_form=chance.choice(["markup", "json"]),
        max_turns=5,
    )


def _group(chance: random.Random) -> Scenario:
    cast = tuple(Agent(Persona(name=name)) for name in ("Ada", "Bob", chance.choice(["Eve", "Dr. No {{x}}"])))
    moderator = Moderator(instructions=_text(chance), may_end=chance.random() < 0.5, shows=chance.choice([2, 12]))
    return Scenario(cast=cast, turn_policy=moderator, asides=Asides(between=(("Ada", "Bob"),)), max_turns=5)


def _dialog(chance: random.Random) -> Dialog:
    turns = [Turn(speaker=chance.choice(["Ada", "Bob"]), text=_text(chance)) for _ in range(chance.randrange(1, 5))]
    return Dialog(turns=turns, events=[Event(agent="x", action="utter", content="y", timestamp=0)])


def _text(chance: random.Random) -> str:
    return chance.choice(_TEXTS) if chance.random() < 0.8 else ""


def _filled(form: Any, number: int) -> Any:
    if "enum" in form:
        return form["enum"][number % len(form["enum"])]
    if "anyOf" in form:
        return _filled(form["anyOf"][0], number)
    match form.get("type"):
        case "object":
            return {name: _filled(each, number) for name, each in form.get("properties", {}).items()}
        case "array":
            return [_filled(form["items"], number + n) for n in range(max(form.get("minItems", 1), 1))]
        case "integer":
            return 100 + number
        case "boolean":
            return number % 2 == 1
    return f"words {number} {{{{ x }}}}"


if __name__ == "__main__":
    FILE.write_text(json.dumps(told(), ensure_ascii=False, indent=0), encoding="utf-8")
