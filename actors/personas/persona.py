"""People in general."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...engine.attributes import AttributeModel
from .traits import (
    Age,
    AgeIfKnown,
    Attentiveness,
    CommunicationStyle,
    Empathy,
    Forgetfulness,
    Gender,
    Language,
    Name,
    Number,
    Politeness,
    Race,
    Rules,
)

__all__ = ["ExtendedPersona", "Persona"]


class Persona(AttributeModel):
    """Who an agent is. Every field is optional; subclass it to add your own.

    Raises pydantic's `ValidationError`, a ValueError, for a field that does not exist.
    """

    name: Name = ""
    age: AgeIfKnown = None
    gender: Gender = ""
    race: Race = ""
    language: Language = "English"
    role: str = Field(default="", description="What the person is or does here, such as a profession or a function.")
    background: str = Field(default="", description="Where the person comes from, what has formed him or her.")
    personality: str = Field(default="", description="Character and temper.")
    circumstances: str = Field(default="", description="What the person is going through at the moment.")
    rules: Rules = ""


class ExtendedPersona(AttributeModel):
    """A person in body, mind and society."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    race: Race = ""
    language: Language = "English"
    weight: Annotated[Number, Field(description="Weight, with its unit, or in words such as 'slim'.")] = ""
    height: Annotated[Number, Field(description="Height, with its unit, or in words such as 'tall'.")] = ""
    voice_characteristics: str = Field(default="", description="How the voice sounds: accent, tone, pace.")
    occupation: str = Field(default="", description="What the person does for a living.")
    education: str = Field(default="", description="Schooling and degrees.")
    socioeconomic_status: str = Field(default="", description="Income and standing, such as 'working class'.")
    interests: str = Field(default="", description="What the person likes to hear, read and talk about.")
    hobbies: str = Field(default="", description="What the person does in free time.")
    politeness: Politeness = ""
    forgetfulness: Forgetfulness = ""
    attentiveness: Attentiveness = ""
    communication_style: CommunicationStyle = ""
    empathy_level: Empathy = ""
    political_views: str = Field(default="", description="Political leaning, if any.")
    religious_beliefs: str = Field(default="", description="Religion or belief, if any.")
