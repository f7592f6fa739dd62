"""Traits that many personas share: the type of each, and what it means, in words that a model takes as a hint."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

__all__ = [
    "Age",
    "AgeIfKnown",
    "Attentiveness",
    "CommunicationStyle",
    "Empathy",
    "Forgetfulness",
    "Gender",
    "Language",
    "Name",
    "Number",
    "Politeness",
    "Race",
    "Rules",
    "Texts",
    "WholeNumber",
    "Years",
]

Texts = str | list[str]  # one, or several
WholeNumber = int | str  # as a figure or in words
Number = str | int | Annotated[float, Field(allow_inf_nan=False)]  # a figure, with its unit or without, or words

Name = Annotated[str, Field(description="What the person is called, by first name or in full.")]
_AGE = Field(description="Age in years, or in words such as 'in her forties'.")
Age = Annotated[WholeNumber, _AGE]
AgeIfKnown = Annotated[WholeNumber | None, _AGE]
Gender = Annotated[str, Field(description="The gender the person identifies with.")]
Race = Annotated[str, Field(description="Race or ethnic background.")]
Language = Annotated[str, Field(description="The language the person speaks here.")]
Years = Annotated[WholeNumber, Field(description="Years spent in this work, as a number or in words.")]
Politeness = Annotated[str, Field(description="How polite the person is, from curt to courteous.")]
Forgetfulness = Annotated[str, Field(description="How easily the person forgets what was said or agreed.")]
Attentiveness = Annotated[str, Field(description="How closely the person listens and notices details.")]
Empathy = Annotated[str, Field(description="How much the person feels with others and shows it.")]
CommunicationStyle = Annotated[str, Field(description="How the person talks, such as plain, chatty or formal.")]
Rules = Annotated[str, Field(description="What the person must always or never do in the conversation.")]
