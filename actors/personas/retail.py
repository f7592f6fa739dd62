"""Shops."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...engine.attributes import AttributeModel
from .traits import Age, Gender, Name, Politeness, Years

__all__ = ["SalesAssociate", "Shopper", "StoreManager"]

_Store = Annotated[str, Field(description="The shop's name.")]


class StoreManager(AttributeModel):
    """Somebody who runs a shop."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    store_name: _Store = ""
    years_of_experience: Years = ""
    politeness: Politeness = ""


class SalesAssociate(AttributeModel):
    """Somebody who sells in a shop."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    store_name: _Store = ""
    years_of_experience: Years = ""
    politeness: Politeness = ""


class Shopper(AttributeModel):
    """Somebody who buys, or looks around."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    shopping_goal: str = Field(default="", description="What the shopper is after.")
    loyalty_status: str = Field(default="", description="New here, a regular, or a member of a loyalty scheme.")
    politeness: Politeness = ""
