"""A doctor and a patient, each with several orchestrators: one `|` after the other, asked in that order.

Each is a new agent; the one without orchestrators stays as it was.
"""

from playact.actors import (
    Agent,
    ChangeMindOrchestrator,
    Doctor,
    InstructionListOrchestrator,
    LengthOrchestrator,
    Orchestrator,
    Patient,
    PlanOrchestrator,
    SimpleReflexOrchestrator,
)
from playact.actors.orchestrators import Check, PlanStep
from playact.engine import Dialog, run


class OneQuestionOrchestrator(Orchestrator):
    """One of our own: nobody is asked two questions in a row."""

    def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        own = [turn.text for turn in dialog if turn.speaker == self.target_agent]
        return "Ask nothing now; say what you make of it." if own and own[-1].endswith("?") else None


doctor = Agent(Doctor(name="Dr. Noor", specialty="family medicine"), first_utterance="Good morning, how are you today?")
patient = Agent(Patient(name="Pat", reason_for_visit="a headache that comes and goes"))

visit = PlanOrchestrator(
    steps={
        "greet": PlanStep(tell="Say good morning.", check="morning|hello"),
        "listen": PlanStep(tell="Ask what hurts, and since when.", check="hurt|pain|since"),
        "advise": PlanStep(tell="Say what to do about it.", check=Check(keywords=["rest", "water", "sleep"])),
    }
)
led_doctor = doctor | visit | OneQuestionOrchestrator() | LengthOrchestrator(min=4, max=5)
moody_patient = (
    patient
    | InstructionListOrchestrator([None, "Mention that you sleep badly."])
    | SimpleReflexOrchestrator(condition=lambda utterance: "?" in utterance, instruction="Answer the question first.")
    | ChangeMindOrchestrator(probability=0.5, reasons=["you feel better now", "you are late for work"], max_times=1)
)

if __name__ == "__main__":
    dialog = run(led_doctor.dialog_with(moody_patient, max_turns=6, seed=4))
    dialog.print(orchestration=True)
