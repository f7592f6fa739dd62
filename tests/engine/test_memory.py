"""What has been played takes no memory any more: not when the collector comes by, but at once."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Awaitable, Iterator
from pathlib import Path

import pytest

from playact.actors import Agent, Persona, Scenario
from playact.backends.scripted import ScriptedBackend
from playact.engine import Actor, CompletionRequest, Ending, Performance, Simulation

pytestmark = pytest.mark.anyio

CAST = (Agent(Persona(name="Ada")), Agent(Persona(name="Bob")))


class Reader(Actor):
    """Reads along in its dialog; can be watched by a weak reference."""


def numbered(request: CompletionRequest) -> str:
    return f"This is line {request.sequence}."


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("is_kept", [False, True], ids=["no journal", "journal"])
async def test_a_dialog_that_is_over_leaves_nothing_to_the_collector(tmp_path: Path, *, is_kept: bool) -> None:
    readers: list[weakref.ref[Actor]] = []

    class Watched(Scenario):
        def play(self, performance: Performance) -> Awaitable[Ending]:
            readers.append(weakref.ref(performance.scope.spawn(Reader, name="reader").actor))
            return super().play(performance)

    journal = tmp_path / "run.db" if is_kept else None

    async with Simulation(model=ScriptedBackend(numbered), journal=journal, concurrency=3) as simulation:
        async for _ in simulation.run(itertools.repeat(Watched(cast=CAST, max_turns=2), 20)):
            pass
        alive = [reader for reader in readers if reader() is not None]

    assert len(readers) == 20
    assert len(alive) <= 3  # the last tasks may not have been let go
