"""What an agent is told of itself, at length, or in short for a model that loses the thread."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playact.actors import Agent, Patient, Persona, Scenario, SupportAgent
from playact.actors.prompts import system_prompt
from playact.backends.scripted import ScriptedBackend
from playact.engine import AttributeModel, Capabilities, CompletionRequest, Context, Dialog, Metadata, Simulation, Turn


class Boat(AttributeModel):
    name: int = 0


ADA = Agent(Persona(name="Ada", role="barista", personality="quick", circumstances="Long day."))
CAFE = Context(location="Cafe", goals=["a coffee", "a chat"])


def test_the_short_prompt_tells_who_with_whom_and_where_and_no_rules() -> None:
    prompt = system_prompt(ADA, "Ada", ["Bob", "Eve"], CAFE, is_short=True)

    assert prompt == (
        "You are Ada, barista. Personality: quick. Circumstances: Long day. "
        "You are talking with Bob and Eve. Location: Cafe. Goals: a coffee; a chat. Say one short sentence."
    )


def test_what_the_user_says_of_the_conversation_is_in_the_short_prompt_too() -> None:
    example = Dialog(turns=[Turn(speaker="Mia", text="Hi.")])
    agent = replace(ADA, dialogue_details="It rains.", response_details="Rhyme.", example_dialogs=(example,))

    prompt = system_prompt(agent, "Ada", ["Bob"], "At a bus stop.", is_short=True)

    assert "It rains." in prompt
    assert "\nMia: Hi.\n" in prompt
    assert "You are talking with Bob. At a bus stop." in prompt
    assert prompt.endswith("Rhyme.")


@pytest.mark.parametrize("is_short", [True, False])
def test_an_agent_without_persona_or_context_is_told_its_name(is_short: bool) -> None:
    prompt = system_prompt(Agent(), "Speaker 1", ["Speaker 2"], None, is_short=is_short)

    assert prompt.startswith("You are Speaker 1.")
    assert "  " not in prompt


@pytest.mark.parametrize("is_short", [True, False])
def test_where_a_context_comes_from_is_none_of_the_models_business(is_short: bool) -> None:
    known = CAFE.with_metadata(Metadata(id="c1", model="scripted"))

    prompts = [system_prompt(ADA, "Ada", ["Bob"], context, is_short=is_short) for context in (CAFE, known)]

    assert prompts[0] == prompts[1]


@pytest.mark.parametrize(
    ("agent", "full", "short"),
    [
        (
            Agent(SupportAgent(name="Ava"), name="Support"),
            "You are Support. Name: Ava. Role: Customer Support Agent.",
            "You are Support, Customer Support Agent. Name: Ava.",
        ),
        (Agent(Persona(name="Ava"), name="Ava"), "You are Ava.", "You are Ava."),
        (Agent(Boat(name=7), name="7"), "You are 7. Role: boat.", "You are 7, boat."),
        (Agent(Persona(name="Ava")), "You are Ava.", "You are Ava."),
        (Agent(Persona(), name="Support"), "You are Support.", "You are Support."),
        (Agent(name="Support"), "You are Support.", "You are Support."),
        (Agent(Patient(name="Ava"), name=""), "You are Speaker 1. Role: patient.", "You are Speaker 1, patient."),
        (Agent(Boat(name=7), name="Argo"), "You are Argo. Name: 7. Role: boat.", "You are Argo, boat. Name: 7."),
    ],
)
def test_an_agent_that_is_called_otherwise_than_its_persona_knows_both_names(
    agent: Agent, full: str, short: str
) -> None:
    scenario = Scenario(cast=(agent, Agent(name="Bob")))

    prompts = [system_prompt(agent, scenario.names[0], ["Bob"], None, is_short=each) for each in (False, True)]

    assert [prompt.partition(" You are talking")[0].partition("\n")[0] for prompt in prompts] == [full, short]


def test_two_of_one_name_are_told_apart_and_keep_it_to_themselves() -> None:
    """As in journals from before an agent knew its persona's name."""
    assert system_prompt(ADA, "Ada 2", ["Ada"], None).startswith("You are Ada 2. Role: barista.")


@pytest.mark.parametrize("is_short", [True, False])
def test_a_system_prompt_of_ones_own_is_used_as_it_is(is_short: bool) -> None:
    assert system_prompt(replace(ADA, system_prompt="Be."), "Ada", ["Bob"], CAFE, is_short=is_short) == "Be."


@pytest.mark.anyio
@pytest.mark.parametrize("is_small", [True, False])
async def test_the_backend_knows_its_model_but_the_agent_has_the_last_word(is_small: bool) -> None:
    told: dict[str, str] = {}

    def answer(request: CompletionRequest) -> str:
        prompt = request.messages[0].text
        told[prompt.split()[2].rstrip(".,")] = prompt
        return "Well."

    model = ScriptedBackend(answer)
    model.capabilities = Capabilities(is_small=is_small)
    cast = (ADA, Agent(name="Bob", prompt_style="short"), Agent(name="Eve", prompt_style="full"))
    async with Simulation(model=model, seed=1) as simulation:
        await simulation.play(Scenario(cast=cast, max_turns=3))

    assert {name: "[[END]]" not in prompt for name, prompt in told.items()} == {
        "Ada": is_small,
        "Bob": True,
        "Eve": False,
    }
