"""The real command in processes of its own, and what it has left behind: its journal and its file of dialogs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playact.engine import Dialog
from playact.engine.digest import DatasetDigest
from playact.engine.errors import JournalInvalid
from playact.engine.journal.file import JournalFile
from playact.engine.journal.tally import Tally
from tests.servers.counting_server import CountingServer, Manners

__all__ = ["KEY", "PLAYACT", "SCENARIO", "Ended", "Expected", "Place", "ended", "until"]

PLAYACT = str(Path(sys.executable).with_name("playact"))
KEY = "sk-secret-4hf83hfk2j"
PATIENCE_S = 60.0

SCENARIO = """
cast:
  - persona: {name: Ann, role: gardener}
    model_parameters: {max_tokens: 60}
  - persona: {name: Ben, role: neighbour}
    model_parameters: {max_tokens: 60}
max_turns: 8
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """The line of JSON at the end of standard output."""
        line: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return line


class Place:
    """A folder with a scenario, where a run keeps its journal and its file; it asks the models at one till."""

    def __init__(self, folder: Path, server: CountingServer, scenario: str = SCENARIO) -> None:
        self.folder = folder
        self.till = server.till()
        self._server = server
        self.scenario = folder / "scenario.yaml"
        self.journal = folder / "run.db"
        self.out = folder / "run.jsonl"
        self.scenario.write_text(scenario, encoding="utf-8")

    def run_line(self, *more: str, dialogs: int = 60, seed: int = 7, concurrency: int = 16) -> list[str]:
        """The arguments of `playact run` with journal and file."""
        line = ["run", str(self.scenario), "--model", "openai:any", "-n", str(dialogs), "--seed", str(seed)]
        line += ["--concurrency", str(concurrency), "--journal", str(self.journal), "--out", str(self.out)]
        return [*line, "--json", "--quiet", *more]

    def resume_line(self, *more: str) -> list[str]:
        return ["resume", str(self.journal), "--json", "--quiet", *more]

    def environment(self, **changes: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PLAYACT_"))}
        return kept | {"OPENAI_BASE_URL": self.till.base_url, "OPENAI_API_KEY": KEY} | changes

    @contextmanager
    def started(self, line: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
        """The command, which does not outlive the test."""
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": self.environment()}
        with subprocess.Popen([PLAYACT, *line], text=True, **pipes | options) as process:
            try:
                yield process
            finally:
                process.kill()

    def play(self, line: list[str], **options: Any) -> Ended:
        """Has the command run to its end."""
        with self.started(line, **options) as process:
            return ended(process)

    def status(self) -> dict[str, Any]:
        done = self.play(["status", str(self.journal), "--json"])
        assert done.code == 0, done
        return done.summary

    def tally(self) -> Tally:
        """What the journal holds, empty when there is none yet that could be read."""
        try:
            file = JournalFile.read(self.journal)
        except JournalInvalid:
            return Tally()
        try:
            return file.tally()
        except JournalInvalid:
            return Tally()
        finally:
            file.close()

    def lines(self) -> int:
        """How many lines of the file are whole."""
        return self.out.read_bytes().count(b"\n") if self.out.exists() else 0

    def dialogs(self) -> list[Dialog]:
        """Those in the file; a torn line is an error."""
        return list(Dialog.read_lines(self.out))

    def digest(self) -> str:
        """That of the dialogs in the file, each of which is there once."""
        dialogs = self.dialogs()
        assert len({str(dialog.id) for dialog in dialogs}) == len(dialogs)
        digest = DatasetDigest()
        for dialog in dialogs:
            digest.add(dialog)
        return digest.hexdigest()

    def was_held_by(self, process: int) -> bool:
        """Whether the last session that began was this process."""
        try:
            return f"process {process} " in self.journal.with_name(self.journal.name + "-lock").read_text()
        except OSError:
            return False

    def start_anew(self, manners: Manners | None = None) -> None:
        """Leaves the scenario only, and asks at another till."""
        for path in set(self.folder.iterdir()) - {self.scenario}:
            path.unlink()
        self.till = self._server.till(manners)

    def left_behind(self) -> set[str]:
        """The names of all files but the scenario, the journal and the file of dialogs."""
        kept = {self.scenario.name, self.journal.name, self.out.name}
        return {path.name for path in self.folder.iterdir()} - kept


@dataclass(frozen=True, slots=True)
class Expected:
    """What a run comes to, and how many calls it needs; ids are in the order of the scenarios."""

    digest: str
    needed: int
    ids: tuple[str, ...]

    @classmethod
    def of(cls, place: Place) -> Expected:
        """Plays it, without any interruption."""
        done = place.play(place.run_line("--ordered"))
        assert done.code == 0, done
        ids = tuple(str(dialog.id) for dialog in place.dialogs())
        return cls(done.summary["digest"], done.summary["calls"], ids)


def ended(process: subprocess.Popen[str]) -> Ended:
    out, err = process.communicate(timeout=PATIENCE_S)
    return Ended(process.returncode, out, err)


def until(holds: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Waits for what another process brings about; a process that ends meanwhile brings it about no more."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if process is not None and process.poll() is not None:
            return
        assert time.monotonic() < deadline
        time.sleep(0.001)
