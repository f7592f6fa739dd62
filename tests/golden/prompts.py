"""The cases whose prompts are frozen in `prompts.json`; never to be changed, like the journal.

`python -m tests.golden.prompts` wrote that file when prompts were still made by Python code.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from playact.actors import Agent, Persona
from playact.actors.prompts import system_prompt
from playact.engine import Context, Dialog, Turn

__all__ = ["FILE", "Case", "cases", "prompts_of"]

FILE = Path(__file__).with_suffix(".json")
Case = tuple[Agent, str, list[str], Context | str | None]

_TEXTS = (
    "barista",
    "A.",
    "Really?",
    "{{ name }} {% raw %} {# x #}",
    " spaced ",
    "two\nlines\r\n",
    "naïve 日本語 🎭",
    "<b>&amp;</b> 'q' \"d\"",
    "\\n %s {0} $x",
    "ends with newline\n",
    "0",
)


class Inpatient(Persona):
    """With fields of all kinds, as users add them."""

    height: float | None = None
    symptoms: list[str] = Field(default_factory=list)
    is_insured: bool = False
    vitals: dict[str, Any] = Field(default_factory=dict)


def cases() -> Iterator[Case]:
    """Many agents, drawn with a fixed seed, and the plain ones."""
    yield Agent(), "Speaker 1", ["Speaker 2"], None
    yield Agent(Persona(name="Ada")), "Ada", ["Bob"], ""
    yield Agent(Persona(name="Ada", language="French", age=0)), "Ada 2", ["Bob", "Eve", "Zoë"], Context()
    chance = random.Random(20261124)
    for _ in range(120):
        yield _agent(chance), chance.choice(["Ada", "Dr. No!", "{{x}}"]), _others(chance), _context(chance)


def prompts_of(case: Case) -> list[str]:
    """In full and in short."""
    agent, name, others, context = case
    return [system_prompt(agent, name, others, context, is_short=is_short) for is_short in (False, True)]


def _text(chance: random.Random) -> str:
    return chance.choice(_TEXTS) if chance.random() < 0.6 else ""


def _agent(chance: random.Random) -> Agent:
    persona: Persona | None = None
    names = ("name", "gender", "role", "background", "personality", "circumstances", "rules")
    fields = {name: _text(chance) for name in names}
    match chance.randrange(4):
        case 0:
            persona = Persona(**fields, age=chance.choice([None, 0, 41, "old"]))
        case 1:
            persona = Persona(**fields, language=chance.choice(["", "English", "Deutsch", "English (UK)"]))
        case 2:
            persona = Inpatient(
                **fields,
                height=chance.choice([None, 1.0, 1.85]),
                symptoms=chance.choice([[], ["cough"], ["cough", "{{ cold }}"]]),
                is_insured=chance.random() < 0.5,
                vitals=chance.choice([{}, {"pulse": 60, "by": {"x": None}}]),
            )
    details: dict[str, Any] = {} if chance.random() < 0.5 else {"response_details": _text(chance)}
    return Agent(
        persona,
        dialogue_details=_text(chance),
        example_dialogs=[_dialog(chance) for _ in range(chance.choice([0, 0, 1, 2]))],
        can_finish=chance.random() < 0.7,
        system_prompt="Only {{ this }}.\n" if chance.random() < 0.05 else None,
        **details,
    )


def _dialog(chance: random.Random) -> Dialog:
    speakers = [None, "Mia", "Leo", "{{ y }}"]
    return Dialog(turns=[Turn(speaker=chance.choice(speakers), text=_text(chance)) for _ in range(chance.randrange(4))])


def _others(chance: random.Random) -> list[str]:
    return chance.sample(["Bob", "Eve", "{% if %}", "Zoë 🎭"], chance.randint(1, 4))


def _context(chance: random.Random) -> Context | str | None:
    match chance.randrange(4):
        case 0:
            return None
        case 1:
            return _text(chance)
    texts = [None, "", "a coffee", ["a coffee", "a {{ chat }}."], []]
    return Context(
        location=_text(chance) or None,
        datetime=chance.choice([None, "2024-01-01"]),
        goals=chance.choice(texts),
        topics=chance.choice(texts),
        notes=_text(chance),
    )


if __name__ == "__main__":
    FILE.write_text(json.dumps([prompts_of(case) for case in cases()], indent=1, ensure_ascii=False), encoding="utf-8")
