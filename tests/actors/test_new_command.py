"""`playact new`: a file to begin with, which runs as it is, and a schema that editors can use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from playact.actors import Agent
from playact.actors.cli import main
from playact.actors.new_command import SCHEMA_FILE, starter, templates
from playact.actors.playbill import Playbill
from playact.actors.playbill.document import Document
from playact.actors.playbill.schema import schema
from playact.engine import Dialog

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
UNSAYABLE = {"preprocess", "postprocess"}  # functions


def as_read(text: str, folder: Path) -> Any:
    """The document as playact reads it, which is as editors do: by YAML 1.2."""
    file = folder / "play.yaml"
    file.write_text(text, encoding="utf-8")
    root = Document.read(file)
    return None if root is None else root.value


@pytest.mark.parametrize("template", templates())
def test_each_file_to_begin_with_plays_as_it_is(
    template: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "mine.yaml", tmp_path / "talk.jsonl"

    written = main(["new", str(file), "--template", template])
    played = main(["run", str(file), "--model", "scripted", "--seed", "1", "--out", str(out), "--quiet"])

    assert (written, played) == (0, 0)
    assert f"play it: playact run {file}" in capsys.readouterr().out
    dialogs = list(Dialog.read_lines(out))
    assert len(dialogs) == Playbill.from_file(file).dialogs
    assert all(len(dialog) > 1 for dialog in dialogs)


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_a_file_to_begin_with_plays_on_the_packaged_model(tmp_path: Path) -> None:
    file, out = tmp_path / "mine.yaml", tmp_path / "talk.jsonl"
    main(["new", str(file), "--template", "two"])

    played = main(
        ["run", str(file), "--model", "embedded", "-n", "1", "--max-turns", "4", "--out", str(out), "--quiet"]
    )

    assert played == 0
    (dialog,) = Dialog.read_lines(out)
    assert all(turn.text for turn in dialog)


@pytest.mark.parametrize("template", templates())
def test_the_first_line_names_the_schema_that_lies_beside_it(template: str, tmp_path: Path) -> None:
    main(["new", str(tmp_path / "mine.yml"), "--template", template])

    lines = (tmp_path / "mine.yml").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"# yaml-language-server: $schema={SCHEMA_FILE}"
    assert any(line.startswith("#   playact run mine.yml") for line in lines)
    assert json.loads((tmp_path / SCHEMA_FILE).read_text(encoding="utf-8")) == schema()


def test_nothing_is_written_over_unless_it_is_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("mine", encoding="utf-8")

    refused = main(["new", str(file)])
    left = file.read_text(encoding="utf-8")
    forced = main(["new", str(file), "--force"])

    assert (refused, left, forced) == (2, "mine", 0)
    assert f"{file} is there already; say --force" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == starter("two", "mine.yaml")


def test_a_schema_of_ours_is_renewed_and_one_of_others_is_not(tmp_path: Path) -> None:
    file = tmp_path / SCHEMA_FILE
    file.write_text('{"title": "A scenario file of playact", "old": true}', encoding="utf-8")
    renewed = main(["new", str(tmp_path / "one.yaml")])
    assert json.loads(file.read_text(encoding="utf-8")) == schema()

    file.write_text('{"title": "of others"}', encoding="utf-8")
    refused = main(["new", str(tmp_path / "two.yaml")])

    assert (renewed, refused) == (0, 2)
    assert not (tmp_path / "two.yaml").exists()
    assert json.loads(file.read_text(encoding="utf-8")) == {"title": "of others"}


@pytest.mark.parametrize("name", ["mine.txt", "mine", SCHEMA_FILE, "none/mine.yaml"])
def test_where_no_scenario_file_can_be_nothing_is_written(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", str(tmp_path / name)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_schema_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema()


def test_the_schema_is_one_by_the_standard() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_the_examples_are_as_the_schema_wants_them(file: Path, tmp_path: Path) -> None:
    content = as_read(file.read_text(encoding="utf-8"), tmp_path)

    assert [error.message for error in Draft202012Validator(schema()).iter_errors(content)] == []


@pytest.mark.parametrize("template", templates())
def test_the_files_to_begin_with_are_as_the_schema_wants_them(template: str, tmp_path: Path) -> None:
    content = as_read(starter(template, "mine.yaml"), tmp_path)

    assert [error.message for error in Draft202012Validator(schema()).iter_errors(content)] == []


TWO = "cast: [{persona: {name: Ada}}, {persona: {name: Bob}}]\n"
RIGHT = (
    TWO,
    TWO + "context: a cafe\nprompts: my_prompts\n",
    TWO + "contexts: [here, {location: there, goals: [a, b]}]\nmodel_parameters: {temperature: 0.5}\n",
    'cast: [{name: Ada, orchestrators: {LengthOrchestrator: {max: 4}}}, {name: Bob, first_utterance: [Hi, "No"]}]\n',
    "cast: [{name: Ada, tools: [{mcp: {command: [x]}}], think: low}, {name: Bob, response_schema: {type: object}}]\n",
    TWO + 'prompts: {persona_agent: "Be {{ name }}.", _part: x}\n',
)
WRONG = (
    "cast: [{name: Ada}]\n",
    "dialogs: 2\n",
    TWO + "max_turn: 3\n",
    TWO + "max_turns: 0\n",
    TWO + "dialogs: many\n",
    "cast: [{persona: {nmae: Ada}}, {name: Bob}]\n",
    "cast: [{name: Ada, orchestrators: {LongOrchestrator: {max: 4}}}, {name: Bob}]\n",
    "cast: [{name: Ada, orchestrators: [{LengthOrchestrator: {mx: 4}}]}, {name: Bob}]\n",
    "cast: [{name: Ada, tools: [price]}, {name: Bob}]\n",
    "cast: [{name: Ada, think: much}, {name: Bob}]\n",
    TWO + "contexts: [{locatoin: here}]\n",
    TWO + "model_parameters: {temprature: 1}\n",
    TWO + "prompts: {persona_agnet: x}\n",
)


@pytest.mark.parametrize("text", RIGHT)
def test_what_playact_reads_the_schema_takes(text: str, tmp_path: Path) -> None:
    (tmp_path / "my_prompts").mkdir()
    (tmp_path / "my_prompts" / "persona_agent.j2").write_text("x", encoding="utf-8")
    content = as_read(text, tmp_path)

    Playbill.from_file(tmp_path / "play.yaml")
    assert [error.message for error in Draft202012Validator(schema()).iter_errors(content)] == []


@pytest.mark.parametrize("text", WRONG)
def test_what_playact_refuses_the_schema_refuses(text: str, tmp_path: Path) -> None:
    content = as_read(text, tmp_path)

    assert main(["run", str(tmp_path / "play.yaml"), "--model", "scripted"]) == 2
    assert not Draft202012Validator(schema()).is_valid(content)


def test_the_schema_knows_and_explains_every_field_that_a_file_can_say() -> None:
    whole = schema()
    agent = whole["$defs"]["Agent"]["properties"]

    assert set(agent) == {name for name in Agent.__dataclass_fields__ if name != "_"} - UNSAYABLE
    assert set(whole["properties"]) == set(Playbill.model_fields) - UNSAYABLE
    for properties in (agent, whole["properties"]):
        assert {name for name, field in properties.items() if not field.get("description")} <= {"name"}
