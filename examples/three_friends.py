"""Three friends plan a weekend: everyone hears everyone, and they speak in turn."""

from playact.actors import Agent, Persona
from playact.engine import run

ana = Agent(Persona(name="Ana", personality="always has a plan", circumstances="wants to go to the sea"))
ben = Agent(Persona(name="Ben", personality="would rather stay in bed"))
cem = Agent(Persona(name="Cem", personality="makes peace between people"))

if __name__ == "__main__":
    dialog = run(ana.dialog_with(ben, cem, context="A weekend is to be planned.", max_turns=9, seed=3))
    dialog.print()
