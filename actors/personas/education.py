"""Schools and universities."""

from __future__ import annotations

from pydantic import Field

from ...engine.attributes import AttributeModel
from .traits import Age, CommunicationStyle, Gender, Name, Politeness, Years

__all__ = ["AcademicAdvisor", "Student", "Teacher"]


class Teacher(AttributeModel):
    """Somebody who teaches a subject."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    subject: str = Field(default="", description="What the teacher teaches.")
    years_of_experience: Years = ""
    education_level: str = Field(default="", description="Whom the teacher teaches, such as primary school.")
    politeness: Politeness = ""
    communication_style: CommunicationStyle = ""


class Student(AttributeModel):
    """Somebody who learns at a school or university."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    grade_level: str = Field(default="", description="Grade or year, such as '10th grade'.")
    major: str = Field(default="", description="What the student studies.")
    interests: str = Field(default="", description="What the student likes, in class and outside.")
    politeness: Politeness = ""


class AcademicAdvisor(AttributeModel):
    """Somebody who helps students to plan their studies."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    years_of_experience: Years = ""
    specialty: str = Field(default="", description="What the advisor is asked about most, such as transfers.")
    politeness: Politeness = ""
