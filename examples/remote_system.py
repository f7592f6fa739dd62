"""A simulated customer tries out a system that answers chat completions: yours, vLLM's, or anybody's.

`python examples/remote_system.py http://localhost:8000/v1 MODEL`; a key, where one is wanted, is read from
OPENAI_API_KEY.
"""

import os
import sys

from playact.actors import Agent, Customer, ProxyAgent, SupportAgent
from playact.backends.openai import OpenAIBackend
from playact.engine import run

customer = Agent(
    Customer(name="Riley", issue="double charge", desired_outcome="refund"),
    name="Customer",
    first_utterance="Hi! I was charged twice.",
)


def as_it_is(url: str, model: str) -> ProxyAgent:
    """The system as its users have it: it hears what is said to it, and is told nothing besides."""
    key = {"Authorization": "Bearer $OPENAI_API_KEY"} if "OPENAI_API_KEY" in os.environ else {}
    return ProxyAgent(name="System", url=url, api="openai", endpoint_model=model, headers=key)


def in_a_role(url: str, model: str) -> Agent:
    """The same model as an agent of ours, with a persona, and with tools and orchestrators if it had any."""
    return Agent(SupportAgent(name="Ava"), name="Support", model=OpenAIBackend(model, base_url=url))


def main(url: str, model: str) -> None:
    for system in (as_it_is(url, model), in_a_role(url, model)):
        dialog = run(customer.dialog_with(system, max_turns=4, seed=1))
        print(dialog, end="\n\n")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        print("Say where the system is and which model to ask for: remote_system.py http://localhost:8000/v1 MODEL")
