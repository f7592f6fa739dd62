"""The command as its users meet it: what it says, what it keeps, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from playact.actors.cli import main
from playact.engine import Dialog

ROOT = Path(__file__).parents[2]
CAFE = str(ROOT / "examples" / "cafe.yaml")
PLAYACT = str(Path(sys.executable).with_name("playact"))
RUN = ["run", CAFE, "--model", "scripted"]


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    line: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return line


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that says what is wrong."""
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_run_keeps_every_dialog_and_sums_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cafe.jsonl"

    assert main([*RUN, "-n", "30", "--seed", "1", "--out", str(out), "--json"]) == 0

    said = summary(capsys)
    assert len(list(Dialog.read_lines(out))) == said["dialogs"] == 30
    assert said["failed"] == {}
    assert {"turns", "tokens", "seconds", "digest", "seed", "model"} <= set(said)


def test_the_digest_depends_on_the_seed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    digests = []
    for seed, concurrency in (("1", "1"), ("1", "50"), ("2", "50")):
        assert main([*RUN, "-n", "20", "--seed", seed, "--concurrency", concurrency, "--json", "--quiet"]) == 0
        digests.append(summary(capsys)["digest"])

    assert digests[0] == digests[1] != digests[2]


def test_without_a_file_one_dialog_is_shown_and_the_user_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "-n", "2", "--max-turns", "1"]) == 0

    said = capsys.readouterr()
    assert said.out.count("Alice: ") == 1
    assert "--out PATH.jsonl keeps them" in said.err


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run", CAFE, "--model", "opnai:x"], "unknown backend"),
        (["run", CAFE, "--model", "openai:x"], "set the environment variable OPENAI_API_KEY"),
        (["run", "nowhere.yaml"], "cannot be read"),
        ([*RUN, "--out", "/no/such/folder/x.jsonl"], "cannot write"),
        ([*RUN, "--out", "/"], "cannot write"),
        ([*RUN, "--out", "/dev/full"], "No space left on device; it holds 0 whole dialogs"),
        ([*RUN, "--out", CAFE], "say --overwrite"),
        (["show", "nowhere.jsonl"], "cannot be read"),
    ],
)
def test_bad_input_is_one_clear_line(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)

    assert reason in refused(arguments, capsys)


@pytest.mark.parametrize("arguments", [["-n", "0"], ["-n", "many"], ["--max-turns", "0"], ["--concurrency", "-1"]])
def test_numbers_below_one_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*RUN, *arguments])

    assert end.value.code == 2
    assert "must be a whole number of at least 1" in capsys.readouterr().err


def test_failed_dialogs_are_kept_counted_by_reason_and_make_the_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mute.yaml"
    file.write_text("cast:\n  - {name: Ann, model: 'openai:x'}\n  - {name: Ben}\n", encoding="utf-8")
    out = tmp_path / "out.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        patch.setattr("playact.engine.retry.Retry.wait_s", lambda *_, **__: None)
        assert main(["run", str(file), "-n", "3", "--model", "scripted", "--out", str(out), "--json"]) == 1

    said = capsys.readouterr()
    assert json.loads(said.out)["failed"] == {"BackendUnavailable": 3}
    assert "failed: 3 x BackendUnavailable: openai:x: cannot connect" in said.err
    assert all(dialog.ending and dialog.ending.failed for dialog in Dialog.read_lines(out))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_within_two_seconds_and_keeps_what_is_finished(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "storm.jsonl"
    command = [PLAYACT, "run", CAFE, "--model", "scripted:storm", "-n", "2000", "--max-turns", "2", "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (out.exists() and out.stat().st_size):
        time.sleep(0.05)

    process.send_signal(number)
    start = time.monotonic()
    _, said = process.communicate(timeout=30)

    assert process.returncode == code
    assert time.monotonic() - start < 10  # two seconds on an idle machine
    assert f"stopped by {number.name}" in said
    kept = list(Dialog.read_lines(out))
    assert kept
    assert f"{len(kept)} dialogs are in" in said


def test_output_that_is_no_terminal_has_no_escape_sequences_and_a_terminal_has_a_live_line() -> None:
    command = [PLAYACT, "run", CAFE, "--model", "scripted:storm", "-n", "4", "--max-turns", "1"]
    piped = subprocess.run(command, capture_output=True)
    reader, writer = pty.openpty()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=writer)
    os.close(writer)
    shown = b""
    try:
        while chunk := os.read(reader, 4096):
            shown += chunk
    except OSError:  # how a terminal says that the other side has gone
        pass
    os.close(reader)

    assert process.wait() == piped.returncode == 0
    assert b"\x1b" not in piped.stdout + piped.stderr
    assert b"0/4 dialogs" in shown


def test_a_reader_that_goes_away_is_no_trouble() -> None:
    command = f"'{PLAYACT}' run '{CAFE}' --model scripted -n 500 --quiet --out - | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)  # noqa: S602  # a pipe is the point

    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_show_prints_a_dialog_by_line_by_id_or_by_its_beginning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    main([*RUN, "-n", "3", "--quiet", "--out", str(out)])
    second = list(Dialog.read_lines(out))[1]

    shown = []
    for wanted in ("2", str(second.id), str(second.id)[:9]):
        assert main(["show", str(out), wanted]) == 0
        shown.append(capsys.readouterr().out)

    assert len(set(shown)) == 1
    assert second[0].text in shown[0]
    assert "no dialog '99'" in refused(["show", str(out), "99"], capsys)


def test_what_a_model_said_cannot_reach_the_terminal_as_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "evil.jsonl"
    evil = Dialog.model_validate({"turns": [{"speaker": "\x1b[2JA", "text": "x\x1b]0;owned\x07y\x9bz"}]})
    out.write_text(evil.to_line() + "\n", encoding="utf-8")

    assert main(["show", str(out)]) == 0
    assert "A: xyz" in capsys.readouterr().out


def test_a_torn_line_is_told_by_its_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "torn.jsonl"
    out.write_text(Dialog().to_line() + '\n{"turns": [{"te', encoding="utf-8")

    assert main(["show", str(out)]) == 2
    assert "torn.jsonl:2: no dialog" in capsys.readouterr().err
