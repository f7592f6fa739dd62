"""Tools of MCP servers, which are real ones in processes of their own: opened once a run, shared, closed with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import pytest

from playact.actors import Agent, MCPServer, Scenario
from playact.actors.playbill import Playbill
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, Dialog, Simulation, ToolCall
from playact.engine.errors import ExtraMissing, FileInvalid, SetupError

pytestmark = pytest.mark.anyio

SMALL = str(Path(__file__).parents[1] / "servers" / "mcp_tools.py")
COMMAND = (sys.executable, SMALL)
Wish = tuple[str, Mapping[str, object]]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Path]:
    """A file with the process id of each server that was started; none of them may be left."""
    path = tmp_path / "started"
    path.touch()
    yield path
    for line in _starts(path):
        with pytest.raises(ProcessLookupError):
            os.kill(int(line), 0)


@pytest.fixture
def address() -> Iterator[str]:
    """Where a server listens, in a process of its own."""
    with subprocess.Popen([*COMMAND, "http"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def _starts(started: Path) -> list[str]:
    return started.read_text().split()


class Wishing(ScriptedBackend):
    """Asks in each turn for the tools that it is told to ask for, one after the other, and says what they answered."""

    def __init__(self, *wishes: Wish) -> None:
        super().__init__(self.reply)
        self.offered: tuple[str, ...] = ()
        self._wishes = wishes

    def reply(self, request: CompletionRequest) -> Completion | str:
        if not request.tools:
            return "Yes?"
        self.offered = tuple(tool.name for tool in request.tools)
        answers: list[str] = []
        for message in reversed(request.messages):
            if message.role == "tool":
                answers.insert(0, message.text)
            elif not message.tool_calls:
                break
        if len(answers) == len(self._wishes):
            return json.dumps(answers)
        name, arguments = self._wishes[len(answers)]
        return Completion(text="", tool_calls=(ToolCall(f"c{len(answers)}", name, json.dumps(arguments)),))


def two(*tools: Callable[..., Any] | MCPServer) -> Scenario:
    return Scenario(cast=(Agent(name="Mia", tools=tools), Agent(name="Bob")), max_turns=1)


async def told(simulation: Simulation, scenario: Scenario) -> list[str]:
    """What the tools answered in a dialog's first turn."""
    dialog = await simulation.play(scenario)
    assert dialog.turns, dialog.ending
    answers: list[str] = json.loads(dialog.turns[0].text)
    return answers


async def test_a_server_is_started_once_for_all_dialogs_and_ends_with_the_run(started: Path) -> None:
    server = MCPServer(COMMAND, env={"STARTED": str(started), "GREETING": "hello"})
    model = Wishing(("add", {"a": 2, "b": 3}), ("greet", {"name": "Zoë"}), ("who", {}))
    scenarios = [two(server), two(MCPServer(COMMAND, env=dict(server.env)))] * 3

    async with Simulation(model=model, seed=1) as simulation:
        dialogs = [json.loads(dialog.turns[0].text) async for dialog in simulation.run(scenarios)]

    assert [dialog[:2] for dialog in dialogs] == [["5", "Grüezi, Zoë! 🎉"]] * 6
    assert {dialog[2].split("\n")[0] for dialog in dialogs} == {*_starts(started)}
    assert dialogs[0][2].split("\n")[1] == "hello"
    assert model.offered[:2] == ("add", "greet")


async def test_a_server_is_reached_over_http(address: str) -> None:
    server = MCPServer(url=address, name="my small.one")
    model = Wishing(("my_small_one_add", {"a": 2, "b": 3}), ("my_small_one_fails", {}))

    async with Simulation(model=model) as simulation:
        answers = await told(simulation, two(server))

    assert answers[0] == "5"
    assert answers[1].startswith("Error: Error executing tool fails")
    assert all(name.startswith("my_small_one_") for name in model.offered)


