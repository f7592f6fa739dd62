"""What is wrong in a scenario file is one line: the file, the innermost line, what is wrong and what was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from playact.actors.playbill import Playbill
from playact.actors.playbill.document import Document
from playact.actors.playbill.schema import schema
from playact.engine.errors import FileInvalid

CAST = "cast: [{name: Ada}, {name: Bob}]\n"


def first(*lines: str) -> str:
    """A file whose first agent, from the second line on, has these lines."""
    return "\n".join(["cast:", *(f"  {line}" for line in lines), "  - name: Bob", ""])


def seat(*lines: str) -> str:
    """A file whose second seat, from the third line on, has these lines."""
    return "\n".join(["cast:", "  - name: Ada", *(f"  {line}" for line in lines), ""])


def adviser(*lines: str) -> str:
    """A file with these lines from the fourth on, under `orchestrators`."""
    return first("- name: Ada", "  orchestrators:", *(f"    {line}" for line in lines))


A_SCHEMA_CAN_TELL: dict[str, tuple[str, int, str]] = {
    "no cast": ("max_turns: 5\n", 1, "the key `cast` is missing"),
    "a cast of one": ("cast: [{name: Ada}]\n", 1, "cast: needs at least 2, and has 1"),
    "a cast that is a word": ("cast: Ada\n", 1, "cast: takes a list, as in [one, two]"),
    "a seat that is empty": (seat("-"), 3, "cast[1]: a seat is an agent's, as in {name: Ana}, or `human`"),
    "a seat that is a word": (seat("- humna"), 3, "cast[1]: a seat is {name: humna}, where that is an agent's name"),
    "a key of the file": (CAST + "max_tuns: 5\n", 2, "unknown key `max_tuns`; did you mean `max_turns`?"),
    "a key of sdialog": (CAST + "endings: 5\n", 2, "unknown key `endings`; known here: cast, context, "),
    "too few turns": (CAST + "max_turns: -5\n", 2, "max_turns: is at least 1"),
    "more turns than there are": (CAST + f"max_turns: {'9' * 30}\n", 2, "max_turns: is less than 9223372036854775808"),
    "turns without end": (CAST + "max_turns: 1e400\n", 2, "max_turns: takes a whole number"),
    "more dialogs than there are": (CAST + f"dialogs: {'9' * 400}\n", 2, "dialogs: is at most 9223372036854775807"),
    "a seed in words": (CAST + "seed: abc\n", 2, "seed: takes a whole number"),
    "a model that is a number": (CAST + "model: 5\n", 2, "model: takes text; put it in quotes, as in '5'"),
    "a key of sampling": (
        CAST + "model_parameters:\n  temprature: 1\n",
        3,
        "unknown key `temprature`; did you mean `temperature`?",
    ),
    "a temperature in words": (
        CAST + "model_parameters:\n  temperature: hot\n",
        3,
        "model_parameters.temperature: takes a number",
    ),
    "a context that is a number": (CAST + "context: 5\n", 2, "context: takes keys with values, as in {key: value}"),
    "a key of a context": (CAST + "context:\n  locaton: x\n", 3, "unknown key `locaton`; did you mean `location`?"),
    "a key of one of the contexts": (
        CAST + "contexts:\n  - locaton: x\n",
        3,
        "unknown key `locaton`; did you mean `location`?",
    ),
    "a turn policy": (
        CAST + "turn_policy: RoundRobbin\n",
        2,
        "turn_policy: unknown turn policy `RoundRobbin`; did you",
    ),
    "a key of a turn policy": (
        CAST + "turn_policy:\n  WeightedRandom:\n    wieghts: {Ada: 1}\n",
        4,
        "unknown key `wieghts`; did you mean `weights`?",
    ),
    "a weight in words": (
        CAST + "turn_policy:\n  WeightedRandom:\n    weights:\n      Ada: much\n",
        5,
        "turn_policy.WeightedRandom.weights.Ada: takes a number",
    ),
    "an order that is no list": (
        CAST + "turn_policy:\n  ScriptedOrder:\n    order: 5\n",
        4,
        "turn_policy.ScriptedOrder.order: takes a list",
    ),
    "a key of a moderator": (
        CAST + "turn_policy:\n  Moderator:\n    instructoins: x\n",
        4,
        "unknown key `instructoins`; did you mean `instructions`?",
    ),
    "two turn policies": (
        CAST + "turn_policy:\n  RoundRobin:\n  Moderator:\n",
        2,
        "turn_policy: a turn policy is one of",
    ),
    "asides that are a number": (CAST + "asides: 5\n", 2, "asides: takes keys with values"),
    "a key of asides": (CAST + "asides:\n  allow: []\n", 3, "unknown key `allow`; known here: between, by"),
    "how asides are done": (CAST + "asides:\n  by: signs\n", 3, "asides.by: is one of 'words' or 'tool'"),
    "hearers that are no list": (CAST + "hearing:\n  Ada: 5\n", 3, "hearing.Ada: takes a list"),
    "channels that are a number": (CAST + "channels: 5\n", 2, "channels: a channel is a name, as in action"),
    "a key of a channel": (
        CAST + "channels:\n  - name: x\n    shard: true\n",
        4,
        "unknown key `shard`; did you mean `is_",
    ),
    "a kind of flaw": (CAST + "manners:\n  ehco: retry\n", 3, "unknown key `ehco`; did you mean `echo`?"),
    "a reaction to a flaw": (CAST + "manners:\n  echo: shout\n", 3, "manners.echo: is one of 'ignore', 'record'"),
    "the name of a prompt": (CAST + "prompts:\n  persona_agnt: x\n", 3, "prompts.persona_agnt: prompt template"),
    "a key of an agent": (first("- name: Ada", "  persna: {}"), 3, "unknown key `persna`; did you mean `persona`?"),
    "an agent's sampling": (
        first("- name: Ada", "  model_parameters:", "    temprature: 1"),
        4,
        "unknown key `temprature`; did you mean `temperature`?",
    ),
    "opening words that are a mapping": (
        first("- name: Ada", "  first_utterance: {a: b}"),
        3,
        "cast[0].first_utterance: takes text",
    ),
    "the class of a persona as a field": (
        first("- persona:", "    class: Doctor", "    name: Ada"),
        3,
        "cast[0].persona.class: the class of a persona is the key that its fields stand under, as in `Doctor:",
    ),
    "a field of a class": (
        first("- persona:", "    Doctor:", "      specialti: x"),
        4,
        "unknown key `specialti`; did you mean `specialty`?",
    ),
    "a list for a name": (first("- persona:", "    name: [a]"), 3, "cast[0].persona.name: takes text"),
    "a key of a generator": (
        first("- persona:", "    generate:", "      clas: Doctor"),
        4,
        "unknown key `clas`; did you mean `class`?",
    ),
    "how many are generated": (
        first("- persona:", "    generate:", "      n: many"),
        4,
        "cast[0].persona.generate.n: takes a whole number",
    ),
    "a key of a proxy": (
        seat("- proxy:", "    url: http://x.y", "    timout_s: 3"),
        5,
        "unknown key `timout_s`; did you",
    ),
    "a proxy's address": (
        seat("- proxy:", "    url: 5"),
        4,
        "cast[1].proxy.url: takes text; put it in quotes, as in '5'",
    ),
    "a proxy without one": (seat("- proxy:", "    name: Bob"), 3, "cast[1].proxy: a ProxyAgent needs a url, as in"),
    "a key of a proxy's persona": (
        seat("- proxy:", "    url: http://x.y", "    persona:", "      nmae: Bob"),
        6,
        "unknown key `nmae`; did you mean `name`?",
    ),
    "a key of a person": (seat("- human:", "    nmae: Bob"), 4, "unknown key `nmae`; did you mean `name`?"),
    "an orchestrator": (
        adviser("- Direktor:", "    rubric: x"),
        4,
        "cast[0].orchestrators[0].Direktor: unknown orchestrator `Direktor`; did you mean `DirectorOrchestrator`?",
    ),
    "a key of a director": (
        adviser("- DirectorOrchestrator:", "    rubrik: x"),
        5,
        "unknown key `rubrik`; did you mean `rubric`?",
    ),
    "a limit in words": (
        adviser("- LengthOrchestrator:", "    min: few"),
        5,
        "cast[0].orchestrators[0].LengthOrchestrator.min: takes a whole number",
    ),
    "the second of two orchestrators": (
        adviser("- LengthOrchestrator: {max: 8}", "- LengthOrchestrator:", "    mx: 8"),
        6,
        "unknown key `mx`; did you mean `max`?",
    ),
    "one orchestrator that is no list": (
        adviser("LengthOrchestrator:", "  mx: 8"),
        5,
        "unknown key `mx`; did you mean `max`?",
    ),
    "a key of a server of tools": (
        first("- name: Ada", "  tools:", "    - mcp:", "        comand: x"),
        5,
        "unknown key `comand`; did you mean `command`?",
    ),
    "a tool by its name": (
        first("- name: Ada", "  tools: search"),
        3,
        "cast[0].tools: a tool is a Python function, or",
    ),
}

NO_SCHEMA_CAN_TELL: dict[str, tuple[str, int, str]] = {
    "who is not there to be heard": (
        CAST + "hearing:\n  Zed: [Ada]\n",
        3,
        "hearing.Zed: who hears whom is about the cast",
    ),
    "who is not there to whisper to": (
        CAST + "asides:\n  between:\n    - [Ada, Bob]\n    - [Ada, Zed]\n",
        5,
        "asides.between[1]: asides are between the cast, Ada, Bob; 'Zed' is not one of them",
    ),
    "who is not there to speak": (
        CAST + "turn_policy:\n  ScriptedOrder:\n    order:\n      - Ada\n      - Zed\n",
        6,
        "turn_policy.ScriptedOrder.order[1]: ScriptedOrder names 'Zed'",
    ),
    "who is not there to be weighed": (
        CAST + "turn_policy:\n  WeightedRandom:\n    weights:\n      Zed: 2\n",
        5,
        "turn_policy.WeightedRandom.weights.Zed: WeightedRandom weighs 'Zed'",
    ),
    "a rule without quotes": (
        first("- persona:", "    generate:", "      rules:", "        age: {20-30}"),
        5,
        "cast[0].persona.generate.rules.age: the rule for age needs quotes, as in '{20-30}'",
    ),
    "a rule of what a persona has not": (
        first("- persona:", "    generate:", "      rules:", '        aeg: "{20-30}"'),
        5,
        "cast[0].persona.generate.rules.aeg: Persona has no attribute 'aeg'; did you mean 'age'?",
    ),
    "a row of a population": (
        first("- persona:", "    generate:", "      population:", "        - {role: x, cuont: 3}"),
        5,
        "cast[0].persona.generate.population[0]: a quota has a count or a weight",
    ),
    "a table that is not there": (
        first("- persona:", "    generate:", "      rules:", '        role: "{csv:role:none.csv}"'),
        5,
        "cast[0].persona.generate.rules.role: ",
    ),
    "a seat as it is called in Python": (
        first("- ProxyAgent: {url: 'http://localhost/chat'}"),
        2,
        "unknown key `ProxyAgent`; did you mean `proxy`?",
    ),
    "a folder of prompts that is not there": (CAST + "prompts: nosuch\n", 2, "prompts: prompt template nosuch: is no"),
    "a template that is none": (
        CAST + 'prompts:\n  persona_agent: "{{ x"\n',
        3,
        "prompts.persona_agent: prompt template persona_agent",
    ),
    "a form that is no schema": (
        first("- name: Ada", "  response_schema:", "    type: objct"),
        3,
        "cast[0].response_schema: this is no JSON schema",
    ),
}

ALL = A_SCHEMA_CAN_TELL | NO_SCHEMA_CAN_TELL


def refused(folder: Path, text: str) -> FileInvalid:
    file = folder / "play.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FileInvalid) as refusal:
        Playbill.from_file(file)
    return refusal.value


@pytest.mark.parametrize(("text", "line", "told"), ALL.values(), ids=ALL)
def test_a_mistake_is_one_line_that_says_where_and_what(tmp_path: Path, text: str, line: int, told: str) -> None:
    refusal = refused(tmp_path, text)

    assert (refusal.line, refusal.reason[: len(told)]) == (line, told)
    assert len(str(refusal).splitlines()) == 1


@pytest.mark.parametrize(("text", "line", "told"), A_SCHEMA_CAN_TELL.values(), ids=A_SCHEMA_CAN_TELL)
def test_an_editor_with_the_schema_tells_it_too(tmp_path: Path, text: str, line: int, told: str) -> None:
    assert not Draft202012Validator(schema()).is_valid(value_of(tmp_path, text))


def test_a_key_that_a_director_has_not_is_answered_with_those_that_it_has(tmp_path: Path) -> None:
    refusal = refused(tmp_path, adviser("- DirectorOrchestrator:", "    rubric: x", "    zzz: x"))

    assert refusal.line == 6
    assert refusal.reason.startswith("unknown key `zzz`; known here: rubric, ")
    assert "dampening" not in refusal.reason
    assert "min" not in refusal.reason.replace(",", "").split()


def value_of(folder: Path, text: str) -> Any:
    file = folder / "play.yaml"
    file.write_text(text, encoding="utf-8")
    root = Document.read(file)
    return None if root is None else root.value
