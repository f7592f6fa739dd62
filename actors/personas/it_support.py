"""Computers, and the people who make them work again."""

from __future__ import annotations

from pydantic import Field

from ...engine.attributes import AttributeModel
from .traits import Age, Gender, Name, Politeness, Years

__all__ = ["EndUser", "HelpdeskTechnician", "ITSupportSpecialist"]


class ITSupportSpecialist(AttributeModel):
    """Somebody who solves the harder technical problems."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    years_of_experience: Years = ""
    expertise_area: str = Field(default="", description="What the specialist knows most about, such as networks.")
    politeness: Politeness = ""


class HelpdeskTechnician(AttributeModel):
    """Somebody whom users call first."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    years_of_experience: Years = ""
    politeness: Politeness = ""


class EndUser(AttributeModel):
    """Somebody whose device or program does not do as it should."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    device_type: str = Field(default="", description="The device, such as a laptop, and its system.")
    issue_description: str = Field(default="", description="What does not work, and since when.")
    politeness: Politeness = ""
