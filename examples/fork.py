"""What if Bob were rude? A dialog goes on otherwise from its second turn; what came before is not paid for again."""

import anyio

from playact.actors import Agent, Persona, Scenario
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Simulation

alice = Agent(Persona(name="Alice", role="barista"), first_utterance="Good morning! What can I get you?")
bob = Agent(Persona(name="Bob", role="customer", personality="polite"))
rude_bob = Agent(Persona(name="Bob", role="customer", personality="rude"))

POLITE = ("A small coffee, please.", "That is kind, thank you.", "Just the coffee. Goodbye!")
RUDE = ("Coffee. Small. Now.", "Finally. And where is my cake?", "Never mind. Goodbye.")


def people(request: CompletionRequest) -> str:
    """Stands in for a model, so that the example says the same everywhere."""
    prompt, *turns = request.messages
    own = sum(message.role == "assistant" for message in turns)
    if prompt.text.startswith("You are Bob"):
        return (RUDE if "rude" in prompt.text else POLITE)[own]
    if "cake" in turns[-1].text:
        return "Oh, you did not order one yet."
    return "Goodbye, come again!" if "Goodbye" in turns[-1].text else "Here you are, on the house."


async def main() -> None:
    model = ScriptedBackend(people)
    async with Simulation(model=model, seed=1) as simulation:
        dialog = await simulation.play(Scenario(cast=(alice, bob), max_turns=8))
        print(f"{dialog}\n({model.statistics()['calls']} calls)\n")
        paid = model.statistics()["calls"]

        rude = Scenario(cast=(alice, rude_bob), max_turns=8)
        what_if = await dialog.fork(turn=2, scenario=rude, simulation=simulation)
        print(f"{what_if}\n({model.statistics()['calls'] - paid} calls more)\n")
        print("forked from the first:", what_if.parentId == dialog.id)

        sweep = [dialog.forked(turn=turn, scenario=rude) for turn in (0, 2, 4, 6)]  # any number, all at once
        forks = [fork async for fork in simulation.run(sweep, ordered=True)]
        for forked, fork in zip((0, 2, 4, 6), forks, strict=True):
            print(f"rude from turn {forked}:", " / ".join(turn.text for turn in fork if turn.speaker == "Bob"))


if __name__ == "__main__":
    anyio.run(main)
