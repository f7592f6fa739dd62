"""What is not the command's own to write stays as it is, whatever names it is given."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import anyio
import pytest

from playact.actors import AddressedByName, Agent, DirectorOrchestrator, Moderator, Persona, Scenario
from playact.actors.cli import main
from playact.actors.generators import DialogGenerator, PersonaGenerator
from playact.engine import Parameters, Simulation
from playact.engine.errors import JournalUnwritable, SetupError
from playact.engine.performance import Playable

SCENARIO = """
cast:
  - persona: {name: Ann}
  - persona: {name: Ben}
max_turns: 2
dialogs: 3
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a finished run, `run.db` and `run.jsonl`."""
    monkeypatch.chdir(tmp_path)
    Path("pair.yaml").write_text(SCENARIO)
    line = ["run", "pair.yaml", "--model", "scripted", "--quiet", "--journal", "run.db", "--out", "run.jsonl"]
    assert main(line) == 0
    return tmp_path


def refused(line: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(line) == 2
    (said,) = capsys.readouterr().err.splitlines()
    return said


@pytest.mark.parametrize(
    "line",
    [
        ["resume", "run.db", "--out", "run.db"],
        ["resume", "run.db", "--out", "run.db-wal"],
        ["resume", "run.db", "--out", "link.db"],
        ["export", "run.db", "--out", "run.db", "--overwrite"],
        ["replay", "run.db", "--out", "./run.db", "--overwrite"],
        ["fork", "run.db", "0", "--turn", "1", "--out", "run.db", "--overwrite"],
        ["run", "pair.yaml", "--model", "scripted", "--journal", "new", "--out", "new"],
        ["run", "pair.yaml", "--model", "scripted", "--journal", "new", "--out", "new-lock"],
    ],
)
def test_dialogs_are_never_written_over_a_journal(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("link.db").symlink_to("run.db")
    before = Path("run.db").read_bytes()

    assert "belongs to the journal" in refused(line, capsys)

    assert Path("run.db").read_bytes() == before
    assert not Path("new").exists()


@pytest.mark.parametrize("content", ["precious\n", "precious", '{"id": "another"}\n{"id": "and another"}\n'])
def test_resume_completes_no_file_of_others(content: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("notes.txt").write_text(content)

    assert "something else than dialogs" in refused(["resume", "run.db", "-n", "5", "--out", "notes.txt"], capsys)

    assert Path("notes.txt").read_text() == content


def test_resume_leaves_the_dialogs_that_another_run_has_put_into_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    other = ["run", "pair.yaml", "--model", "scripted", "--quiet", "--out", "run.jsonl", "--overwrite"]
    assert main(other) == 0
    before = Path("run.jsonl").read_text()

    assert "--out with another name" in refused(["resume", "run.db", "-n", "5"], capsys)

    assert Path("run.jsonl").read_text() == before


@pytest.mark.parametrize("torn", ["", '{"version": "0.1'])
def test_a_file_that_holds_no_whole_line_yet_is_completed(torn: str) -> None:
    Path("run.jsonl").write_text(torn)

    assert main(["resume", "run.db", "--quiet"]) == 0

    assert len(Path("run.jsonl").read_text().splitlines()) == 3


def test_a_journal_takes_the_place_of_no_pipe_or_folder(capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("pipe")
    line = ["run", "pair.yaml", "--model", "scripted", "--journal"]

    assert "is no plain file" in refused([*line, "pipe"], capsys)
    assert "is a folder" in refused([*line, "/"], capsys)

    assert Path("pipe").is_fifo()


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("scenario", {"recipe": "[1, 2"}),
        ("scenario", {"recipe": '{"cast": [{"$kind": [1]}]}'}),
        ("log", {"body": "[]"}),
        ("log", {"body": "{}"}),
        ("log", {"kind": "Fact"}),
    ],
)
def test_a_journal_that_somebody_has_made_up_is_one_clear_line(
    table: str, change: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    ((column, value),) = change.items()
    with sqlite3.connect("run.db") as database:
        database.execute(f"UPDATE {table} SET {column} = ?", (value,))  # noqa: S608  # ours
        for row in database.execute(f"SELECT rowid, * FROM {table}").fetchall():  # noqa: S608  # ours
            text = "\x1f".join(f"'{each}" if isinstance(each, str) else repr(each) for each in row[1:-1])
            sums = (crc32(text.encode()), row[0])
            database.execute(f"UPDATE {table} SET checksum = ? WHERE rowid = ?", sums)  # noqa: S608  # ours
    database.close()

    assert refused(["export", "run.db"], capsys).startswith("playact: ")


@pytest.mark.parametrize("caps", ["usd=nan", "usd=sNaN", "usd=1e999999", "tokens=1.5", "calls=-1", "seconds=inf"])
def test_a_cap_is_a_number(caps: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "pair.yaml", "--budget", caps])

    assert "must be a" in capsys.readouterr().err


WITH_KEY = Parameters(extra={"api_key": "sk-secret"})
ANN, BEN = Agent(Persona(name="Ann")), Agent(Persona(name="Ben"))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "played",
    [
        Scenario(cast=(replace(ANN, model_parameters=WITH_KEY), BEN)),
        Scenario(cast=(ANN | DirectorOrchestrator("Be kind.", model_parameters=WITH_KEY), BEN)),
        Scenario(cast=(ANN, BEN), turn_policy=Moderator(model_parameters=WITH_KEY)),
        Scenario(cast=(ANN, BEN), turn_policy=AddressedByName(Moderator(model_parameters=WITH_KEY))),
        DialogGenerator("Two meet.", api_key="sk-secret").writing(),
    ],
    ids=["agent", "orchestrator", "policy", "policy in a policy", "generator"],
)
async def test_a_key_among_the_parameters_of_a_model_is_kept_by_no_journal(played: Playable) -> None:
    async with Simulation(model="scripted", journal="keys.db") as simulation:
        with pytest.raises(SetupError, match="'api_key', which no journal may keep"):
            await simulation.play(played)

    assert b"sk-secret" not in Path("keys.db").read_bytes()  # noqa: ASYNC240  # nothing else runs


@pytest.mark.anyio
async def test_a_key_among_the_parameters_of_a_generator_is_kept_by_no_journal() -> None:
    generator = PersonaGenerator(Persona, api_key="sk-secret")

    with pytest.raises(SetupError, match="'api_key', which no journal may keep"):
        await generator.generate(2, model="scripted", journal="keys.db")

    assert not Path("keys.db").exists()  # noqa: ASYNC240  # nothing else runs


@pytest.mark.anyio
async def test_a_run_whose_journal_is_moved_away_pays_for_nothing_more() -> None:
    scenario = Scenario(cast=(Agent(Persona(name="Ann")), Agent(Persona(name="Ben"))), max_turns=2)

    with pytest.raises(JournalUnwritable, match="no longer where it was"):
        async with Simulation(model="scripted", journal="moved.db", concurrency=1) as simulation:
            async for _ in simulation.run([scenario] * 1000):
                if os.path.exists("moved.db"):  # noqa: ASYNC240  # it is quick
                    os.rename("moved.db", "elsewhere.db")
            await anyio.sleep_forever()

    assert simulation.statistics().calls < 10
