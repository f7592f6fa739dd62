"""A support agent who thinks, has two tools and a rule about refunds answers a customer who was charged twice.

Three dialogs, each saved as a file: `python examples/support_desk.py FOLDER`, or a folder that is gone afterwards.
"""

import sys
import tempfile
from pathlib import Path

from playact.actors import Agent, Customer, SimpleReflexOrchestrator, SupportAgent
from playact.engine import Context, Dialog, run


def verify_account(user_id):  # type: ignore[no-untyped-def]  # a tool needs no types: it then takes what it is given
    """Says whether a user's account is verified."""
    return {"user_id": user_id, "verified": True}


def refund(amount):  # type: ignore[no-untyped-def]
    """Gives an amount of money back."""
    return {"status": "refunded", "amount": amount}


support = Agent(
    SupportAgent(name="Ava", politeness="high", communication_style="friendly"),
    name="Support",
    think=True,
    tools=[verify_account, refund],
)
customer = Agent(
    Customer(name="Riley", issue="double charge", desired_outcome="refund"),
    name="Customer",
    first_utterance="Hi! I was charged twice and want a refund.",
)
about_refunds = SimpleReflexOrchestrator(
    condition=lambda utterance: "refund" in utterance.lower(),
    instruction="Follow the refund policy: verify the account, say sorry, then refund.",
)
support = support | about_refunds
web_chat = Context(location="chat", environment="web", circumstances="billing")


def main(folder: Path) -> None:
    for number in range(3):
        dialog = run(customer.dialog_with(support, context=web_chat, max_turns=4, seed=number))
        dialog.to_file(folder / f"dialog_{number}.json")
        dialog.print(all=True)
    print(len(Dialog.from_folder(folder)), "dialogs saved")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder))
