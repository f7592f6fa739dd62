"""A cast that a model writes before the dialogs: killed or out of money in the middle of it, a run loses none of it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.durability.command import Ended, Place, ended, until
from tests.durability.test_full_disk import KIB, one_line, room_for
from tests.durability.test_signals import offer
from tests.servers.counting_server import CountingServer

CONCURRENCY = 4
PEOPLE = 12
SCENARIO = """
cast:
  - persona:
      generate:
        n: 12
        generated_attributes: [name, role]
        rules: {age: "{20-99}"}
        population: [{gender: female, count: 8}, {gender: male, count: 4}]
  - name: Bob
max_turns: 2
"""
SLOW = """
import json, os
import anyio
from playact.backends.scripted import ScriptedBackend
from playact.engine.errors import BackendUnavailable

def made(name):
    async def reply(request):
        with open(os.environ["ASKED"], "a") as file:
            print(request.seed, request.sequence, "form" if request.response_schema else "turn", file=file)
        await anyio.sleep(0.03)
        if os.environ.get("FAILS") and (request.seed + request.attempt) % 4 == 0:
            raise BackendUnavailable("slow", "500: out of order", may_have_cost=False)
        if request.response_schema is None:
            return f"This is {request.seed}."
        return json.dumps({name: f"{name} {request.seed}" for name in request.response_schema["properties"]})
    return ScriptedBackend(reply, max_tokens=100, name="slow")
"""


class Stage(Place):
    """A place whose model notes in a file what it is asked."""

    def __init__(self, folder: Path, server: CountingServer) -> None:
        super().__init__(folder, server, SCENARIO)
        self.notes = folder.parent / f"{folder.name}.asked"
        self.cast = folder / "run.cast-1.db"

    def line(self, *more: str) -> list[str]:
        line = self.run_line(*more, dialogs=PEOPLE, concurrency=CONCURRENCY)
        line[line.index("openai:any")] = "slow:any"
        return line

    def settings(self, **more: str) -> dict[str, str]:
        paths = [str(self.folder.parent / "package"), os.environ.get("PYTHONPATH", "")]
        return self.environment(PYTHONPATH=os.pathsep.join(filter(None, paths)), ASKED=str(self.notes), **more)

    def asked(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    def forms(self) -> Counter[str]:
        return Counter(line for line in self.asked() if line.endswith("form"))

    def check(self, done: Ended, *, digest: str | None = None) -> None:
        assert done.code == 0, done
        people = [next(iter((dialog.personas or {}).values())) for dialog in self.dialogs()]
        assert Counter(person["gender"] for person in people) == {"female": 8, "male": 4}
        assert digest in (None, self.digest())


@pytest.fixture
def stage(server: CountingServer, tmp_path: Path) -> Stage:
    offer(tmp_path, SLOW)
    folder = tmp_path / "run"
    folder.mkdir()
    return Stage(folder, server)


@pytest.mark.parametrize("fails", ["", "yes"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_while_a_cast_is_written_a_run_pays_only_for_what_was_under_way_and_comes_to_the_same(
    stage: Stage, number: signal.Signals, fails: str
) -> None:
    stage.check(stage.play(stage.line(), env=stage.settings(FAILS=fails)))
    digest, needed = stage.digest(), sum(stage.forms().values())
    stage.start_anew()
    stage.notes.unlink()
    for calls in (3, 8):
        with stage.started(stage.line(), env=stage.settings(FAILS=fails)) as process:
            until(lambda calls=calls: len(stage.asked()) >= calls, process)  # type: ignore[misc]
            process.send_signal(number)
            done = ended(process)
        assert done.code in (-number, 128 + number), done
        assert "Traceback" not in done.err
        assert not stage.journal.exists()

    stage.check(stage.play(stage.line(), env=stage.settings(FAILS=fails)), digest=digest)

    assert sum(stage.forms().values()) <= needed + 2 * CONCURRENCY


def test_a_budget_that_is_spent_while_a_cast_is_written_is_told_and_with_more_the_run_goes_on(stage: Stage) -> None:
    done = stage.play(stage.line("--budget", "calls=5"), env=stage.settings())

    assert done.code == 3, done
    (said,) = done.err.splitlines()
    assert said.startswith("playact: cast[0]: 5 of 12 were generated: the budget of 5 calls is spent; say the same")
    again = stage.play(stage.line("--budget", "calls=8"), env=stage.settings())
    assert again.code == 3, again
    stage.check(stage.play(stage.line("--budget", "calls=1000"), env=stage.settings()))
    assert len(stage.forms()) == sum(stage.forms().values()) == PEOPLE


@pytest.mark.parametrize("size", [4, 30, 60, 90])
def test_a_disk_that_is_full_while_a_cast_is_written_is_one_line_and_with_room_the_run_goes_on(
    stage: Stage, size: int
) -> None:
    stage.check(stage.play(stage.line(), env=stage.settings()))
    digest, needed = stage.digest(), sum(stage.forms().values())
    stage.start_anew()
    stage.notes.unlink()
    line = stage.line()
    line[line.index("--out") + 1] = os.devnull  # which takes anything, so that the cast's journal meets the limit

    said = one_line(stage.play(line, env=stage.settings(), preexec_fn=room_for(size * KIB)))

    assert str(stage.cast) in said
    assert said.endswith("put that right, then say the same again to go on")
    assert not stage.journal.exists()
    stage.check(stage.play(stage.line(), env=stage.settings()), digest=digest)
    assert sum(stage.forms().values()) <= needed + CONCURRENCY
