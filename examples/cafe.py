"""A barista and a customer, first in a cafe, then at a railway station."""

from playact.actors import Agent, Persona
from playact.engine import Context, run

alice = Agent(Persona(name="Alice", role="barista", personality="friendly, quick, proud of her coffee"))
bob = Agent(
    Persona(
        name="Bob",
        role="customer",
        personality="curious and polite",
        circumstances="wants a coffee and something small to eat",
    )
)
contexts = [
    Context(location="Downtown cafe", circumstances="a quiet morning"),
    Context(location="Coffee stand at the railway station", circumstances="Bob's train leaves in five minutes"),
]

if __name__ == "__main__":
    for context in contexts:
        dialog = run(alice.dialog_with(bob, context=context, max_turns=8, seed=1))
        dialog.print()
