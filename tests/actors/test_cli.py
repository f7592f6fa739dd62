"""The command as its users meet it: what it says, what it keeps, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from playact.actors.cli import main
from playact.engine import Dialog, Parameters
from playact.engine.program.resumption import config_in

ROOT = Path(__file__).parents[2]
CAFE = str(ROOT / "examples" / "cafe.yaml")
PLAYACT = str(Path(sys.executable).with_name("playact"))
RUN = ["run", CAFE, "--model", "scripted"]
CLOSED = "http://127.0.0.1:9/v1"  # nothing listens there

# Three replies come at once, the others never; as a model called "mine:anything".
THREE_REPLIES = """
import anyio
from playact.backends.scripted import ScriptedBackend

left = [1, 2, 3]

async def reply(request):
    if not left:
        await anyio.sleep(3600)
    return f"This is number {left.pop()}."

def made(name):
    return ScriptedBackend(reply)
"""
EMPTY_REPLIES = """
from playact.backends.scripted import ScriptedBackend

def made(name):
    return ScriptedBackend(lambda request: " ")
"""
ECHO = """
from playact.backends.scripted import ScriptedBackend

def made(name):
    return ScriptedBackend(lambda request: f"{request.parameters} {len(request.messages)}")
"""


def closing_in(seconds: float) -> str:
    """More code, for a model that takes its time to close."""
    return f"""
class Slow(ScriptedBackend):
    async def aclose(self):
        await anyio.sleep({seconds})

def made(name):
    return Slow(reply)
