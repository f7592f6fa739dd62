"""`playact resume` needs the journal alone, and leaves the file of dialogs as if nothing had happened."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from playact.actors import Agent, Orchestrator, Persona, Scenario
from playact.actors.cli import main
from playact.engine import Dialog, Simulation
from playact.engine.program.resumption import config_in
from tests.durability.command import KEY, Expected, Place
from tests.servers.counting_server import Manners


@pytest.fixture(autouse=True)
def at_the_till(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", place.till.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def run(place: Place, *more: str, dialogs: int = 10, code: int = 0) -> None:
    """With a model of our own, which answers at once."""
    line = place.run_line(*more, dialogs=dialogs)
    line[line.index("openai:any")] = "scripted"
    assert main(line) == code


def resume(place: Place, capsys: pytest.CaptureFixture[str], *more: str, code: int = 0) -> dict[str, Any]:
    """What it says at the end."""
    capsys.readouterr()
    assert main(place.resume_line(*more)) == code
    summary: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return summary


def refused(line: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(line) == 2
    (told,) = capsys.readouterr().err.splitlines()
    return told


def test_more_dialogs_are_those_that_a_longer_run_would_have_had(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    run(place, dialogs=12)
    longer = place.digest()
    place.start_anew()
    run(place, dialogs=5)

    said = resume(place, capsys, "-n", "12")

    assert (said["dialogs"], said["session"]["dialogs"], said["planned"], said["left"]) == (12, 7, 12, 0)
    assert said["digest"] == place.digest() == longer


def test_fewer_dialogs_than_there_are_cannot_be_asked_for(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place, dialogs=5)

    assert "say as many or more, not 3" in refused(place.resume_line("-n", "3"), capsys)

    assert len(place.dialogs()) == 5


def test_a_run_that_is_complete_stays_as_it_is(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place)
    before = place.out.read_bytes()

    said = resume(place, capsys)

    assert said["session"]["calls"] == said["session"]["dialogs"] == 0
    assert said["dialogs"] == 10
    assert place.out.read_bytes() == before
    assert not place.left_behind()


def test_a_spent_budget_must_be_raised_and_is_remembered(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place)
    whole = place.digest()
    place.start_anew()
    run(place, "--budget", "calls=30", code=3)

    again = resume(place, capsys, code=3)
    more = resume(place, capsys, "--budget", "calls=50", code=3)
    resume(place, capsys, code=3)
    last = resume(place, capsys, "--budget", "calls=1000")

    assert again["session"]["calls"] == 0
    assert more["calls"] == 50
    assert last["digest"] == place.digest() == whole


def test_failed_dialogs_are_taken_up_again_on_request_only(
    place: Place, expected: Expected, capsys: pytest.CaptureFixture[str]
) -> None:
    place.till.mind(Manners(refuses=0.02))
    assert main(place.run_line()) == 1
    failed = sum(dialog.ending.failed for dialog in place.dialogs() if dialog.ending)
    place.till.mind(Manners())

    as_before = resume(place, capsys, code=1)
    retried = resume(place, capsys, "--retry-failed")

    assert as_before["failed"] == {"BackendRefused": failed}
    assert as_before["session"]["calls"] == 0
    assert (retried["failed"], retried["session"]["dialogs"]) == ({}, failed)
    assert retried["digest"] == place.digest() == expected.digest
    assert place.till.settled().paid == expected.needed


def test_the_rows_of_dialogs_that_failed_once_go_though_the_new_ones_never_came_into_the_file(
    place: Place, expected: Expected, capsys: pytest.CaptureFixture[str]
) -> None:
    """As when the session that retried them was killed before it could write them."""
    place.till.mind(Manners(refuses=0.02))
    assert main(place.run_line()) == 1
    with_failed = place.out.read_bytes()
    place.till.mind(Manners())
    resume(place, capsys, "--retry-failed")
    place.out.write_bytes(with_failed)

    resume(place, capsys)

    assert place.digest() == expected.digest


def test_a_dialog_that_fails_again_is_there_as_it_failed_last(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.till.mind(Manners(refuses=0.02))
    assert main(place.run_line()) == 1

    said = resume(place, capsys, "--retry-failed", code=1)

    assert said["digest"] == place.digest()
    assert len(place.dialogs()) == 60


def test_the_file_is_found_from_another_folder(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place.folder)
    line = [word.replace(f"{place.folder}/", "") for word in place.run_line("--budget", "calls=30", dialogs=10)]
    line[line.index("openai:any")] = "scripted"
    assert "run.jsonl" in line
    assert main(line) == 3
    monkeypatch.chdir(tmp_path)

    said = resume(place, capsys, "--budget", "calls=1000")

    assert len(place.dialogs()) == said["dialogs"] == 10
    assert [path.name for path in tmp_path.iterdir()] == [place.folder.name]


def without(lines: list[bytes], gone: int) -> list[bytes]:
    return lines[:gone] + lines[gone + 1 :]


SPOILS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a line is missing": lambda lines: without(lines, 4),
    "a line is there twice": lambda lines: [*lines, lines[2]],
    "a line is torn": lambda lines: [*lines[:-1], lines[-1][:40]],
    "a line is torn in the middle": lambda lines: [*lines[:3], lines[3][:40] + b"\n", *lines[4:]],
    "a line is no dialog": lambda lines: [*lines, b"what is this?\n"],
    "a line is no text": lambda lines: [*lines, b"\xff\xfe\n"],
    "a line is of another run": lambda lines: [*lines, Dialog(id="another").to_line().encode() + b"\n"],
    "a word was changed": lambda lines: [lines[0].replace(b'"text":"', b'"text":"Well. ', 1), *lines[1:]],
    "everything is gone": lambda lines: [],
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
@pytest.mark.parametrize("is_complete", [True, False], ids=["complete", "with more to play"])
def test_a_file_that_was_spoilt_meanwhile_is_made_whole(
    place: Place, spoil: Callable[[list[bytes]], list[bytes]], is_complete: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    run(place)
    whole = place.digest()
    if not is_complete:
        place.start_anew()
        run(place, "--budget", "calls=76", "--concurrency", "1", code=3)
    lines = place.out.read_bytes().splitlines(keepends=True)
    spoilt = spoil(lines)
    assert spoilt != lines
    place.out.write_bytes(b"".join(spoilt))

    said = resume(place, capsys, "--budget", "calls=1000")

    assert said["digest"] == place.digest() == whole
    assert not place.left_behind()


def test_a_file_that_was_taken_away_is_made_anew(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place)
    whole = place.digest()
    place.out.unlink()

    resume(place, capsys)

    assert place.digest() == whole


def test_a_file_in_another_order_is_whole_unless_order_was_asked_for(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    for more, is_kept in (((), True), (("--ordered",), False)):
        place.start_anew()
        run(place, *more)
        in_order = place.out.read_bytes()
        lines = in_order.splitlines(keepends=True)
        random.Random(1).shuffle(lines)
        place.out.write_bytes(b"".join(lines))

        resume(place, capsys)

        assert (place.out.read_bytes() == b"".join(lines)) is is_kept
        assert (place.out.read_bytes() == in_order) is not is_kept


def test_a_link_to_the_file_stays_one_and_its_permissions_stay(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "elsewhere.jsonl"
    target.touch(0o600)
    place.out.symlink_to(target)
    run(place)
    whole = place.digest()
    target.write_bytes(b"")

    resume(place, capsys)

    assert place.out.is_symlink()
    assert place.digest() == whole
    assert target.stat().st_mode & 0o777 == 0o600


def test_another_file_gets_all_dialogs_not_only_the_new_ones(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(place, "--budget", "calls=40", code=3)
    before = place.out.read_bytes()
    other = tmp_path / "other.jsonl"

    said = resume(place, capsys, "--budget", "calls=1000", "--out", str(other))

    assert len(list(Dialog.read_lines(other))) == said["dialogs"] == 10
    assert place.out.read_bytes() == before


def test_standard_output_gets_the_dialogs_of_this_session(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place, "--budget", "calls=40", "--out", "-", code=3)
    first = capsys.readouterr().out.splitlines()

    assert main(place.resume_line("--budget", "calls=1000")) == 0

    second = capsys.readouterr().out.splitlines()
    ids = [str(Dialog.from_json(line).id) for line in first[:-1] + second[:-1]]
    assert len(ids) == len(set(ids)) == json.loads(second[-1])["dialogs"] == 10


def test_a_run_without_a_file_shows_one_dialog_and_says_where_the_others_are(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [
        "run",
        str(place.scenario),
        "--model",
        "scripted",
        "-n",
        "4",
        "--seed",
        "3",
        "--journal",
        str(place.journal),
    ]
    assert main([*line, "--budget", "calls=20"]) == 3
    capsys.readouterr()

    assert main(["resume", str(place.journal), "--budget", "calls=1000"]) == 0

    said = capsys.readouterr()
    assert said.out.count("--- dialog ") == 1
    assert "4 of 4 dialogs are over: 4 turn limit" in said.err
    assert "none was kept" not in said.err


class Whisper(Orchestrator):
    """Code that no journal holds."""

    def instruct(self, dialog: Dialog, utterance: str) -> str:
        return "Whisper."


@pytest.mark.parametrize("command", ["resume", "replay"])
def test_a_run_that_needs_code_of_the_users_is_one_clear_line(
    place: Place, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def begin() -> None:
        scenario = Scenario(cast=(Agent(Persona(name="Ann")) | Whisper(), Agent(Persona(name="Ben"))), max_turns=4)
        async with Simulation(model="scripted", journal=place.journal, concurrency=2) as simulation:
            async for _ in simulation.run([scenario] * 9):
                break

    anyio.run(begin)

    assert "Whisper" in refused([command, str(place.journal)], capsys)


def test_the_file_that_a_resume_names_is_that_of_the_next_too(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.jsonl"
    run(place, "--budget", "calls=30", code=3)
    before = place.out.read_bytes()

    resume(place, capsys, "--budget", "calls=40", "--out", str(other), code=3)
    resume(place, capsys, "--budget", "calls=1000")

    assert len(list(Dialog.read_lines(other))) == 10
    assert place.out.read_bytes() == before


@pytest.mark.parametrize("wrong", ["-", "/no/such/folder/x.jsonl"])
def test_what_cannot_be_gone_on_with_is_not_remembered(
    wrong: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    run(place, "--budget", "calls=30", code=3)

    main(place.resume_line("--budget", "calls=40", "--out", wrong))
    resume(place, capsys, "--budget", "calls=1000")

    assert len(place.dialogs()) == 10


def test_a_resumed_run_is_as_it_was_whatever_is_set_now_but_for_what_is_asked(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(place, "--budget", "calls=30", "--rpm", "90000", "--in-flight", "9", "--max-tokens", "50", code=3)
    monkeypatch.setenv("PLAYACT_TEMPERATURE", "hot")
    monkeypatch.setenv("PLAYACT_SETTINGS", "/no/such.toml")

    resume(place, capsys, "--budget", "calls=1000", "--tpm", "9000000", "--in-flight", "4", "--hedge", "60")

    config = config_in(place.journal)
    pace = config["pace"][""]
    assert (pace["requests_per_minute"], pace["tokens_per_minute"], config["in_flight"]) == (90000, 9000000, 4)
    assert config["model_parameters"]["max_tokens"] == 50
    assert config["hedge"]["after_s"] == 60
