"""Three and six who talk through the packaged model, real: nobody's prompt holds what was whispered to another."""

from __future__ import annotations

import pytest

from playact.actors import Agent, Asides, Moderator, Persona, Scenario, WeightedRandom
from playact.backends.embedded import EmbeddedBackend
from playact.engine import Completion, CompletionRequest, Dialog, Simulation, SpeakerChosen

pytestmark = [pytest.mark.asyncio, pytest.mark.engine, pytest.mark.timeout(300)]

NAMES = ("Ana", "Ben", "Cem", "Dora", "Emil", "Fay")
ROLES = ("the host", "a baker", "a sailor", "a doctor", "a painter", "a teacher")
SECRET = "xyzzy"


class Overheard(EmbeddedBackend):
    """The packaged model, which keeps all that it is asked."""

    def __init__(self) -> None:
        super().__init__(slots=2, context_tokens=1024)
        self.asked: list[CompletionRequest] = []

    async def complete(self, request: CompletionRequest) -> Completion:
        self.asked.append(request)
        return await super().complete(request)

    def who_saw(self, word: str) -> set[str]:
        told = [request.messages[0].text for request in self.asked if word in repr(request)]
        return {name for name in NAMES for prompt in told if f"You are {name}," in prompt}


def party(count: int) -> tuple[Agent, ...]:
    """Whoever speaks first welcomes all, and whispers to the next in the cast."""
    return tuple(
        Agent(
            Persona(name=name, role=role),
            first_utterance=f"Welcome to my party! [to {NAMES[(place + 1) % count]}: The word is {SECRET}.]",
        )
        for place, (name, role) in enumerate(zip(NAMES[:count], ROLES, strict=False))
    )


async def played(model: Overheard, scenario: Scenario) -> Dialog:
    async with Simulation(model=model) as simulation:
        return await simulation.play(scenario)


async def test_three_talk_in_turn_and_only_one_of_them_hears_the_whisper() -> None:
    model = Overheard()
    dialog = await played(model, Scenario(cast=party(3), asides=Asides(), max_turns=7, seed=2))

    assert [turn.speaker for turn in dialog] == ["Ana", "Ben", "Cem"] * 2 + ["Ana"]
    assert model.who_saw(SECRET) == {"Ana", "Ben"}
    assert all(turn.text for turn in dialog)


async def test_a_moderator_leads_six_by_a_schema_and_hears_no_whisper_either() -> None:
    model = Overheard()
    policy = Moderator("Those who have not spoken yet go first.", otherwise=WeightedRandom())
    scenario = Scenario(cast=party(6), asides=Asides(), max_turns=8, seed=2, turn_policy=policy)
    facts: list[SpeakerChosen] = []
    async with Simulation(model=model) as simulation:
        events = simulation.events(SpeakerChosen)
        dialog = await simulation.play(scenario)
        async for record in events:
            facts += [record.fact] if isinstance(record.fact, SpeakerChosen) else []
            if len(facts) == len(dialog):
                break

    assert [fact.agent for fact in facts] == [turn.speaker for turn in dialog]
    assert all(one.speaker != next.speaker for one, next in zip(dialog, list(dialog)[1:], strict=False))
    moderated = [request for request in model.asked if request.messages[0].text.startswith("You moderate")]
    assert len(moderated) == 8
    assert SECRET not in repr(moderated)
    (hearer,) = dialog[0].model_dump()["parts"][1]["heard_by"]
    spoke_later = {str(turn.speaker) for turn in list(dialog)[1:]}
    assert model.who_saw(SECRET) == {str(dialog[0].speaker), hearer} & spoke_later
