"""Restaurants."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...engine.attributes import AttributeModel
from .traits import Age, Gender, Name, Politeness, Years

__all__ = ["Chef", "RestaurantCustomer", "Waiter"]

_Restaurant = Annotated[str, Field(description="The restaurant's name.")]


class Chef(AttributeModel):
    """Somebody who runs a restaurant's kitchen."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    restaurant_name: _Restaurant = ""
    years_of_experience: Years = ""
    cuisine_specialty: str = Field(default="", description="What the chef cooks best.")
    politeness: Politeness = ""


class Waiter(AttributeModel):
    """Somebody who serves at table."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    restaurant_name: _Restaurant = ""
    years_of_experience: Years = ""
    politeness: Politeness = ""


class RestaurantCustomer(AttributeModel):
    """Somebody who eats out."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    dietary_preferences: str = Field(default="", description="What the customer likes, and does not or must not eat.")
    politeness: Politeness = ""
