"""The scripted model's answers in a form fit it, whatever they mean."""

from __future__ import annotations

import random
from typing import Annotated, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from playact.actors import Agent, Doctor, Persona
from playact.actors.generators import PersonaGenerator
from playact.backends.scripted import ScriptedBackend
from playact.backends.small_talk_form import made_up
from playact.engine import CompletionRequest, Message


class Part(BaseModel):
    name: Annotated[str, Field(min_length=12, max_length=14)]
    inner: Part | None = None


class Order(BaseModel):
    item: Literal["tea", "cake"]
    cups: Annotated[int, Field(ge=1, lt=3)]
    price: Annotated[float, Field(gt=0, le=2)] | None
    tags: Annotated[list[str], Field(min_length=2, max_length=3)]
    parts: list[Part]
    gift: bool


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("form", [Order, Part, Doctor])
def test_what_is_made_up_fits_its_schema(form: type[BaseModel], seed: int) -> None:
    schema = form.model_json_schema()

    value = made_up(schema, random.Random(seed))

    Draft202012Validator(schema).validate(value)
    form.model_validate(value)


@pytest.mark.anyio
async def test_the_same_seed_gives_the_same_form_and_another_seed_another() -> None:
    backend = ScriptedBackend()

    def asked(seed: int) -> CompletionRequest:
        return CompletionRequest(messages=(Message("user", "?"),), seed=seed, response_schema=Order.model_json_schema())

    first, again, other = [(await backend.complete(asked(seed))).text for seed in (1, 1, 2)]

    assert first == again != other
    Order.model_validate_json(first)


@pytest.mark.anyio
async def test_people_can_be_generated_and_forms_spoken_without_a_model() -> None:
    doctors = await PersonaGenerator(Doctor, model=ScriptedBackend()).generate(3, seed=1)
    till = Agent(Persona(name="Till"), response_schema=Order)

    dialog = await till.dialog_with(Agent(name="Bob"), model="scripted", max_turns=2, seed=1)

    assert all(doctor.specialty for doctor in doctors)
    assert Order.model_validate_json(dialog[0].text).cups >= 1