async def test_a_server_that_dies_is_an_error_for_the_model_and_comes_back_once(started: Path) -> None:
    server = MCPServer(COMMAND, env={"STARTED": str(started)}, name="s")
    wishes: list[Wish] = [("s_dies", {}), ("s_add", {"a": 1, "b": 1}), ("s_dies", {}), ("s_add", {"a": 1, "b": 1})]

    async with Simulation(model=Wishing(*wishes)) as simulation:
        answers = await told(simulation, two(server))

    broke_off = "Error: the MCP server s broke off"
    assert answers == [broke_off, "2", broke_off, "Error: the MCP server s has stopped"]
    assert len(_starts(started)) == 2


async def test_a_server_that_dies_behind_its_address_is_an_error_for_the_model(address: str) -> None:
    server = MCPServer(url=address, name="s", start_timeout_s=10)
    wishes: list[Wish] = [("s_dies", {}), ("s_add", {"a": 1, "b": 1}), ("s_add", {"a": 1, "b": 1})]

    async with Simulation(model=Wishing(*wishes)) as simulation:
        answers = await told(simulation, two(server))

    assert answers[0] == "Error: the MCP server s broke off"
    assert answers[1].startswith("Error: the MCP server s cannot be opened: ")
    assert answers[2] == "Error: the MCP server s has stopped"


async def test_a_tool_that_takes_too_long_is_given_up_and_the_server_stays(started: Path) -> None:
    server = MCPServer(COMMAND, env={"STARTED": str(started)}, timeout_s=0.2)
    wishes: list[Wish] = [("hangs", {}), ("add", {"a": 1, "b": 1}), ("nothing", {}), ("add", {"a": "x"})]

    async with Simulation(model=Wishing(*wishes)) as simulation:
        answers = await told(simulation, two(server))

    assert answers[:2] == ["Error: hangs gave no answer within 0.2 s", "2"]
    assert answers[2].startswith("Error: there is no tool 'nothing'; there is add, ")
    assert answers[3].startswith("Error: Error executing tool add: ")
    assert len(_starts(started)) == 1


async def test_a_run_that_is_left_in_the_middle_of_a_call_ends_the_server_too(started: Path) -> None:
    scenario = two(MCPServer(COMMAND, env={"STARTED": str(started)}))
    is_asked = anyio.Event()

    def reply(request: CompletionRequest) -> Completion:
        is_asked.set()
        return Completion(text="", tool_calls=(ToolCall("c", "hangs", "{}"),))

    async def take(simulation: Simulation) -> None:
        async for _ in simulation.run([scenario] * 3):
            pass

    async with Simulation(model=ScriptedBackend(reply)) as simulation, anyio.create_task_group() as tasks:
        tasks.start_soon(take, simulation)
        await is_asked.wait()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        (MCPServer(["/no/such/command"]), "cannot be opened: No such file or directory"),
        (MCPServer([sys.executable, "-c", "exit('no licence')"]), "cannot be opened: .*; it said: no licence"),
        (MCPServer(url="http://127.0.0.1:9/mcp"), "cannot be opened: "),
        (MCPServer([*COMMAND, "slow"], start_timeout_s=0.3), r"was not ready within 0\.3 s"),
        (MCPServer(["x"], env={"KEY": "$NO_SUCH_VARIABLE"}), "needs the environment variable NO_SUCH_VARIABLE"),
    ],
    ids=["bad command", "exits", "nobody listens", "slow", "no variable"],
)
async def test_a_server_that_does_not_start_stops_the_run_in_one_line(server: MCPServer, problem: str) -> None:
    with pytest.raises(SetupError, match=problem) as caught:
        async with Simulation(model=Wishing()) as simulation:
            async for _ in simulation.run([two(server)] * 3):
                pass

    assert "\n" not in str(caught.value)