"""


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    line: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return line


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that says what is wrong."""
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def environment(**changes: str) -> dict[str, str]:
    """Ours, without what would lead to a model."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PLAYACT_"))}
    return kept | changes


def offering(folder: Path, code: str) -> dict[str, str]:
    """The environment of a command that also has the backend `mine`, made by `made` in `code`."""
    (folder / "mine.py").write_text(code, encoding="utf-8")
    info = folder / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[playact.backends]\nmine = mine:made\n", encoding="utf-8")
    return environment(PYTHONPATH=str(folder))


def shell(line: str, *arguments: str, **environs: str) -> subprocess.CompletedProcess[str]:
    """What a shell line gives; in it, "$@" is the command with these arguments."""
    command = ["bash", "-c", line, "bash", PLAYACT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(**environs))


@contextmanager
def started(*arguments: str, env: dict[str, str] | None = None, **streams: Any) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, which does not outlive the test."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    with subprocess.Popen([PLAYACT, *arguments], text=True, env=env or environment(), **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_lines(path: Path, lines: int) -> None:
    deadline = time.monotonic() + 30
    while not path.exists() or path.read_bytes().count(b"\n") < lines:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def seen_on(terminal: int) -> str:
    """All that comes to a terminal until its other side goes."""
    shown = b""
    try:
        while chunk := os.read(terminal, 4096):
            shown += chunk
    except OSError:  # how a terminal says that the other side has gone
        pass
    os.close(terminal)
    return shown.decode()


def test_it_tells_its_version() -> None:
    assert shell('"$@"', "--version").stdout == f"playact {version('playact')}\n"


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
        ([*RUN, "--out", ""], "the name of the file to write is empty"),
        ([*RUN, "--out", CAFE], "say --overwrite"),
        (["run", str(ROOT)], "cannot be read"),
        (["show", "nowhere.jsonl"], "cannot be read"),
        (["show", os.devnull], "holds no dialogs"),
    ],
)
def test_bad_input_is_one_clear_line(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)

    assert reason in refused(arguments, capsys)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "COMMAND"),
        (["perform"], "perform"),
        ([*RUN, "--turns", "3"], "--turns"),
        ([*RUN, "--seed", "lucky"], "lucky"),
        *(
            ([*RUN, *wrong], "must be a whole number of at least 1")
            for wrong in (["-n", "0"], ["-n", "many"], ["-n", "²"], ["--max-turns", "0"], ["--concurrency", "-1"])
        ),
        *(
            ([*RUN, flag, "0"], "must be a whole number of at least 1")
            for flag in ("--max-tokens", "--in-flight", "--rpm", "--tpm")
        ),
        *(([*RUN, "--temperature", wrong], "must be a number from 0 to 100") for wrong in ("-1", "hot", "nan")),
        *(([*RUN, "--hedge", wrong], "must be a number of seconds") for wrong in ("0", "p", "p100", "px", "soon")),
    ],
)
def test_wrong_arguments_are_one_clear_line(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)

    (line,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 2
    assert reason in line
    assert line.endswith("--help")


def test_how_models_sample_is_said_by_the_agent_the_flag_the_scenario_and_the_environment_in_this_order(
    tmp_path: Path,
) -> None:
    file, out = tmp_path / "pair.yaml", tmp_path / "out.jsonl"
    file.write_text(
        "cast:\n  - {name: Ann, model_parameters: {temperature: 0.1}}\n  - {name: Ben}\nmax_turns: 2\n"
        "model_parameters: {temperature: 0.3, max_tokens: 30, top_p: 0.3}\n",
        encoding="utf-8",
    )
    env = offering(tmp_path, ECHO) | {
        "PLAYACT_MODEL": "mine:x",
        "PLAYACT_TEMPERATURE": "0.4",
        "PLAYACT_TOP_P": "0.4",
        "PLAYACT_STOP": '["###"]',
    }

    with started("run", str(file), "--max-tokens", "20", "--out", str(out), "--quiet", env=env) as process:
        assert process.wait(timeout=60) == 0

    (dialog,) = Dialog.read_lines(out)
    expected = [
        Parameters(temperature=temperature, max_tokens=20, top_p=0.3, stop=("###",)) for temperature in (0.1, 0.3)
    ]
    assert [turn.text.rpartition(" ")[0] for turn in dialog] == [str(each) for each in expected]


def test_how_models_are_asked_is_kept_in_the_journal(tmp_path: Path) -> None:
    journal = tmp_path / "run.db"
    flags = ["--in-flight", "3", "--rpm", "6000", "--tpm", "900000", "--hedge", "p90", "--temperature", "0"]
    flags += ["--cache", str(tmp_path / "replies.db")]

    assert main([*RUN, *flags, "--journal", str(journal), "--quiet"]) == 0

    config = config_in(journal)
    assert config["in_flight"] == 3
    assert config["pace"][""] | {"requests_per_minute": 6000, "tokens_per_minute": 900000} == config["pace"][""]
    assert config["hedge"]["percentile"] == 0.9
    assert config["cache"]["path"] == str(tmp_path / "replies.db")
    assert config["model_parameters"]["temperature"] == 0


def test_a_cache_answers_what_was_asked_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = [*RUN, "-n", "3", "--seed", "4", "--cache", str(tmp_path / "replies.db"), "--json", "--quiet"]

    found = []
    for _ in range(2):
        assert main(again) == 0
        found.append(summary(capsys))

    first, second = found
    assert second["digest"] == first["digest"]
    assert (first["calls"] != 0, second["calls"]) == (True, 0)


def test_wrong_settings_are_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("temprature = 1\n", encoding="utf-8")
    monkeypatch.setenv("PLAYACT_SETTINGS", str(file))

    for more in ([], ["--dry-run"], ["--journal", str(tmp_path / "run.db")]):
        told = refused([*RUN, *more], capsys)
        assert told == f"playact: {file}:1: `temprature` is no setting; did you mean `temperature`?"
    assert not (tmp_path / "run.db").exists()


def test_a_misspelt_key_is_told_with_its_line_and_the_right_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cafe.yaml"
    file.write_text("cast:\n  - {name: Ann}\n  - {name: Ben}\nmax_turn: 3\n", encoding="utf-8")

    assert (
        refused(["run", str(file)], capsys) == f"playact: {file}:4: unknown key `max_turn`; did you mean `max_turns`?"
    )


def test_a_backend_whose_package_is_missing_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "httptools.py").write_text("raise ModuleNotFoundError(name=__name__)\n", encoding="utf-8")

    done = shell('"$@"', "run", CAFE, "--model", "openai:x", PYTHONPATH=str(tmp_path), OPENAI_API_KEY="k")

    assert done.returncode == 2
    assert done.stderr == "playact: openai needs the package httptools: pip install 'playact[openai]'\n"


def test_a_run_that_cannot_start_leaves_the_old_file_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "pair.yaml", tmp_path / "old.jsonl"
    file.write_text("cast:\n  - {name: Ann, model: 'opnai:x'}\n  - {name: Ben}\n", encoding="utf-8")
    out.write_text("precious\n", encoding="utf-8")

    for arguments in (["run", CAFE, "--model", "opnai:x"], ["run", str(file), "--model", "scripted"]):
        assert "unknown backend" in refused([*arguments, "--out", str(out), "--overwrite"], capsys)

    assert out.read_text(encoding="utf-8") == "precious\n"


@pytest.mark.parametrize("limit", [1, 3])
def test_the_limit_of_turns_is_that_of_the_command_line(limit: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "-n", "4", "--max-turns", str(limit), "--json"]) == 0

    assert summary(capsys)["turns"] == 4 * limit


def test_failed_dialogs_are_kept_counted_by_reason_and_make_the_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mute.yaml"
    file.write_text("cast:\n  - {name: Ann, model: 'openai:x'}\n  - {name: Ben}\n", encoding="utf-8")
    out = tmp_path / "out.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", CLOSED)
        patch.setattr("playact.engine.retry.Retry.wait_s", lambda *_, **__: None)
        assert main(["run", str(file), "-n", "3", "--model", "scripted", "--out", str(out), "--json"]) == 1

    said = capsys.readouterr()
    assert json.loads(said.out)["failed"] == {"BackendUnavailable": 3}
    assert "failed: 3 x BackendUnavailable: openai:x: cannot connect" in said.err
    assert all(dialog.ending and dialog.ending.failed for dialog in Dialog.read_lines(out))


def test_a_model_that_says_nothing_fails_the_dialog_and_nothing_is_said_to_be_kept(tmp_path: Path) -> None:
    with started("run", CAFE, "--model", "mine:x", "-n", "2", env=offering(tmp_path, EMPTY_REPLIES)) as process:
        said, told = process.communicate(timeout=30)

    assert process.returncode == 1
    assert said == ""
    assert "failed: 2 x ReplyEmpty: Alice's model gave an empty reply 3 times" in told
    assert "no dialog was kept" in told


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_within_two_seconds_and_keeps_what_is_finished(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "out.jsonl"
    arguments = ["run", CAFE, "--model", "mine:x", "-n", "50", "--max-turns", "1", "--out", str(out), "--json"]
    with started(*arguments, env=offering(tmp_path, THREE_REPLIES)) as process:
        wait_for_lines(out, 3)

        process.send_signal(number)
        process.send_signal(number)  # as `timeout` does
        start = time.monotonic()
        said, told = process.communicate(timeout=30)
        seconds = time.monotonic() - start

    assert process.returncode == code
    assert seconds < 2
    assert len(list(Dialog.read_lines(out))) == json.loads(said)["dialogs"] == 3
    assert f"stopped by {number.name}\n3 dialogs are in {out}" in told


def test_whatever_had_finished_when_the_signal_came_is_in_the_file_and_in_the_summary(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with started(*RUN, "-n", "1000000", "--concurrency", "100", "--quiet", "--json", "--out", str(out)) as process:
        wait_for_lines(out, 100)

        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)

    kept = [str(dialog.id) for dialog in Dialog.read_lines(out)]
    assert process.returncode == 130
    assert len(kept) == len(set(kept)) == json.loads(said)["dialogs"]


def test_a_signal_while_the_model_is_being_opened_closes_it_again(tmp_path: Path) -> None:
    code = """
