"""What generating costs: personas a second with a model that answers at once, against dialogs of one turn in the same
run, whose prompts and replies are as long, for a few and for many; what telling near-equal ones apart keeps in memory;
and with the packaged model, how many are valid at once, and how many are near-equal to another.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import tracemalloc
from collections import defaultdict
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
from playact.actors.flaws.manners import Manners, Reaction
from playact.actors.generators import PersonaGenerator
from playact.actors.generators.likeness import LIKE, Likeness, features_of, likeness
from playact.backends.embedded import EmbeddedBackend
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Simulation, derive

ROUNDS = 3
COUNTS = (1_000, 20_000)
WRITTEN = ["name", "role", "personality", "background", "circumstances"]
WORDS = [f"word{number}" for number in range(2000)]


def line(request: CompletionRequest) -> str:
    return f"This is line {request.sequence} of a talk about coffee, cake and trains."


def persona(request: CompletionRequest) -> str:
    """A reply of about fifty words, other ones for each request."""
    said = {}
    for name in WRITTEN:
        luck = derive(request.seed or 0, name)
        said[name] = " ".join(WORDS[(luck >> place) % len(WORDS)] for place in range(10))
    return json.dumps(said)


async def dialogs_per_s(
    script: Callable[[CompletionRequest], str], prompt: str | None, manners: Reaction, count: int
) -> float:
    """Bare dialogs of one turn each, so that each has a dialog's whole cost, as a persona has."""
    cast = (Agent(Persona(name="Alice"), system_prompt=prompt), Agent(Persona(name="Bob")))
    scenario = Scenario(cast=cast, max_turns=1, manners=Manners.all(manners))
    async with Simulation(model=ScriptedBackend(script), seed=1, tune_collector=True) as simulation:
        begin = time.perf_counter()
        async for dialog in simulation.run(repeat(scenario, count)):
            assert len(dialog) == 1, dialog.ending
        return count / (time.perf_counter() - begin)


async def personas_per_s(generator: PersonaGenerator[Persona], count: int) -> float:
    async with Simulation(model=ScriptedBackend(persona), seed=1, tune_collector=True) as simulation:
        begin = time.perf_counter()
        made = [each async for each in generator.stream(count, simulation=simulation)]
        assert len(made) == count
        return count / (time.perf_counter() - begin)


def kept_bytes(count: int) -> float:
    """What `Likeness` keeps of each persona, beside the persona itself."""
    said = [json.loads(persona(CompletionRequest(messages=(), seed=number))) for number in range(count)]
    tracemalloc.start()
    known = Likeness()
    for number, each in enumerate(said):
        known.add(number, known.features(each))
    kept = tracemalloc.get_traced_memory()[0] / count
    tracemalloc.stop()
    return kept


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


def rates(rounds: int) -> list[dict[str, Any]]:
    """A row for each of what is measured, a column for each count; all of a round in turn, so that what else the
    machine does is in all of them.
    """
    by_rules = PersonaGenerator(Persona, {"age": "{20-70}", "gender": ["female", "male"], "name": ["Ann", "Bob"]})
    by_model = PersonaGenerator(Persona, WRITTEN).set(age="{20-70}", gender=["female", "male"])
    measured: dict[str, Callable[[int], Awaitable[float]]] = {
        "dialogs of one turn": partial(dialogs_per_s, line, None, "record"),
        "personas by rules alone": partial(personas_per_s, by_rules),
        "dialogs of one turn, prompt and reply of a persona": partial(
            dialogs_per_s, persona, by_model.prompt(), "record"
        ),
        "the same, not watched for flaws": partial(dialogs_per_s, persona, by_model.prompt(), "ignore"),
        "personas by rules and model": partial(personas_per_s, by_model),
    }
    seen: dict[tuple[str, int], list[float]] = defaultdict(list)
    for _ in range(rounds):
        for name, measure in measured.items():
            for count in COUNTS:
                seen[name, count].append(anyio.run(measure, count, backend_options={"use_uvloop": True}))
    rows = []
    for name in measured:
        row = {f"{count} at once, a second": statistics.median(seen[name, count]) for count in COUNTS}
        rows.append({"what": name, **row})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedded", type=int, default=50, help="how many of the packaged model, 0 for none")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    options = parser.parse_args()

    rows = rates(2 if options.quick else ROUNDS)
    result: dict[str, Any] = {f"bytes kept to tell {count} apart, each": kept_bytes(count) for count in COUNTS}
    if options.embedded:
        result |= anyio.run(of_the_packaged_model, options.embedded)
    about = machine("uvloop")
    if options.json:
        print(json.dumps({"rates": rows} | result | {"machine": about}))
        return
    print_table(rows, about)
    print_table([{"what": name, "value": value} for name, value in result.items()], about)


if __name__ == "__main__":
    main()
