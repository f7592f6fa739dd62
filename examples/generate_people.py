"""People, places and dialogs that a model makes up, within the rules and the numbers that are given to it."""

from playact.actors import Customer, SupportAgent
from playact.actors.generators import ContextGenerator, Paraphraser, PersonaDialogGenerator, PersonaGenerator
from playact.engine import Context, Simulation, run

customers = PersonaGenerator(Customer, ["name", "occupation"])  # these the model writes, what follows are rules
customers.set(
    age="{20-70}",
    politeness=["low", "high"],
    issue="{llm:What is wrong with the bill, in a few words}",
    urgency=lambda age: "today" if age > 60 else "this week",
)
# As many of each kind as it says, to the last one.
population = [{"gender": "female", "weight": 2}, {"gender": "male", "weight": 1}]

places = ContextGenerator(Context(location="a telephone line"), ["environment"])
ava = SupportAgent(name="Ava", communication_style="friendly")


async def main() -> None:
    async with Simulation(seed=4) as simulation:
        people = await customers.generate(3, population=population, simulation=simulation)
        for person in people:
            print(f"{person.name}, {person.gender}, {person.age}, {person.occupation}: {person.issue}")
            print(f"  politeness {person.politeness}, wants it settled {person.urgency}")

        place = await places.generate(simulation=simulation)
        print(f"\nWhere: {place.location}, {place.environment}\n")

        # One model writes both sides; agents in the place of personas would play them.
        generator = PersonaDialogGenerator(people[0], ava, speaker_a="Customer", speaker_b="Support", context=place)
        dialog = await generator.generate(simulation=simulation)
        print(dialog, end="\n\n")

        warmer = Paraphraser("Make it sound warmer.", target_speaker="Support", turn_by_turn=True)
        print(await warmer(dialog, simulation=simulation))


if __name__ == "__main__":
    run(main())
