"""A key never comes into a journal, not even by way of a service that repeats it in its errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from playact.actors import Agent, Persona, Scenario
from playact.engine import Simulation
from playact.engine.breaker import Breaker
from playact.engine.journal.file import JournalFile
from playact.engine.retry import Retry
from tests.servers.chat_server import ChatServer, Reply, fail, say

KEY = "sk-very-secret-0123456789abcdef"


def all_bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [400, 401, 500])
async def test_a_key_that_a_service_repeats_is_in_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    path = tmp_path / "run.db"
    scenario = Scenario(cast=(Agent(Persona(name="Ada")), Agent(Persona(name="Bob"))), max_turns=2)
    async with ChatServer() as server:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        server.script.extend([Reply(body=say("Hello."))] * 3)
        server.otherwise = lambda asked: fail(status, f"Incorrect API key provided: {asked.headers['Authorization']}")

        async with Simulation(
            model="openai:m",
            journal=path,
            seed=1,
            concurrency=2,
            retry=Retry(attempts=2, first_s=0.001),
            breaker=Breaker(failures=None),  # else calls would wait five minutes for a server that never comes back
        ) as simulation:
            dialogs = [dialog async for dialog in simulation.run([scenario] * 4)]
            written = all_bytes_in(tmp_path)

    assert any(KEY in asked.headers["Authorization"] for asked in server.asked)
    assert any(dialog.ending is not None and dialog.ending.failed for dialog in dialogs)
    assert b"Incorrect API key provided" in written  # what it said is kept, but for the key
    for part in (KEY, KEY[3:], KEY.removeprefix("sk-very-")):
        assert part.encode() not in written
        assert part.encode() not in path.read_bytes()
    file = JournalFile.read(path)
    file.verify()
    file.close()
