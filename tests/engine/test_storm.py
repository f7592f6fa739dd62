"""A thousand dialogs, slow, refused, cut off, malformed and hanging, on virtual time."""

from __future__ import annotations

import anyio

from playact.actors import Agent, Persona, Scenario
from playact.backends.faults import Faults, Latency
from playact.backends.scripted import ScriptedBackend
from playact.engine import DialogEnded, Simulation, VirtualClock, virtual_time
from playact.engine.digest import DatasetDigest

ADA = Agent(Persona(name="Ada"))
BOB = Agent(Persona(name="Bob"))
STORM = Faults(slow=0.1, overloaded=0.1, unavailable=0.08, cut=0.05, malformed=0.002, hang=0.02, retry_after_s=5.0)


async def play_a_storm(count: int) -> tuple[str, dict[str, int], int, int, float]:
    clock = VirtualClock()
    backend = ScriptedBackend(latency=Latency(2.0, spread=0.7), faults=STORM, seed=5, in_flight=300)
    digest = DatasetDigest()
    scenario = Scenario(cast=(ADA, BOB), max_turns=10)
    ends: dict[str, int] = {}
    async with Simulation(model=backend, concurrency=400, seed=5, clock=clock) as simulation:
        events = simulation.events(DialogEnded, capacity=10 * count)
        async for dialog in simulation.run([scenario] * count):
            digest.add(dialog)
        events.close()
        async for record in events:
            ends[record.dialog] = ends.get(record.dialog, 0) + 1
        statistics = simulation.statistics()
    assert set(ends.values()) == {1}
    return digest.hexdigest(), dict(statistics.ended), len(ends), statistics.retries, clock.now()


def virtually(count: int, library: str) -> tuple[str, dict[str, int], int, int, float]:
    backend, options = virtual_time("trio" if library == "trio" else "asyncio")
    return anyio.run(play_a_storm, count, backend=backend, backend_options=dict(options))


def test_a_storm_ends_every_dialog_exactly_once_and_repeats_to_the_byte() -> None:
    first, second = virtually(1000, "asyncio"), virtually(1000, "asyncio")

    assert first == second
    _, ended, ends, retries, seconds = first
    assert ends == sum(ended.values()) == 1000
    assert 0 < ended["failed"] < 100
    assert retries > 1000
    assert seconds > 100


def test_a_storm_is_the_same_on_trio_though_its_tasks_run_in_another_order() -> None:
    assert virtually(200, "asyncio")[:3] == virtually(200, "trio")[:3]
