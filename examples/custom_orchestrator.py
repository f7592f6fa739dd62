"""An orchestrator of one's own: a shop assistant who offers a discount when the customer has said no twice.

It counts in `self`; every dialog plays its own copy, so the count of one never shows in another.
"""

import anyio

from playact.actors import Agent, Orchestrator, Persona, Scenario
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Dialog, Instructed, Simulation


class DiscountOrchestrator(Orchestrator):
    """Allows a discount, once, after `refusals` refusals."""

    def __init__(self, refusals: int = 2) -> None:
        self.left = refusals

    def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        self.left -= "no" in utterance.lower().split()
        if self.left == 0:
            self.left = -1
            return "You may offer ten percent off now."
        return None


seller = Agent(Persona(name="Sal", role="shop assistant"), first_utterance="Would you like this hat?")
customer = Agent(Persona(name="Kim", role="hard to please"))


def hard_to_please(request: CompletionRequest) -> str:
    """Stands in for a model, so that the example says the same everywhere."""
    prompt, *_, last = request.messages
    if prompt.text.startswith("You are Kim"):
        return "Ten percent? Then yes. Goodbye!" if "ten" in last.text else "Well, no thank you."
    advised = any(message.role == "system" for message in request.messages[1:])
    return "For you, ten percent off." if advised else "It would suit you so well."


async def main() -> None:
    scenario = Scenario(cast=(seller | DiscountOrchestrator(), customer), max_turns=6)
    async with Simulation(model=ScriptedBackend(hard_to_please), seed=7) as simulation:
        events = simulation.events(Instructed)
        async for dialog in simulation.run([scenario] * 3):
            print(dialog, end="\n\n")
        events.close()
        async for record in events:
            print(f"instructed: {record.fact}")


if __name__ == "__main__":
    anyio.run(main)
