"""What generating costs: personas a second with a model that answers at once, against the engine's bare turns in the
same run; and with the packaged model, how many are valid at once, and how many are near-equal to another.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import combinations, repeat
from pathlib import Path
from typing import Any

# This folder has an `http.py`: found first, it would stand in the place of Python's own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import anyio

from benchmarks.report import machine, print_table
from playact.actors import Agent, Persona, Scenario
from playact.actors.generators import PersonaGenerator
from playact.actors.generators.likeness import LIKE, features_of, likeness
from playact.backends.embedded import EmbeddedBackend
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Simulation, derive

ROUNDS = 5
WORDS = [f"word{number}" for number in range(2000)]


def line(request: CompletionRequest) -> str:
    return f"This is line {request.sequence} of a talk about coffee, cake and trains."


def persona(request: CompletionRequest) -> str:
    """A reply of about fifty words, other ones for each request."""
    schema: Any = request.response_schema
    said = {}
    for name in schema["properties"]:
        luck = derive(request.seed or 0, name)
        said[name] = " ".join(WORDS[(luck >> place) % len(WORDS)] for place in range(10))
    return json.dumps(said)


async def turns_per_s(count: int) -> float:
    """Bare turns: dialogs of one turn each, so that each has a dialog's whole cost, as a persona has."""
    scenario = Scenario(cast=(Agent(Persona(name="Alice")), Agent(Persona(name="Bob"))), max_turns=1)
    async with Simulation(model=ScriptedBackend(line), seed=1, tune_collector=True) as simulation:
        begin = time.perf_counter()
        async for dialog in simulation.run(repeat(scenario, count)):
            assert len(dialog) == 1, dialog.ending
        return count / (time.perf_counter() - begin)


async def personas_per_s(count: int, generator: PersonaGenerator[Persona]) -> float:
    async with Simulation(model=ScriptedBackend(persona), seed=1, tune_collector=True) as simulation:
        begin = time.perf_counter()
        made = [each async for each in generator.stream(count, simulation=simulation)]
        assert len(made) == count
        return count / (time.perf_counter() - begin)


async def of_the_packaged_model(count: int) -> dict[str, Any]:
    generator = PersonaGenerator(Persona, ["name", "role", "personality", "background"])
    generator.set(age="{20-70}", gender=["female", "male"])
    async with Simulation(model=EmbeddedBackend(), seed=1) as simulation:
        begin = time.perf_counter()
        generation = generator.stream(count, simulation=simulation, seed=1)
        made = [each async for each in generation]
        seconds = time.perf_counter() - begin
        calls = simulation.statistics().calls
    features = [features_of(each.fields()) for each in made]
    alike = [likeness(one, other) for one, other in combinations(features, 2)]
    report = generation.report
    return {
        "embedded personas_per_s": len(made) / seconds,
        "embedded valid, share": len(made) / count,
        "embedded calls a persona": calls / len(made),
        "embedded near-equal at first, share": report.repeats / (len(made) + report.repeats + report.failed),
        "embedded unique, share": report.uniqueness,
        "embedded likeness, median": statistics.median(alike),
        "embedded likeness, most": max(alike),
        "near-equal from": LIKE,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--personas", type=int, default=2000)
    parser.add_argument("--embedded", type=int, default=50, help="how many of the packaged model, 0 for none")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    options = parser.parse_args()

    by_rules = PersonaGenerator(Persona, {"age": "{20-70}", "gender": ["female", "male"], "name": ["Ann", "Bob"]})
    by_model = PersonaGenerator(Persona, ["name", "role", "personality", "background", "circumstances"])
    by_model.set(age="{20-70}", gender=["female", "male"])
    measured: dict[str, Callable[[], Awaitable[float]]] = {
        "bare turns_per_s": partial(turns_per_s, options.personas),
        "personas_per_s, rules alone": partial(personas_per_s, options.personas, by_rules),
        "personas_per_s, rules and model": partial(personas_per_s, options.personas, by_model),
    }
    rounds: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(2 if options.quick else ROUNDS):  # in turn, so that what else the machine does is in all of them
        for name, measure in measured.items():
            rounds[name].append(anyio.run(measure, backend_options={"use_uvloop": True}))
    result: dict[str, Any] = {name: statistics.median(each) for name, each in rounds.items()}
    if options.embedded:
        result |= anyio.run(of_the_packaged_model, options.embedded)
    about = machine("uvloop")
    if options.json:
        print(json.dumps(result | {"machine": about}))
        return
    print_table([{"what": name, "value": value} for name, value in result.items()], about)


if __name__ == "__main__":
    main()