async def test_a_server_that_refuses_us_says_so_without_what_is_secret() -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        address = f"http://me:password@127.0.0.1:{listening.server_port}/mcp?key=secret"
        server = MCPServer(url=address, headers={"Authorization": "Bearer abcdefgh"})

        with pytest.raises(SetupError, match=r"127\.0\.0\.1:\d+ cannot be opened: .* HTTP 401 Unauthorized") as caught:
            async with Simulation(model=Wishing()) as simulation:
                await simulation.play(two(server))
        listening.shutdown()

    assert not any(secret in str(caught.value) for secret in ("password", "secret", "abcdefgh"))


async def test_two_tools_of_one_name_are_refused(started: Path) -> None:
    def add(a: int) -> int:
        return a

    with pytest.raises(SetupError, match="two tools are called add"):
        async with Simulation(model=Wishing()) as simulation:
            await simulation.play(two(add, MCPServer(COMMAND, env={"STARTED": str(started)})))


async def test_a_replay_starts_no_server_and_a_journal_is_enough_to_resume(started: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    scenario = two(MCPServer(COMMAND, env={"STARTED": str(started)}))
    wish: Wish = ("add", {"a": 2, "b": 3})

    async with Simulation(model=Wishing(wish), journal=path, seed=1) as simulation:
        played = [dialog async for dialog in simulation.run([scenario] * 3, first=2)]
    replayed = await _all(Simulation.replay(path))
    resumed = await _all(Simulation.resume(path, model=Wishing(wish)))

    assert {dialog.digest() for dialog in replayed} == {dialog.digest() for dialog in played}
    assert [json.loads(dialog.turns[0].text) for dialog in resumed] == [["5"]]
    assert len(_starts(started)) == 2, "one for the first session, one for the second, none for the replay"


async def _all(simulation: Simulation) -> list[Dialog]:
    async with simulation:
        return [dialog async for dialog in simulation.run()]


class TestSettings:
    def test_a_scenario_file_names_servers_and_never_code(self, tmp_path: Path) -> None:
        path = tmp_path / "s.yaml"
        path.write_text(
            "cast:\n"
            "- {name: Mia, tools: [{mcp: {command: uvx mcp-server-time, name: time}}]}\n"
            "- {name: Bob, tools: [{mcp: {url: 'http://127.0.0.1:1/mcp', headers: {Authorization: Bearer $TOKEN}}}]}\n"
        )

        mia, bob = Playbill.from_file(path).cast

        assert mia.tools == (MCPServer(("uvx", "mcp-server-time"), name="time"),)
        assert bob.tools == (MCPServer(url="http://127.0.0.1:1/mcp", headers={"Authorization": "Bearer $TOKEN"}),)

    @pytest.mark.parametrize(
        ("tools", "problem"),
        [
            ("[{mcp: {}}]", "either a command"),
            ("[{mcp: {command: [x], url: 'http://x'}}]", "either a command"),
            ("[{mcp: {command: [x], tiemout_s: 3}}]", "unknown key `tiemout_s`; did you mean `timeout_s`"),
            ("[os.system]", "a tool is a Python function, or"),
        ],
    )
    def test_what_names_no_server_is_refused_with_its_line(self, tmp_path: Path, tools: str, problem: str) -> None:
        path = tmp_path / "s.yaml"
        path.write_text(f"cast:\n- name: Bob\n- name: Mia\n  tools: {tools}\n")

        with pytest.raises(FileInvalid, match=problem) as caught:
            Playbill.from_file(path)

        assert caught.value.line == 4
        assert "\n" not in str(caught.value)

    def test_no_journal_keeps_a_key_that_is_written_down(self) -> None:
        kept = two(MCPServer(url="http://x", headers={"Authorization": "Bearer $TOKEN"})).recipe()

        assert "Bearer $TOKEN" in json.dumps(kept)
        with pytest.raises(SetupError, match="'Authorization' written down"):
            two(MCPServer(url="http://x", headers={"Authorization": "Bearer abc"})).recipe()

    async def test_without_the_package_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "mcp.client", None)

        with pytest.raises(ExtraMissing, match=r"playact\[mcp\]"):
            async with Simulation(model=Wishing()) as simulation:
                await simulation.play(two(MCPServer(COMMAND)))
