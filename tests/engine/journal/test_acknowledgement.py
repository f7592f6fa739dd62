"""A process that is killed right after it was told that its words are durable has them in the journal."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from playact.engine.journal.file import JournalFile

SAYING = """
import os, sys
from pathlib import Path
import anyio
from playact.engine.bus import Bus
from playact.engine.clock import RealClock
from playact.engine.journal import Journal, JournalFile, WriterThread

async def main(path, kills_at):
    file = JournalFile.create(path, {})
    acknowledged = 0
    async with Bus("run", RealClock()) as bus, Journal(file, bus, WriterThread()) as journal:

        async def say(name):
            nonlocal acknowledged
            for number in range(1000):
                text = f"{name}:{number}"
                await journal.durable(journal.append(name, "Thought", text, 1.0))
                os.write(1, (text + "\\n").encode())
                acknowledged += 1
                if acknowledged == kills_at:
                    os.kill(os.getpid(), 9)

        async with anyio.create_task_group() as tasks:
            for name in range(8):
                tasks.start_soon(say, name)

anyio.run(main, Path(sys.argv[1]), int(sys.argv[2]), backend=sys.argv[3])
"""


@pytest.mark.parametrize("library", ["asyncio", "trio"])
@pytest.mark.parametrize("kills_at", sorted(random.Random(5).sample(range(1, 1500), 6)))
def test_what_was_acknowledged_is_in_the_file_in_its_order(tmp_path: Path, kills_at: int, library: str) -> None:
    path = tmp_path / "run.db"

    run = subprocess.run(
        [sys.executable, "-c", SAYING, path, str(kills_at), library], stdout=subprocess.PIPE, text=True
    )

    acknowledged = run.stdout.split()
    assert run.returncode == -9
    assert len(acknowledged) == kills_at
    file = JournalFile.open(path)
    assert file.damage is None
    file.verify()
    kept = [entry.body for entry in file.entries(1)]
    file.close()
    assert set(acknowledged) <= set(kept)
    assert len(set(kept)) == len(kept)
    for name in range(8):
        own = [int(text.split(":")[1]) for text in kept if text.startswith(f"{name}:")]
        assert own == list(range(len(own)))
    assert os.listdir(tmp_path) == ["run.db"]
