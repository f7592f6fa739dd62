"""Law offices."""

from __future__ import annotations

from pydantic import Field

from ...engine.attributes import AttributeModel
from .traits import Age, Gender, Name, Politeness, Years

__all__ = ["Lawyer", "LegalClient", "Paralegal"]


class Lawyer(AttributeModel):
    """Somebody who gives legal advice or pleads."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    specialty: str = Field(default="", description="The field of law, such as tenancy.")
    years_of_experience: Years = ""
    politeness: Politeness = ""


class Paralegal(AttributeModel):
    """Somebody who prepares a lawyer's cases."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    years_of_experience: Years = ""
    politeness: Politeness = ""


class LegalClient(AttributeModel):
    """Somebody who needs a lawyer."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    case_type: str = Field(default="", description="What the case is about, such as a divorce.")
    politeness: Politeness = ""
