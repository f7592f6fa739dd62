"""`playact models` tells how backends stand, and `playact models check` what a model does; neither tells a key."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
import pytest_asyncio

from playact.actors.cli import main
from playact.actors.models_command import list_models
from playact.engine.description import Description, Offer, absent
from tests.actors.test_cli import PLAYACT, environment, offering, refused
from tests.servers.chat_server import Asked, ChatServer, Reply, fail, say

SECRET = "sk-0123456789abcdef"
CLOSED = "http://127.0.0.1:9/v1"  # nothing listens there
VARIABLES = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "AWS_REGION", "OLLAMA_HOST")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest_asyncio.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChatServer]:
    async with ChatServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", SECRET)
        yield server


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["models", "--json"]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def backend(name: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (found,) = (each for each in listed(capsys)["backends"] if each["name"] == name)
    return dict(found)


async def check(*arguments: str) -> int:
    return await anyio.to_thread.run_sync(main, ["models", "check", *arguments])


def test_each_backend_has_a_line_with_its_other_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0

    first = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert {"aws, amazon", "embedded", "google, google-genai", "openai", "scripted"} <= set(first)


def test_the_default_model_is_told_with_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('model = "scripted:storm"\n', encoding="utf-8")
    found = [listed(capsys)["default"]]
    monkeypatch.setenv("PLAYACT_SETTINGS", str(file))
    found.append(listed(capsys)["default"])
    monkeypatch.setenv("PLAYACT_MODEL", "openai:gpt-4.1")
    found.append(listed(capsys)["default"])

    assert found == [
        {"model": "embedded", "origin": "built in"},
        {"model": "scripted:storm", "origin": str(file)},
        {"model": "openai:gpt-4.1", "origin": "PLAYACT_MODEL"},
    ]


def test_a_key_is_told_to_be_set_and_never_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable in ("OPENAI_API_KEY", "GEMINI_API_KEY", "OLLAMA_API_KEY", "AWS_ACCESS_KEY_ID"):
        monkeypatch.setenv(variable, SECRET)

    for arguments in (["models"], ["models", "--json"]):
        assert main(arguments) == 0
        assert SECRET not in capsys.readouterr().out
    assert backend("openai", capsys)["facts"] == {"host": "api.openai.com", "key": "set"}


def test_what_a_backend_wants_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert backend("openai", capsys)["wants"] == "set OPENAI_API_KEY"
    assert backend("google", capsys)["wants"] == "set GEMINI_API_KEY"

    monkeypatch.setenv("OPENAI_BASE_URL", CLOSED)

    assert backend("openai", capsys)["wants"] is None
    assert backend("openai", capsys)["facts"] == {"host": "127.0.0.1", "key": "not set"}


def test_what_cannot_be_is_told_of_its_backend_alone_and_without_the_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://me:{SECRET}@host/v1")
    monkeypatch.setenv("PLAYACT_WEIGHTS", "/no/such.gguf")

    assert main(["models"]) == 0
    told = capsys.readouterr().out

    assert 'openai needs a base URL like "http://host:port/v1"' in told
    assert "PLAYACT_WEIGHTS names /no/such.gguf, which is no file" in told
    assert "scripted" in told
    assert SECRET not in told


def test_missing_packages_are_told_with_the_extra_that_brings_them(capsys: pytest.CaptureFixture[str]) -> None:
    missing = absent("json", "no_such_package", "no_such_package.part", "json.no_such_part")
    lacking = Description(extra="some", missing=missing)

    list_models([Offer(name="some", description=lacking), Offer(name="bare", distribution="theirs 2.0")])

    lines = capsys.readouterr().out.splitlines()
    assert missing == ("no_such_package", "no_such_package.part", "json.no_such_part")
    assert lines[1].split("  ")[-1].strip() == "says nothing of itself; try: playact models check bare"
    assert "by theirs 2.0" in lines[1]
    assert "missing: no_such_package" in lines[2]
    assert "pip install 'playact[some]'" in lines[2]


def test_backends_of_others_are_told_with_who_brings_them_and_a_broken_one_hides_nobody(tmp_path: Path) -> None:
    env = offering(tmp_path, "raise RuntimeError('broken')")

    done = subprocess.run([PLAYACT, "models"], capture_output=True, text=True, env=env, timeout=60)

    (line,) = (line for line in done.stdout.splitlines() if line.startswith("mine"))
    assert line.split("  ")[0] == "mine"
    assert "by mine 1.0" in line
    assert line.endswith("broken")
    assert "scripted" in done.stdout


def test_the_list_imports_nothing_heavy() -> None:
    heavy = {"torch", "transformers", "vllm", "boto3", "botocore", "aioboto3", "openai", "ollama", "xllamacpp"}
    code = (
        "import sys; from playact.actors.cli import main; main(['models', '--json'])\n"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())

    assert done.stdout.splitlines()[-1] == "[]"


def test_wrong_settings_are_one_clear_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PLAYACT_TEMPERATURE", "hot")

    assert refused(["models"], capsys).startswith("playact: PLAYACT_TEMPERATURE must be a valid number")


def test_a_check_without_a_server_says_each_feature(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "check", "scripted"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "scripted"
    told = [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]
    assert told == ["opens", "a", "streaming", "usage", "schema", "tools", "logprobs", "thinking", "seed"]


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        ("nope:x", "UnknownBackend", "unknown backend in model"),
        ("openai:x", "KeyMissing", "set the environment variable OPENAI_API_KEY"),
        ("openai", "SetupError", "openai needs the name of a model after a colon"),
        ("scripted:x", "SetupError", "there is no scripted model"),
    ],
)
def test_what_must_be_put_right_first_is_told_and_makes_the_exit_code_2(
    model: str, kind: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "check", model, "--json"]) == 2

    said = json.loads(capsys.readouterr().out)
    assert said["error"]["kind"] == kind
    assert words in said["error"]["text"]
    assert said["open_s"] is None


@pytest.mark.asyncio
async def test_a_server_that_answers_is_told_with_its_features(
    server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    def reply(asked: Asked) -> Reply:
        if "tools" in asked.body:
            return fail(400, "tools are not supported")
        if "response_format" in asked.body:
            return Reply(body=say('{"city": "Ulm", "inhabitants": 129000}'))
        return Reply(body=say("Hello.", usage={"prompt_tokens": 8, "completion_tokens": 2}))

    server.otherwise = reply

    assert await check("openai:m", "--json") == 0

    said = json.loads(capsys.readouterr().out)
    seen = {name: feature["is_seen"] for name, feature in said["features"].items()}
    assert said["error"] is None
    assert (said["prompt_tokens"], said["completion_tokens"], said["reply"]) == (8, 2, "Hello.")
    assert said["latency_s"] > 0
    assert {name for name, is_seen in seen.items() if is_seen} == {"usage", "schema", "seed"}
    assert said["features"]["tools"]["detail"] == "openai:m: HTTP 400: tools are not supported"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("reply", "kind", "words", "advice"),
    [
        (fail(401, f"Incorrect API key provided: {SECRET}"), "BackendRefused", "HTTP 401", "the key is wrong"),
        (fail(404, "The model `m` does not exist"), "BackendRefused", "does not exist", "not known there"),
        (fail(429, "You exceeded your quota", code="insufficient_quota"), "BackendRefused", "quota", "billing"),
        (fail(429, "slow down"), "BackendOverloaded", "slow down", "wait"),
        (fail(500, "oops"), "BackendUnavailable", "oops", "trouble of its own"),
        (Reply(body=b"<html>hello</html>"), "ReplyInvalid", "", "check the address"),
        (Reply(body=say(), breaks="midway"), "BackendUnavailable", "cut", "crashed"),
        (Reply(breaks="before", how="hang"), "BackendUnavailable", "no reply within 0.3 s", "loading its model"),
    ],
)
async def test_what_goes_wrong_is_told_in_plain_words_without_the_key(
    reply: Reply, kind: str, words: str, advice: str, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.otherwise = lambda asked: reply

    assert await check("openai:m", "--timeout", "0.3" if reply.how == "hang" else "30", "--json") == 1
    told = capsys.readouterr().out
    error = json.loads(told)["error"]

    assert error["kind"] == kind
    assert words in error["text"]
    assert advice in error["advice"]
    assert SECRET not in told
    assert len(server.asked) == 1  # whoever cannot be greeted is asked nothing more


def test_a_server_that_is_not_there_is_told_in_two_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", CLOSED)

    assert main(["models", "check", "openai:m"]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("  opens          no: openai:m: cannot connect to 127.0.0.1:9")
    assert len(lines) == 3
    assert lines[-1].strip() == "nothing answers there: is the server started, its address right?"


@pytest.mark.asyncio
async def test_what_a_server_says_cannot_reach_the_terminal_as_a_command(
    server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.otherwise = lambda asked: Reply(body=say("Hi\x1b[2J\nthere\x9b."))

    assert await check("openai:m") == 0

    told = capsys.readouterr().out
    assert '"Hi there."' in told
    assert "\x1b" not in told


@pytest.mark.parametrize("arguments", [["--timeout", "0"], ["--timeout", "soon"], []])
def test_wrong_arguments_of_a_check_are_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    line = ["models", "check", *(["scripted", *arguments] if arguments else [])]

    with pytest.raises(SystemExit) as end:
        main(line)

    assert end.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