import anyio, pathlib
from playact.backends.scripted import ScriptedBackend

class Slow(ScriptedBackend):
    async def open(self):
        pathlib.Path(__file__).with_name("opening").write_text("yes\\n")
        await anyio.sleep(3600)

    async def aclose(self):
        pathlib.Path(__file__).with_name("closed").touch()

def made(name):
    return Slow()
"""
    with started("run", CAFE, "--model", "mine:x", env=offering(tmp_path, code)) as process:
        wait_for_lines(tmp_path / "opening", 1)

        process.send_signal(signal.SIGTERM)

        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 143
    assert (tmp_path / "closed").exists()


@pytest.mark.parametrize(("close_s", "wait_s", "code"), [(0.6, 0.3, 130), (3600, 1.2, -signal.SIGINT)])
def test_a_second_signal_ends_it_at_once_when_ending_takes_too_long_and_not_before(
    tmp_path: Path, close_s: float, wait_s: float, code: int
) -> None:
    out = tmp_path / "out.jsonl"
    arguments = ["run", CAFE, "--model", "mine:x", "-n", "50", "--max-turns", "1", "--out", str(out)]
    with started(*arguments, env=offering(tmp_path, THREE_REPLIES + closing_in(close_s))) as process:
        wait_for_lines(out, 3)

        process.send_signal(signal.SIGINT)
        time.sleep(wait_s)
        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=10) == code
    assert len(list(Dialog.read_lines(out))) == 3


def test_a_signal_that_is_ignored_already_stays_ignored(tmp_path: Path) -> None:
    """So a run that was begun with `nohup` outlives its terminal."""
    code = THREE_REPLIES.replace("sleep(3600)", "sleep(0.5)").replace("left.pop()", "len(request.dialog)")
    code = code.replace("if not left:", "import os, signal\n    os.kill(os.getpid(), signal.SIGHUP)\n    if True:")
    env = offering(tmp_path, code)

    done = shell("""trap "" HUP; exec "$@" """, "run", CAFE, "--model", "mine:x", "--max-turns", "1", **env)

    assert done.returncode == 0


def test_output_that_is_no_terminal_has_no_escape_sequences(tmp_path: Path) -> None:
    done = shell('"$@"', *RUN)

    assert done.stdout.startswith("--- dialog ")
    assert "turns/s" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(("kind", "is_live"), [("xterm", True), ("dumb", False)])
def test_a_terminal_has_a_live_line_if_it_can_renew_one(kind: str, is_live: bool) -> None:
    terminal, writer = pty.openpty()
    arguments = [*RUN[:-1], "scripted:storm", "-n", "2", "--max-turns", "1", "--seed", "1"]
    with started(*arguments, env=environment(TERM=kind), stdout=subprocess.DEVNULL, stderr=writer) as process:
        os.close(writer)
        shown = seen_on(terminal)

    assert process.returncode == 0
    assert ("0/2 dialogs" in shown) is is_live
    assert ("\x1b" in shown) is is_live
    assert "2 dialogs in" in shown


def test_dialogs_on_a_terminal_are_not_mixed_with_a_live_line() -> None:
    terminal, writer = pty.openpty()
    arguments = [*RUN[:-1], "scripted:storm", "-n", "2", "--max-turns", "1", "--seed", "1", "--out", "-"]
    with started(*arguments, env=environment(TERM="xterm"), stdout=writer, stderr=writer):
        os.close(writer)
        shown = seen_on(terminal)

    assert "\x1b" not in shown
    assert all(Dialog.from_json(line).ending for line in shown.splitlines()[:2])
    assert "2 dialogs are in standard output" in shown


def test_a_reader_that_goes_away_ends_it_without_a_word() -> None:
    done = shell('set -o pipefail; "$@" | head -1', *RUN, "-n", "500", "--quiet", "--out", "-")

    assert done.returncode == 141
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_whoever_shows_the_beginning_of_a_file_only_gets_that(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    main([*RUN, "-n", "500", "--quiet", "--out", str(out)])

    done = shell('set -o pipefail; "$@" | head -1', "show", str(out))

    assert done.returncode == 141
    assert done.stderr == ""


def test_progress_that_nobody_reads_is_no_reason_to_end(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    reader, writer = os.pipe()
    os.close(reader)
    with started(*RUN, "-n", "20", "--out", str(out), "--json", stderr=writer) as process:
        os.close(writer)
        said, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert json.loads(said)["dialogs"] == len(list(Dialog.read_lines(out))) == 20


def test_closed_streams_lead_nowhere(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"

    done = shell('"$@" <&- >&- 2>&-', *RUN, "-n", "20", "--out", str(out), "--json")

    assert done.returncode == 0
    assert len(list(Dialog.read_lines(out))) == 20


@pytest.mark.parametrize("arguments", [["--json"], ["--out", "-"], []])
def test_a_full_disk_behind_standard_output_is_one_clear_line(arguments: list[str]) -> None:
    done = shell('"$@" > /dev/full', *RUN, *arguments)

    assert done.returncode == 2
    assert "No space left on device" in done.stderr.splitlines()[-1]
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


def test_the_line_that_is_asked_for_is_shown_though_a_later_one_is_torn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "torn.jsonl"
    out.write_text(Dialog(id="first").to_line() + '\n{"turns": [{"te', encoding="utf-8")

    for wanted in ("1", "first"):
        assert main(["show", str(out), wanted]) == 0
        assert "--- dialog first ---" in capsys.readouterr().out


def test_what_the_terminal_has_no_letters_for_is_shown_otherwise(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text(Dialog.model_validate({"turns": [{"text": "caf\u00e9 \u2615"}]}).to_line(), encoding="utf-8")

    done = shell('"$@"', "show", str(out), PYTHONIOENCODING="ascii")

    assert done.returncode == 0
    assert r"caf\xe9 \u2615" in done.stdout


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
