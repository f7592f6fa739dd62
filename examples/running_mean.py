"""A live event consumer: the mean length of a turn, known while the dialogs are still being played."""

import anyio

from playact.actors import Agent, Persona, Scenario
from playact.engine import Simulation, Uttered

alice = Agent(Persona(name="Alice", role="barista"))
bob = Agent(Persona(name="Bob", role="customer"))


async def running_mean(simulation: Simulation, every: int) -> None:
    """Reads the stream as it comes; were it slow, it would slow the run rather than miss a word."""
    words = turns = 0
    async for record in simulation.events(Uttered):
        if isinstance(record.fact, Uttered):
            words += len(record.fact.text.split())
            turns += 1
            if turns % every == 0:
                print(f"after {turns:4} turns: {words / turns:.2f} words a turn")


async def main() -> None:
    scenario = Scenario(cast=(alice, bob), max_turns=6)
    async with anyio.create_task_group() as tasks, Simulation(seed=5, concurrency=32) as simulation:
        tasks.start_soon(running_mean, simulation, 60)
        dialogs = [dialog async for dialog in simulation.run([scenario] * 40)]
    print(f"{len(dialogs)} dialogs")


if __name__ == "__main__":
    anyio.run(main)
