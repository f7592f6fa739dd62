"""Hotels and journeys."""

from __future__ import annotations

from pydantic import Field

from ...engine.attributes import AttributeModel
from .traits import Age, Gender, Name, Politeness, Years

__all__ = ["HotelReceptionist", "Tourist", "TravelAgent"]


class HotelReceptionist(AttributeModel):
    """Somebody at a hotel's front desk."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    hotel_name: str = Field(default="", description="The hotel's name.")
    years_of_experience: Years = ""
    politeness: Politeness = ""


class TravelAgent(AttributeModel):
    """Somebody who plans and books journeys for others."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    agency_name: str = Field(default="", description="The agency's name.")
    years_of_experience: Years = ""
    politeness: Politeness = ""


class Tourist(AttributeModel):
    """Somebody on a journey for pleasure."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    travel_goal: str = Field(default="", description="What the tourist wants to see, do or find.")
    politeness: Politeness = ""
