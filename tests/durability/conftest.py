"""The server that counts, one for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability.command import Place
from tests.servers.counting_server import CountingServer, counting_server


@pytest.fixture(scope="session")
def server() -> Iterator[CountingServer]:
    with counting_server() as started:
        yield started


@pytest.fixture
def place(server: CountingServer, tmp_path: Path) -> Place:
    return Place(tmp_path, server.till())
