"""Scenario files: what is wrong in one is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from playact.actors import LengthOrchestrator
from playact.actors.playbill import Playbill
from playact.engine import Context
from playact.engine.errors import FileInvalid

GOOD = """\
cast:
  - persona: {name: Ada, role: barista}
    orchestrators:
      - LengthOrchestrator: {max: 4}
  - persona: {name: Bob}
contexts:
  - location: here
  - there
max_turns: 5
dialogs: 3
model: scripted
"""


def playbill(tmp_path: Path, text: str) -> Playbill:
    file = tmp_path / "play.yaml"
    file.write_text(text, encoding="utf-8")
    return Playbill.from_file(file)


def test_a_file_has_the_keys_of_the_python_objects(tmp_path: Path) -> None:
    bill = playbill(tmp_path, GOOD)

    assert bill.names == ("Ada", "Bob")
    assert bill.cast[0].orchestrators == (LengthOrchestrator(max=4),)
    assert (bill.max_turns, bill.dialogs, bill.model) == (5, 3, "scripted")


def test_the_dialogs_take_the_contexts_in_turn(tmp_path: Path) -> None:
    scenarios = list(playbill(tmp_path, GOOD).scenarios(3, max_turns=2))

    assert [scenario.context for scenario in scenarios] == [Context(location="here"), "there", Context(location="here")]
    assert {scenario.max_turns for scenario in scenarios} == {2}


@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        (("max_turns:", "max_turn:"), 9, "unknown key `max_turn`; did you mean `max_turns`?"),
        (("role:", "rolle:"), 2, "unknown key `rolle`; did you mean `role`?"),
        (("location:", "locatoin:"), 7, "unknown key `locatoin`; did you mean `location`?"),
        (("    orchestrators:", "    orchestrator:"), 3, "unknown key `orchestrator`; did you mean `orchestrators`?"),
        (("{max:", "{mx:"), 4, "unknown key `mx`; did you mean `max`?"),
        (("max_turns: 5", "max_turns: none"), 9, "max_turns: takes a whole number"),
        (("max_turns: 5", "max_turns: 0"), 9, "max_turns: is at least 1"),
        (("LengthOrchestrator", "Shouting"), 4, "cast[0].orchestrators[0]: an orchestrator is one of"),
        (("  - persona: {name: Bob}\n", ""), 1, "cast: needs at least 2, and has 1"),
        (("dialogs: 3", "max_turns: 3"), 10, "the key `max_turns` stands here a second time"),
        (("{name: Bob}", "{name: Bob"), 6, "is not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, change: tuple[str, str], line: int, reason: str) -> None:
    with pytest.raises(FileInvalid) as refusal:
        playbill(tmp_path, GOOD.replace(*change))

    assert refusal.value.line == line
    assert refusal.value.reason.startswith(reason)
    assert len(str(refusal.value).splitlines()) == 1


def test_a_file_that_contains_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="refers to itself"):
        playbill(tmp_path, "cast: &a [*a]\n")


@pytest.mark.parametrize("text", ["", "- a list", "only words"])
def test_a_file_without_a_scenario_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(FileInvalid, match="holds no scenario"):
        playbill(tmp_path, text)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="No such file"):
        Playbill.from_file(tmp_path / "none.yaml")
    with pytest.raises(FileInvalid, match="Is a directory"):
        Playbill.from_file(tmp_path)
