"""A party: somebody whispers, one of the three never hears it, and who is spoken to by name answers."""

from playact.actors import AddressedByName, Agent, Asides, Persona, Scenario
from playact.engine import Simulation, run

ana = Agent(
    Persona(name="Ana", personality="cannot keep a plan to herself"),
    first_utterance="Welcome, both of you! [to Ben: The cake for Cem is in the cellar.] Ben, how was the journey?",
)
ben = Agent(Persona(name="Ben", personality="likes surprises"))
cem = Agent(Persona(name="Cem", circumstances="does not know that this is a party for him"))

party = Scenario(cast=(ana, ben, cem), asides=Asides(), turn_policy=AddressedByName(), max_turns=6, seed=4)


async def main() -> None:
    async with Simulation(seed=4) as simulation:
        dialog = await simulation.play(party)
    dialog.print()
    print("Who heard of the cake:", ", ".join(dialog[0].model_dump()["parts"][1]["heard_by"]))


if __name__ == "__main__":
    run(main())
