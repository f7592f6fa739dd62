"""The same configuration, seed and model replies are the same dataset, however and wherever it was played."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playact.actors import Agent, Orchestrator, Persona, Scenario
from playact.backends.faults import Faults, Latency
from playact.backends.scripted import ScriptedBackend
from playact.engine import (
    Completion,
    CompletionRequest,
    Dialog,
    Retry,
    Simulation,
    ToolCall,
    VirtualClock,
    virtual_time,
)
from playact.engine.digest import DatasetDigest
from playact.engine.errors import BackendUnavailable
from playact.engine.failures import FailurePolicy
from playact.engine.program.archive import digest_in
from playact.engine.program.plan import Cycle

from .troupe import CODE, TROUPE, InlineDisk, Model, digest_of, played

ALL = Cycle(tuple(TROUPE.values()), 3 * len(TROUPE))
PATIENT = FailurePolicy(turn_attempts=20, stop_share=None)
WORDS = ("ant", "bee", "cat", "dog", "eel")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return virtual_time(request.param)


async def dataset(model: ScriptedBackend | None = None, concurrency: int = 64, **how: object) -> str:
    model, clock = model or Model(), VirtualClock()
    async with Simulation(model=model, seed=11, concurrency=concurrency, clock=clock, **how) as simulation:  # type: ignore[arg-type]  # passed on
        return digest_of(await played(simulation, ALL))


@pytest.mark.anyio
@pytest.mark.parametrize("concurrency", [1, 7, 64, 1000])
async def test_the_dataset_is_the_same_at_any_concurrency_and_order_of_completion(concurrency: int) -> None:
    wanted = await dataset()

    for weather in range(3):
        slow = Model(latency=Latency(1.0, spread=2.0), seed=weather)
        assert await dataset(slow, concurrency) == wanted


@pytest.mark.anyio
async def test_the_dataset_is_the_same_with_and_without_a_journal(tmp_path: Path) -> None:
    journal = tmp_path / "run.db"

    with_journal = await dataset(journal=journal, disk=InlineDisk())

    assert with_journal == digest_in(journal) == await dataset()


@pytest.mark.anyio
async def test_failures_that_pass_leave_no_trace() -> None:
    faults = Faults(cut=0.1, overloaded=0.1, unavailable=0.1, malformed=0.1, hang=0.02)
    flaky = [ScriptedBackend(Model().reply, latency=Latency(0.5, spread=1.0), faults=faults, seed=s) for s in range(3)]

    digests = {await dataset(model, concurrency=5, retry=Retry(attempts=20), failures=PATIENT) for model in flaky}

    assert digests == {await dataset()}


@pytest.mark.anyio
@pytest.mark.parametrize("is_ordered", [False, True])
async def test_a_second_chance_changes_no_number(is_ordered: bool) -> None:
    class FailsOnce(Model):
        def reply(self, request: CompletionRequest) -> Completion:
            is_first = (request.dialog, request.sequence) not in self.asked
            reply = super().reply(request)
            if is_first and request.sequence == 1:
                raise BackendUnavailable(self.name, "the connection was cut")
            return reply

    async with Simulation(
        model=FailsOnce(), seed=11, concurrency=4, retry=Retry(attempts=1), failures=PATIENT
    ) as simulation:
        dialogs = await played(simulation, ALL, ordered=is_ordered)

    assert digest_of(dialogs) == await dataset()


@pytest.mark.anyio
async def test_in_order_dialogs_come_in_the_order_of_their_scenarios_and_take_up_room_until_then() -> None:
    model = Model(latency=Latency(1.0, spread=2.0))
    scenarios = [TROUPE["plain"].model_copy(update={"notes": number}) for number in range(60)]
    notes = []
    async with Simulation(model=model, seed=11, concurrency=6) as simulation:
        async for dialog in simulation.run(iter(scenarios), ordered=True):
            assert simulation.statistics().live <= 6
            notes.append(dialog.notes)

    assert notes == list(range(60))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 40), max_size=4), concurrency=st.integers(1, 40), weather=st.integers(0, 99))
def test_no_series_of_crashes_changes_the_dataset(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], concurrency: int, weather: int
) -> None:
    journal = tmp_path_factory.mktemp("run") / "run.db"

    async def session(simulation: Simulation, cut: int | None, scenarios: object = None) -> None:
        async with simulation:
            run = simulation.run(scenarios)  # type: ignore[arg-type]  # or None
            async for _ in run:
                cut = None if cut is None else cut - 1
                if cut == 0:
                    await run.aclose()
                    break

    async def main() -> str:
        sessions = [*cuts, None]
        for place, cut in enumerate(sessions):
            model = Model(latency=Latency(1.0, spread=1.0), seed=weather + place)
            how = {"concurrency": concurrency, "clock": VirtualClock(), "disk": InlineDisk()}
            if place == 0:
                await session(Simulation(model=model, seed=11, journal=journal, **how), cut, ALL)  # type: ignore[arg-type]
            else:
                await session(Simulation.resume(journal, model=model, code=CODE, **how), cut)  # type: ignore[arg-type]
        return await dataset()

    backend, options = virtual_time()
    wanted = anyio.run(main, backend=backend, backend_options=dict(options))

    assert digest_in(journal) == wanted


class Sets(Orchestrator):
    """Keeps a set and gives it in an order of its own."""

    def __init__(self) -> None:
        self.heard: set[str] = set()

    def instruct(self, dialog: Dialog, utterance: str) -> str:
        self.heard |= set(utterance.split())
        return f"Heard: {sorted(self.heard)}"


def words(count: int) -> set[str]:
    """Some words."""
    return set(WORDS[:count])


PROGRAM = """
import sys
from pathlib import Path
import anyio
from tests.engine.test_determinism import print_dataset
anyio.run(print_dataset, sys.argv[1], backend=sys.argv[2])
"""


async def print_dataset(journal: str) -> None:
    def reply(request: CompletionRequest) -> Completion:
        if request.tools and request.messages[-1].role != "tool":
            return Completion(text="", tool_calls=(ToolCall("c", "words", '{"count": 5}'),))
        return Completion(text=f"I heard {request.messages[-1].text[-80:]} {request.seed}")

    scenario = Scenario(cast=(Agent(Persona(name="Ada"), tools=[words]), Agent(name="Bob") | Sets()), max_turns=4)
    digest = DatasetDigest()
    kept = None if journal == "-" else journal
    async with Simulation(model=ScriptedBackend(reply), seed=2, concurrency=3, journal=kept) as simulation:
        async for dialog in simulation.run([scenario] * 6):
            digest.add(dialog)
    print(digest.hexdigest())


def test_the_dataset_is_the_same_in_every_process_whatever_its_hash_seed(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    digests = set()
    for seed in ("0", "1", "4242"):
        for library, journal in (("asyncio", "-"), ("trio", str(tmp_path / f"{seed}.db"))):
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM, journal, library],
                capture_output=True,
                text=True,
                cwd=root,
                env={**os.environ, "PYTHONHASHSEED": seed},
            )
            assert done.stderr == ""
            digests.add(done.stdout)

    assert len(digests) == 1
