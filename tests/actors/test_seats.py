"""Who takes a seat from outside plays like anybody else: is journaled, resumed, named in files, told what all hear."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from playact.actors import Agent, Asides, HumanSeat, Persona, ProxyAgent, Scenario
from playact.actors.playbill import Playbill
from playact.backends.human import HumanBackend
from playact.backends.scripted import ScriptedBackend
from playact.backends.terminal import Terminal
from playact.engine import Dialog, Simulation
from playact.engine.errors import FileInvalid
from tests.actors.test_cli import PLAYACT, environment, refused

pytestmark = pytest.mark.anyio

ANA, BEN = Agent(Persona(name="Ana")), Agent(Persona(name="Ben"))
PARTY = (
    "cast: [{persona: {name: Ana}}, human, {persona: {name: Ben}}]\ncontext: A cold day.\nmax_turns: 6\nasides: true\n"
)


def typing(folder: Path, text: str, screen: io.StringIO) -> HumanBackend:
    path = folder / "typed"
    path.write_text(text, encoding="utf-8")
    return HumanBackend(Terminal(os.open(path, os.O_RDONLY), screen))


async def test_a_person_is_told_who_and_where_and_what_is_for_that_persons_ears(tmp_path: Path) -> None:
    screen = io.StringIO()
    human = HumanSeat(Persona(name="Ida"), model=typing(tmp_path, "Cold!\n[to Ben: psst]\n", screen))
    lines = {1: "[to Ben: xyzzy]", 3: "Yes."}
    model = ScriptedBackend(lambda request: lines.get(request.sequence, f"Line {request.sequence}."))
    scenario = Scenario(cast=(ANA, human, BEN), context="A cold day.", asides=Asides(), max_turns=6)
    async with Simulation(model=model) as simulation:
        dialog = await simulation.play(scenario)

    assert dialog.get_speakers() == ["Ana", "Ida", "Ben"]
    assert dialog[1].text == "Cold!"
    assert (dialog[4].text, dialog[4].model_extra) == ("psst", {"heard_by": ["Ben"]})
    assert screen.getvalue().startswith(
        "--- You are Ida. You are talking with Ana and Ben. A cold day. Say what you like"
    )
    assert "\nAna: Line 0.\n> " in screen.getvalue()
    assert "persona" not in screen.getvalue()


async def test_a_person_who_speaks_first_is_greeted_by_nobody(tmp_path: Path) -> None:
    screen = io.StringIO()
    human = HumanSeat(name="Ida", model=typing(tmp_path, "Anybody here?\n", screen))
    async with Simulation(model=ScriptedBackend(lambda request: "Me.")) as simulation:
        dialog = await simulation.play(Scenario(cast=(human, ANA), max_turns=6))

    assert [turn.text for turn in dialog] == ["Anybody here?", "Me."]
    assert "Hello!" not in screen.getvalue()
    assert dialog.ending is not None
    assert (dialog.ending.reason, dialog.ending.detail) == ("finished", "end marker")  # the input ended


async def test_what_a_person_said_is_never_asked_for_again(tmp_path: Path) -> None:
    journal = tmp_path / "run.db"
    first, again = io.StringIO(), io.StringIO()
    human = typing(tmp_path, "One.\nTwo.\n", first)
    scenario = Scenario(cast=(HumanSeat(name="Ida", model=human), ANA), max_turns=6)

    async def stops(request: object) -> str:
        if first.getvalue().count("> ") == 2:
            scope.cancel()
            await anyio.sleep_forever()
        return "Go on."

    with anyio.CancelScope() as scope:
        async with Simulation(model=ScriptedBackend(stops), journal=journal, seed=1) as simulation:
            async for _ in simulation.run([scenario]):
                pass
    human = typing(tmp_path, "Three.\n", again)
    async with Simulation.resume(journal, model=ScriptedBackend(lambda request: "Go on."), code=[human]) as simulation:
        (dialog,) = [dialog async for dialog in simulation.run()]

    assert [turn.text for turn in dialog] == ["One.", "Go on.", "Two.", "Go on.", "Three.", "Go on."]
    assert first.getvalue().count("> ") == 2
    assert again.getvalue().endswith("> One.\nAna: Go on.\n> Two.\nAna: Go on.\n> ")  # told anew where it stands


def test_a_scenario_file_seats_people_and_systems(tmp_path: Path) -> None:
    path = tmp_path / "seats.yaml"
    path.write_text(
        "cast:\n- human\n- human: {name: Ida}\n- proxy: {url: 'http://localhost:1/chat', headers: {X-Key: $KEY}}\n"
        "- {name: Ana}\n",
        encoding="utf-8",
    )

    scenario = next(iter(Playbill.from_file(path).scenarios(1)))

    assert scenario.names == ("Human", "Ida", "System", "Ana")
    assert isinstance(scenario.cast[2], ProxyAgent)
    assert scenario.has_human


@pytest.mark.parametrize(
    ("seat", "problem"),
    [
        ("{human: {nmae: Ida}}", "seats.yaml:3: unknown key `nmae`; did you mean `name`?"),
        ("{human: 5}", "cast[1].human: takes keys with values"),
        ("{proxy: {url: localhost}}", "a ProxyAgent needs a url"),
        ("{proxy: {url: 'http://x', api: soap}}", "cast[1].proxy.api: is one of 'json' or 'openai'"),
    ],
)
def test_a_seat_that_is_none_is_told_with_its_line(seat: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "seats.yaml"
    path.write_text(f"cast:\n- {{name: Ana}}\n- {seat}\n", encoding="utf-8")

    with pytest.raises(FileInvalid, match=re.escape(problem)):
        Playbill.from_file(path)


def test_a_person_cannot_take_part_in_several_dialogs_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "party.yaml"
    path.write_text(PARTY, encoding="utf-8")

    said = refused(["run", str(path), "--model", "scripted", "--concurrency", "2"], capsys)

    assert "who can take part in one dialog at a time, and 2 are to be played at once" in said


@contextmanager
def at_a_terminal(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command with a terminal of its own, and our end of that."""
    ours, theirs = pty.openpty()
    command = [PLAYACT, *arguments]
    env = environment(PYTHONPATH=os.environ.get("PYTHONPATH", ""))
    process = subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, cwd=folder, env=env, start_new_session=True
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.communicate()
        os.close(ours)


