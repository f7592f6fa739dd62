"""Every orchestrator can be named in a scenario file, with parameters that are data only, and kept in a journal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playact.actors.orchestrators import (
    DirectorOrchestrator,
    DriftOrchestrator,
    PlanOrchestrator,
    orchestrators_by_name,
)
from playact.actors.playbill import Playbill
from playact.actors.recipes import recipe_of, scenario_from
from playact.engine.errors import FileInvalid

FILE = """\
cast:
  - persona: {name: Ada}
    orchestrators:
      - SimpleReflexOrchestrator: {condition: "late|slow", instruction: "Apologise.", persistent: true}
      - LengthOrchestrator: {min: 4, max: 9}
      - ChangeMindOrchestrator: {probability: 0.2, reasons: [It rains., It is late.], max_times: 2}
      - InstructionListOrchestrator: {instructions: {0: "Greet.", 3: "Sum up."}}
      - SimpleResponseOrchestrator:
          responses: {ask: "What is it?", end: "Goodbye."}
          graph: {ask: [end]}
          embedder: static
          top_k: 2
      - DirectorOrchestrator: {rubric: "Ada stays polite.", every: 2, model: "openai:gpt-4.1", event_label: director}
      - PlanOrchestrator:
          start: greet
          steps:
            greet: {tell: Greet., check: hello, next: [ask]}
            ask: {tell: Ask., check: {keywords: [number, code], by: agent}}
            hear: {tell: Wait., check: {question: "Did Bob give a number?"}, required: false}
      - DriftOrchestrator:
          attributes: {mood: 5, anger: {start: 1, step: 0.5, levels: {0: calm, 6: furious}}}
          rules: [{heard: sorry, attribute: anger, add: -2}]
  - persona: {name: Bob}
"""


def playbill(tmp_path: Path, text: str = FILE) -> Playbill:
    file = tmp_path / "play.yaml"
    file.write_text(text, encoding="utf-8")
    return Playbill.from_file(file)


def test_a_file_can_name_them_all(tmp_path: Path) -> None:
    orchestrators = playbill(tmp_path).cast[0].orchestrators

    assert [type(orchestrator).__name__ for orchestrator in orchestrators] == list(orchestrators_by_name())
    director, plan, drift = orchestrators[5:]
    assert isinstance(director, DirectorOrchestrator)
    assert (director.label, director.every) == ("director", 2)
    assert isinstance(plan, PlanOrchestrator)
    assert [plan.following(step) for step in plan.steps] == [("ask",), ("hear",), ()]
    assert isinstance(drift, DriftOrchestrator)
    assert drift.attributes["mood"] == 5


def test_what_a_file_names_comes_back_from_a_journal_as_it_was(tmp_path: Path) -> None:
    (scenario,) = playbill(tmp_path).scenarios(1)

    again = scenario_from(json.loads(json.dumps(recipe_of(scenario))))

    assert again.cast[0].orchestrators == scenario.cast[0].orchestrators


def test_journals_name_the_oldest_as_they_always_did(tmp_path: Path) -> None:
    (scenario,) = playbill(tmp_path).scenarios(1)

    written = json.dumps(recipe_of(scenario))

    assert '"playact.actors.orchestrators:SimpleReflexOrchestrator"' in written
    assert '"playact.actors.orchestrators:LengthOrchestrator"' in written


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("every: 2", "evry: 2"), "evry"),
        (("start: greet", "start: great"), "great"),
        (("attribute: anger", "attribute: angst"), "angst"),
        (("graph: {ask: [end]}", "graph: {ask: [stop]}"), "stop"),
        (('condition: "late|slow"', 'condition: "late("'), "regular expression"),
    ],
)
def test_what_is_wrong_in_one_is_told_in_one_line(tmp_path: Path, change: tuple[str, str], problem: str) -> None:
    with pytest.raises(FileInvalid) as refusal:
        playbill(tmp_path, FILE.replace(*change))

    assert problem in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1
