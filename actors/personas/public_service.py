"""Offices, and the citizens who need them."""

from __future__ import annotations

from pydantic import Field

from ...engine.attributes import AttributeModel
from .traits import Age, Gender, Name, Politeness, Years

__all__ = ["Citizen", "CivilServant", "SocialWorker"]


class CivilServant(AttributeModel):
    """Somebody who works for an authority."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    department: str = Field(default="", description="The authority and department.")
    years_of_experience: Years = ""
    politeness: Politeness = ""


class SocialWorker(AttributeModel):
    """Somebody who helps people and families in need."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    years_of_experience: Years = ""
    specialty: str = Field(default="", description="Whom the social worker helps most, such as children.")
    politeness: Politeness = ""


class Citizen(AttributeModel):
    """Somebody who wants something from an authority."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    inquiry_topic: str = Field(default="", description="What the citizen asks about.")
    politeness: Politeness = ""
