"""The examples in sdialog's own documentation of its classes: other imports, `await`, and they run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playact.actors import (
    Agent,
    BaseOrchestrator,
    BasePersistentOrchestrator,
    ChangeMindOrchestrator,
    Doctor,
    InstructionListOrchestrator,
    LengthOrchestrator,
    Orchestrator,
    Persona,
    SimpleReflexOrchestrator,
    SimpleResponseOrchestrator,
)
from playact.actors.generators import (
    ContextGenerator,
    DialogGenerator,
    Paraphraser,
    PersonaDialogGenerator,
    PersonaGenerator,
)
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, Context, Dialog, Turn
from tests.actors.generators.filling import Filling

pytestmark = pytest.mark.anyio


class EncourageDetailOrchestrator(BaseOrchestrator):
    def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        if utterance and len(utterance.split()) < 5:
            return "Add a bit more detail in your next reply."
        return None


class FlipToneOrchestrator(BasePersistentOrchestrator):
    def __init__(self, trigger: str) -> None:
        self.trigger = trigger

    def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        if self.trigger and self.trigger in utterance.lower():
            return "From now on adopt an annoyed, curt tone; keep answers short and a bit irritable."
        return None


def saying(*lines: str) -> ScriptedBackend:
    """Says the lines in turn, again and again."""
    return ScriptedBackend(lambda request: Completion(text=lines[request.sequence % len(lines)]))


def writing(*turns: tuple[str, str]) -> ScriptedBackend:
    return ScriptedBackend([json.dumps({"dialog": [{"speaker": who, "text": text} for who, text in turns]})])


async def test_two_agents_talk_in_a_context() -> None:
    user = Agent(persona=Persona(name="Dr. Nebula", role="Astrobotanist seeking alien spores"), name="Scientist")
    bot = Agent(persona=Persona(name="StationCore", role="Sarcastic habitat control AI"), name="Bot")
    context = Context(
        location="Orbiting Research Station Theta-9",
        environment="Zero-gravity greenhouse",
        objects=["alien spores", "hydroponic garden", "research equipment"],
    )

    dialog = await user.dialog_with(bot, context=context, max_turns=4, model=saying("Spores?", "Not again."))

    assert dialog.description() == "Scientist: Spores?\nBot: Not again.\nScientist: Spores?\nBot: Not again."
    assert dialog.context == context


@pytest.mark.parametrize(
    ("orchestrator", "told"),
    [
        (EncourageDetailOrchestrator(), {"instruct": 3}),
        (FlipToneOrchestrator(trigger="sweet"), {"instruct-persist": 3}),
        (
            SimpleReflexOrchestrator(
                condition=lambda utt: "quest" in utt.lower(),
                instruction="Acknowledge the quest idea, then suggest one concrete themed activity.",
            ),
            {"instruct": 3},
        ),
        (LengthOrchestrator(min=8, max=12), {"instruct": 2}),
        (
            ChangeMindOrchestrator(probability=1.0, reasons=["a better surprise", "budget constraints"], max_times=1),
            {"instruct": 1},
        ),
        (
            SimpleResponseOrchestrator(
                responses=["Could you clarify that?", "Let me summarize the plan.", "That sounds exciting."], top_k=2
            ),
            {"request_suggestions": 3, "instruct": 3},
        ),
        (
            InstructionListOrchestrator(
                [
                    "Greet warmly and ask about preferred theme.",
                    "Ask for constraints (budget / space).",
                    "Suggest one fitting activity.",
                    "Confirm decisions and wrap up politely.",
                ]
            ),
            {"instruct": 3},
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Orchestrator) else "",
)
async def test_an_agent_is_orchestrated(orchestrator: Orchestrator, told: dict[str, int]) -> None:
    bob = Agent(persona=Persona(name="Bob", role="dad")) | orchestrator
    alice = Agent(persona=Persona(name="Alice", role="daughter"))

    dialog = await alice.talk_with(
        bob,
        max_turns=6,
        model=saying(*(f"A {how} sweet quest!" for how in ("very", "new", "long", "dark", "wild", "last"))),
    )

    actions = [event.action for event in dialog.events or () if event.action != "utter"]
    assert {action: actions.count(action) for action in actions} == told
    assert {event.agent for event in dialog.events or () if event.action != "utter"} == {"Bob"}


async def test_a_model_writes_a_greeting() -> None:
    gen = DialogGenerator("Generate a short friendly greeting between two speakers")

    dialog = await gen.generate(model=writing(("A", "Hi!"), ("B", "Hello!")))

    assert str(dialog) == "A: Hi!\nB: Hello!"


async def test_a_dialog_of_two_personas_is_written() -> None:
    p1 = Persona(name="Alice", role="Curious student")
    p2 = Persona(name="Mentor", role="Helpful tutor")
    gen = PersonaDialogGenerator(p1, p2, dialogue_details="Explain one concept briefly.")

    dialog = await gen(model=writing(("SPEAKER_A", "What is a lemma?"), ("SPEAKER_B", "A small theorem.")))

    assert {name: who["name"] for name, who in (dialog.personas or {}).items()} == {
        "SPEAKER_A": "Alice",
        "SPEAKER_B": "Mentor",
    }


async def test_a_doctor_is_generated() -> None:
    doctor_generator = PersonaGenerator(Doctor(specialty="Cardiology"))
    doctor_generator.set(years_of_experience="{4-10}", gender=["male", "female", "non-binary"])

    doctor = await doctor_generator.generate(model=Filling())

    assert doctor.specialty == "Cardiology"
    assert 4 <= int(doctor.years_of_experience) <= 10
    assert doctor.gender in ("male", "female", "non-binary")
    assert doctor.name


async def test_a_context_is_generated(tmp_path: Path) -> None:
    (tmp_path / "circumstances.csv").write_text("circumstances\na dust storm\n", encoding="utf-8")
    asked: list[CompletionRequest] = []

    def answer(request: CompletionRequest) -> str:
        asked.append(request)
        return json.dumps({"goals": "grow potatoes"})

    ctx_generator = ContextGenerator(Context(location="Mars Forward Base Alpha"), generated_attributes=[])
    ctx_generator.set(
        objects=lambda: ["rover", "airlock"],
        topics=["terraforming", "resource logistics", "crew morale"],
        circumstances=f"{{csv:circumstances:{tmp_path / 'circumstances.csv'}}}",
        goals="{llm:Suggest a realistic goal for the context}",
    )

    my_context = await ctx_generator.generate(model=ScriptedBackend(answer))

    assert my_context.location == "Mars Forward Base Alpha"
    assert my_context.objects == ["rover", "airlock"]
    assert my_context.topics in ("terraforming", "resource logistics", "crew morale")
    assert (my_context.circumstances, my_context.goals) == ("a dust storm", "grow potatoes")
    assert "Suggest a realistic goal for the context" in asked[0].messages[1].text


async def test_a_bot_is_made_to_sound_natural() -> None:
    original_dialog = Dialog(turns=[Turn(speaker="Bot", text="INPUT NAME"), Turn(speaker="Eve", text="Eve")])
    paraphraser = Paraphraser("Make the text sound more natural and less robotic", target_speaker="Bot")

    new_dialog = await paraphraser(original_dialog, model=ScriptedBackend([json.dumps({"turns": ["Your name?"]})]))

    assert new_dialog.description() == "Bot: Your name?\nEve: Eve"
