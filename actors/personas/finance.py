"""Banks, investments and insurance."""

from __future__ import annotations

from pydantic import Field

from ...engine.attributes import AttributeModel
from .traits import Age, Gender, Name, Politeness, Years

__all__ = ["Banker", "FinancialAdvisor", "InsuranceAgent"]


class FinancialAdvisor(AttributeModel):
    """Somebody who advises on money."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    years_of_experience: Years = ""
    certifications: str = Field(default="", description="Licences and titles, such as CFP.")
    specialty: str = Field(default="", description="What the advisor knows most about, such as pensions.")
    politeness: Politeness = ""


class Banker(AttributeModel):
    """Somebody who serves customers of a bank."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    branch: str = Field(default="", description="The bank and branch.")
    years_of_experience: Years = ""
    politeness: Politeness = ""


class InsuranceAgent(AttributeModel):
    """Somebody who sells insurance or settles claims."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    company: str = Field(default="", description="The insurer.")
    years_of_experience: Years = ""
    specialty: str = Field(default="", description="The kind of insurance, such as cars or life.")
    politeness: Politeness = ""