def until(ours: int, *wanted: str) -> str:
    """What the terminal shows until all that is there, in this order."""
    shown = ""
    while re.search(".*".join(map(re.escape, wanted)), shown, re.DOTALL) is None:
        shown += os.read(ours, 1000).decode()
    return shown


def test_a_person_talks_at_the_terminal_and_leaves_with_control_d(tmp_path: Path) -> None:
    (tmp_path / "party.yaml").write_text(PARTY, encoding="utf-8")
    with at_a_terminal(tmp_path, "run", "party.yaml", "--model", "scripted", "--out", "x.jsonl") as (process, ours):
        scene = until(ours, "> ")
        os.write(ours, b"Brr, it is cold!\n")
        later = until(ours, "> ")
        os.write(ours, b"\x04")
        process.wait(timeout=60)

    (dialog,) = Dialog.read_lines(tmp_path / "x.jsonl")
    assert process.returncode == 0
    assert "You are Human. You are talking with Ana and Ben. A cold day." in scene
    assert "\nAna: " in scene.replace("\r", "")
    assert "\nBen: " in later.replace("\r", "") or "> Ben: " in later
    assert dialog[1].text == "Brr, it is cold!"
    assert len(dialog) == 4
    assert dialog.ending is not None
    assert dialog.ending.detail == "end marker"


def test_control_c_while_a_person_thinks_ends_the_run_and_a_resume_goes_on(tmp_path: Path) -> None:
    (tmp_path / "party.yaml").write_text(PARTY, encoding="utf-8")
    run = ["run", "party.yaml", "--model", "scripted", "--journal", "x.db"]
    with at_a_terminal(tmp_path, *run) as (process, ours):
        until(ours, "> ")
        os.write(ours, b"Brr, it is cold!\n")
        until(ours, "> ")
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    with at_a_terminal(tmp_path, "resume", "x.db", "--out", "x.jsonl") as (resumed, ours):
        until(ours, "> Brr, it is cold!", "\n> ")
        os.write(ours, b"/quit\n")
        resumed.wait(timeout=60)

    (dialog,) = Dialog.read_lines(tmp_path / "x.jsonl")
    assert process.returncode == 128 + signal.SIGINT
    assert resumed.returncode == 0
    assert dialog[1].text == "Brr, it is cold!"
    assert len(dialog) == 4


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_while_a_person_types_a_run_goes_on_with_what_was_answered_and_asks_nothing_of_it_again(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "party.yaml").write_text(PARTY, encoding="utf-8")
    run = ["run", "party.yaml", "--model", "scripted", "--journal", "x.db", "--out", "x.jsonl", "-n", "2"]
    with at_a_terminal(tmp_path, *run) as (process, ours):
        until(ours, "> ")
        os.write(ours, b"Brr, it is cold!\n")
        until(ours, "> ")
        os.write(ours, b"And it is")  # half a line
        process.send_signal(number)
        process.wait(timeout=60)
    with at_a_terminal(tmp_path, "resume", "x.db") as (resumed, ours):
        until(ours, "> Brr, it is cold!", "\n> ")
        os.write(ours, b"Very cold.\n")
        until(ours, "--- ", "\n> ")  # the second dialog, once the first is over
        os.write(ours, b"/quit\n")
        resumed.wait(timeout=60)

    first, second = sorted(Dialog.read_lines(tmp_path / "x.jsonl"), key=len, reverse=True)
    said = [turn.text for turn in first if turn.speaker == "Human"]
    assert resumed.returncode == 0
    assert said == ["Brr, it is cold!", "Very cold."]
    assert [turn.text for turn in second if turn.speaker == "Human"] == []


def test_a_resumed_run_takes_a_person_into_one_dialog_at_a_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "party.yaml").write_text(PARTY, encoding="utf-8")
    journal = str(tmp_path / "x.db")
    with at_a_terminal(tmp_path, "run", "party.yaml", "--model", "scripted", "--journal", "x.db") as (process, ours):
        until(ours, "> ")
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)

    said = refused(["resume", journal, "--concurrency", "2"], capsys)

    assert "who can take part in one dialog at a time, and 2 are to be played at once" in said
