"""A run is broken off and resumed from its journal: nothing differs from the run that was not, and nothing is lost."""

import tempfile
from pathlib import Path

import anyio

from playact.actors import Agent, LengthOrchestrator, Persona, Scenario
from playact.engine import Simulation, dialogs_in, digest_in
from playact.engine.digest import DatasetDigest

alice = Agent(Persona(name="Alice", role="barista"))
bob = Agent(Persona(name="Bob", role="customer")) | LengthOrchestrator(max=6)
scenarios = [Scenario(cast=(alice, bob), max_turns=8)] * 40


async def main(folder: Path) -> None:
    digest = DatasetDigest()
    async with Simulation(seed=7) as simulation:
        async for dialog in simulation.run(scenarios):
            digest.add(dialog)
    print("uninterrupted: ", digest.hexdigest()[:16])

    journal = folder / "cafe.db"
    async with Simulation(seed=7, concurrency=8, journal=journal) as simulation:
        taken = 0
        async for _ in simulation.run(scenarios):
            taken += 1
            if taken == 15:
                break  # leaving the simulation cuts short what is live
    print("broken off when", taken, "dialogs were taken")

    async with Simulation.resume(journal) as simulation:  # seed, model, scenarios and all else are in the journal
        async for _ in simulation.run():
            pass
    print("resumed:       ", digest_in(journal)[:16])

    first = next(dialogs_in(journal))  # read, not played
    print(f"\n{first}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(main, Path(folder))
