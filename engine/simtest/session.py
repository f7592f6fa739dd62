"""One process's life in a run: it plays until the run is complete, until something stops it, or until it is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio

from ..budget import Budget
from ..budget.amount import NOTHING, Amount
from ..budget.prices import Prices
from ..errors import PlayactError
from ..failures import FailurePolicy
from ..pace import Pace
from ..performance import Playable
from ..settings import Settings
from ..simulation import Simulation
from .disk import FaultyDisk, files_in
from .loop import SeededLoop
from .network import FaultyNetwork, OneModel
from .plan import Mishap, Plan
from .threads import no_threads
from .witness import Witness
from .world import World

__all__ = ["Extent", "Outcome", "Session"]


@dataclass(frozen=True, slots=True)
class Extent:
    """How long a run is without faults: what mishaps take their share of."""

    steps: int
    seconds: float
    commits: int


@dataclass(slots=True)
class Outcome:
    """How a session ended. `error`: what the run was stopped with. `is_complete`: nothing is left to play."""

    error: Exception | None = None
    was_open: bool = False
    is_complete: bool = False
    is_out_of_money: bool = False
    was_killed: bool = False
    disk_failed: bool = False
    reserved: Amount = NOTHING
    spent: Amount = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """scenarios: those of all dialogs of the run, in order; None to go on with what the journal has."""

    plan: Plan
    path: Path
    run_seed: int
    resumes: bool
    scenarios: Sequence[Playable] | None
    code: Sequence[object]
    network: FaultyNetwork
    world: World
    witness: Witness
    mishap: Mishap | None
    extent: Extent
    budget: Budget | None
    failures: FailurePolicy

    def play(self) -> Outcome:
        """Raises `Stuck`, and whatever else the run should never have raised."""
        loop = SeededLoop(self.plan.seed + self.world.session, self.plan.order)
        with no_threads():
            return anyio.run(self._live, loop, backend_options={"loop_factory": lambda: loop})

    async def _live(self, loop: SeededLoop) -> Outcome:
        outcome = Outcome()
        with anyio.CancelScope() as life:
            self.world.begin(loop, life.cancel)
            async with anyio.create_task_group() as tasks:
                if self.mishap is not None and self.mishap.kind == "time":
                    seconds = 2 * self.mishap.share * self.extent.seconds
                    tasks.start_soon(self._kill_at, seconds, name="killer")
                if self.mishap is not None and self.mishap.kind == "step":
                    step = int(4 * self.mishap.share * self.extent.steps)
                    loop.at_step(step, partial(self._kill, f"at step {step}"))
                try:
                    await self._play(outcome)
                except PlayactError as error:
                    outcome.error = error
                    self.world.tell("stopped by", type(error).__name__)
                tasks.cancel_scope.cancel()
        outcome.was_killed = self.world.is_dead
        outcome.is_complete &= outcome.error is None and not outcome.was_killed
        left = sorted(task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()})
        if left:
            self.world.breaks("no task is left", f"the session is over, and these tasks live on: {', '.join(left)}")
        self.world.end()
        return outcome

    async def _play(self, outcome: Outcome) -> None:
        disk = FaultyDisk(self.path, self.world, self.mishap, self.extent.commits, self.plan.disk_s)
        simulation: Simulation | None = None
        try:
            simulation = self._simulation(disk)
            simulation.models = OneModel(self.network)
            self.network.call_off = simulation.cancel
            async with anyio.create_task_group() as readers:
                try:
                    async with simulation:
                        outcome.was_open = True
                        events = simulation.events(capacity=self.plan.capacity)
                        readers.start_soon(self.witness.read, events, name="reader")
                        outcome.is_complete = await self._take_all(simulation)
                except PlayactError as error:  # out of the group, which would wrap it
                    outcome.error = error
            if outcome.was_open:
                self._look_at(simulation, outcome)
            if outcome.error is not None:
                raise outcome.error
        finally:
            outcome.disk_failed = disk.has_failed
            if simulation is not None:
                self.witness.cut_short = {self.world.numbers[id] for id in simulation.cut_short}

    def _simulation(self, disk: FaultyDisk) -> Simulation:
        plan = self.plan
        prices = Prices({self.network.name: plan.price})
        if self.resumes:
            self.world.tell("resume", self.mishap or "")
            return Simulation.resume(
                self.path,
                model=self.network,
                code=self.code,
                budget=self.budget,
                prices=prices,
                failures=self.failures,
                clock=self.world.clock,
                disk=disk,
            )
        self.world.tell("begin", self.mishap or "")
        return Simulation(
            model=self.network,
            concurrency=plan.concurrency,
            seed=self.run_seed,
            failures=self.failures,
            journal=self.path,
            budget=self.budget,
            prices=prices,
            in_flight=plan.in_flight,
            pace=Pace(requests_per_minute=plan.requests_per_minute),
            clock=self.world.clock,
            disk=disk,
            settings=Settings(),  # a seed decides all, and nothing that whoever tries it has set
        )

    async def _take_all(self, simulation: Simulation) -> bool:
        """Whether the run came to its end, and not for want of money."""
        scenarios = self.scenarios
        run = simulation.run(
            iter(scenarios) if scenarios is not None and self.plan.is_stream else scenarios,
            ordered=self.plan.is_ordered,
        )
        async for dialog in run:
            if self.world.is_dead:
                break
            self.witness.take(dialog)
            self.network.live.discard(self.world.numbers.get(str(dialog.id), -1))
            if self.plan.taker_s:
                await anyio.sleep(self.plan.taker_s)
        return not (simulation.is_out_of_money or self.world.is_dead)

    def _look_at(self, simulation: Simulation, outcome: Outcome) -> None:
        """What a simulation that was left says of itself."""
        now, purse = simulation.statistics(), simulation.purse
        outcome.is_out_of_money = simulation.is_out_of_money
        if purse is not None:
            outcome.reserved, outcome.spent = purse.account.reserved, purse.account.spent
        occupied = {"calls in flight": now.calls_in_flight, "calls waiting": now.calls_waiting}
        if outcome.is_complete and outcome.error is None:
            occupied["dialogs live"] = now.live
        for what, count in occupied.items():
            if count:
                self.world.breaks("no place stays occupied", f"the simulation is closed and has {count} {what}")
        if outcome.reserved != NOTHING:
            message = f"the simulation is closed and has {outcome.reserved} reserved"
            self.world.breaks("what is reserved is settled", message)

    async def _kill_at(self, seconds: float) -> None:
        await anyio.sleep(seconds)
        self._kill(f"after {seconds:.3f} s")

    def _kill(self, when: str) -> None:
        if not self.world.is_dead:
            self.world.kill(when, survivors=files_in(self.path.parent))
