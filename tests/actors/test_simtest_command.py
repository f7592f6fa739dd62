"""`playact simtest`: what it finds in agents of a user's own, how it tells it, and that it shows it again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from playact.actors.cli import main

CAFE = str(Path(__file__).parents[2] / "examples" / "cafe.yaml")
HEAD = """
from playact.actors import Agent, Persona, Scenario
from playact.actors.orchestrators import Orchestrator
"""
MOODY = """
import random
class Moody(Orchestrator):
    def instruct(self, dialog, utterance):
        return "Be rude." if random.random() < 0.5 else None
scenario = Scenario(cast=(Agent(Persona(name="Ada")), Agent(Persona(name="Bob")) | Moody()), max_turns=6)
"""
COUNTING = """
class Counting(Orchestrator):
    def __init__(self): self.times = 0
    def fresh(self): return self
    def instruct(self, dialog, utterance):
        self.times += 1
        return f"This is time {self.times}."
scenario = Scenario(cast=(Agent(Persona(name="Ada")), Agent(Persona(name="Bob")) | Counting()), max_turns=6)
"""
THRIFTY = """
class Thrifty(Orchestrator):
    def __init__(self): self.spent = None
    def instruct(self, dialog, utterance):
        if self.spent is None and dialog.usage is not None:
            self.spent = dialog.usage.completion_tokens
        return f"{self.spent} tokens were spent when I first looked."
scenario = Scenario(cast=(Agent(Persona(name="Ada")), Agent(Persona(name="Bob")) | Thrifty()), max_turns=6)
"""


@pytest.fixture(autouse=True)
def own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command runs may import from its own folder; the tests after it may not."""
    monkeypatch.setattr(sys, "path", sys.path.copy())


def a_file(folder: Path, text: str) -> str:
    path = folder / "agents.py"
    path.write_text(HEAD + text, encoding="utf-8")
    return str(path)


def test_agents_without_a_fault_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simtest", CAFE, "--seeds", "12", "--jobs", "1", "--json"]) == 0

    said = capsys.readouterr()
    assert "12 seeds" in said.err
    assert "no law was broken" in said.err
    assert json.loads(said.out) | {"sessions": 0, "calls": 0, "seconds": 0} == {
        "seeds": 12,
        "sessions": 0,
        "calls": 0,
        "seconds": 0,
        "failed_seed": None,
        "broken": [],
        "trace_digest": None,
    }


def test_the_global_random_is_named_in_words_and_shown_again_to_the_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = a_file(tmp_path, MOODY)

    assert main(["simtest", file, "--seeds", "20", "--jobs", "1"]) == 1
    found = capsys.readouterr().out
    assert "breaks a law: the same seed gives the same dialogs" in found
    assert "Moody told Bob 'Be rude.'" in found
    assert "It is Python's global `random`" in found
    again = found.strip().splitlines()[-1].removeprefix("again: playact ").split()

    assert main(again) == 1
    first = capsys.readouterr().out
    assert main(again) == 1
    assert capsys.readouterr().out == first
    assert len(first.splitlines()) > 20


def test_state_that_dialogs_share_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simtest", a_file(tmp_path, COUNTING), "--seeds", "20", "--jobs", "1", "--json"]) == 1

    out = capsys.readouterr().out
    assert "Counting told Bob 'This is time" in out
    assert "something that dialogs share" in out
    assert json.loads(out.splitlines()[-1])["broken"][0]["law"] == "the same seed gives the same dialogs"


def test_memory_that_does_not_come_back_after_a_kill_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simtest", a_file(tmp_path, THRIFTY), "--seeds", "50", "--jobs", "1"]) == 1

    out = capsys.readouterr().out
    assert "breaks a law: faults, kills and schedules change no dialog" in out
    assert "tokens were spent when I first looked.' without them, and Thrifty told Bob" in out
    assert "must come back when it lives through the past turns" in out


def test_a_backend_of_the_file_is_asked_and_made_anew_for_each_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = a_file(
        tmp_path,
        """
from playact.backends.scripted import ScriptedBackend
def backend(seed):
    print("made with", seed)
    return ScriptedBackend(lambda request: f"line {request.sequence}")
scenarios = [Scenario(cast=(Agent(Persona(name="Ada"), model="openai:none"), Agent(Persona(name="Bob"))), max_turns=2)]
""",
    )

    assert main(["simtest", file, "--seed", "3"]) == 0
    assert capsys.readouterr().out.count("made with 3") == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "defines no `scenario`"),
        ("scenarios = [1]", "is no Scenario"),
        ("scenario = 1 / 0", "agents.py:4: ZeroDivisionError"),
        ("scenario = (", "agents.py:4: SyntaxError"),
    ],
)
def test_what_cannot_be_tried_is_one_clear_line(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simtest", a_file(tmp_path, text)]) == 2

    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simtest", str(tmp_path / "none.py")]) == 2
    assert "there is no such file" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send")
def test_ctrl_c_ends_all_processes_in_good_order(tmp_path: Path) -> None:
    file = a_file(
        tmp_path,
        """
from pathlib import Path
from playact.backends.scripted import ScriptedBackend
def backend(seed):
    with open(Path(__file__).with_name("seeds"), "a") as file: file.write(f"{seed}\\n")
    return ScriptedBackend()
scenario = Scenario(cast=(Agent(Persona(name="Ada")), Agent(Persona(name="Bob"))), max_turns=2)
""",
    )
    started = tmp_path / "seeds"
    os.mkfifo(started)
    command = [sys.executable, "-m", "playact.actors.cli", "simtest", file, "--seeds", "100000", "--jobs", "2"]
    code = "import sys; from playact.actors.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *command[3:]]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process, started.open() as seeds:
        seeds.readline()  # work has begun

        process.send_signal(signal.SIGINT)
        for _ in seeds:
            pass  # until nobody is left who writes
        error = process.stderr.read() if process.stderr else ""

    assert process.returncode == 130
    assert "stopped after" in error
    assert "Traceback" not in error


def test_no_model_that_anything_names_is_asked(tmp_path: Path) -> None:
    file = a_file(
        tmp_path,
        """
from playact.actors import DirectorOrchestrator, Moderator, ProxyAgent
from playact.actors.generators import DialogGenerator
director = DirectorOrchestrator("Be kind.", every=1, model="nobody:has this")
bob = ProxyAgent(Persona(name="Bob"), url="http://127.0.0.1:1/chat")
eve = Agent(Persona(name="Eve"), model="nobody:has this")
scenarios = [
    Scenario(cast=(Agent(Persona(name="Ada")) | director, bob, eve), turn_policy=Moderator(model="no:ne"), max_turns=4),
    DialogGenerator("Two meet.", model="nobody:has this").writing(),
]
""",
    )

    assert main(["simtest", file, "--seeds", "8", "--jobs", "1"]) == 0
