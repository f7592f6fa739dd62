"""The server that counts, one for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability.command import Expected, Place
from tests.servers.counting_server import CountingServer, counting_server


@pytest.fixture(scope="session")
def server() -> Iterator[CountingServer]:
    with counting_server() as started:
        yield started


@pytest.fixture(scope="session")
def expected(server: CountingServer, tmp_path_factory: pytest.TempPathFactory) -> Expected:
    """What the run that most tests play comes to when nothing goes wrong."""
    return Expected.of(Place(tmp_path_factory.mktemp("expected"), server))


@pytest.fixture
def place(server: CountingServer, tmp_path: Path) -> Place:
    folder = tmp_path / "run"
    folder.mkdir()
    return Place(folder, server)
