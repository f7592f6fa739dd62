"""What the examples and the README show is what happens."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAP = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPTED = {**os.environ, "PLAYACT_MODEL": "scripted"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_prints_what_the_file_beside_it_says(example: Path) -> None:
    done = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, env=SCRIPTED)

    assert done.stderr == ""
    assert done.stdout == example.with_name(f"{example.name}.out").read_text(encoding="utf-8")


def test_the_scenario_file_plays_as_the_file_beside_it_says() -> None:
    command = [playact(), "run", "examples/cafe.yaml", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, env=SCRIPTED, cwd=ROOT)

    assert done.stdout == (ROOT / "examples/cafe.yaml.out").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.splitlines()[0][:40])
def test_the_readmes_programs_run(code: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=SCRIPTED, cwd=tmp_path)

    assert done.stderr == ""
    assert done.returncode == 0


def test_the_readmes_commands_run(tmp_path: Path) -> None:
    commands = [line.removeprefix("$ ").split("  #")[0] for block in blocks("console") for line in block.splitlines()]
    commands = [line for line in commands if line.startswith("playact ") and "openai:" not in line]
    (tmp_path / "examples").symlink_to(ROOT / "examples")

    assert commands
    for command in commands:
        done = subprocess.run([playact(), *shlex.split(command)[1:]], capture_output=True, env=SCRIPTED, cwd=tmp_path)
        assert done.returncode == 0, done.stderr.decode()


def test_the_map_names_every_file_of_the_house() -> None:
    for folder in ("engine", "actors", "backends"):
        for path in (ROOT / folder).rglob("[!_]*.py"):
            assert f" {path.name} " in MAP, f"{folder}/{path.name} is not in the map of CONTRIBUTING.md"


def playact() -> str:
    return str(Path(sys.executable).with_name("playact"))
