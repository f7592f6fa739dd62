"""Patients, and those who look after them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...engine.attributes import AttributeModel
from .persona import ExtendedPersona
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
    Texts,
    WholeNumber,
    Years,
)

__all__ = ["Caregiver", "Doctor", "ExtendedDoctor", "ExtendedPatient", "Nurse", "Patient", "Pharmacist"]

_Degree = str | Annotated[float, Field(allow_inf_nan=False)]  # in words, or from 0 to 1
_Visit = Annotated[str, Field(description="Why the patient has come today.")]
_Symptoms = Annotated[Texts, Field(description="What the patient feels or has noticed, and since when.")]
_Conditions = Annotated[Texts, Field(description="Illnesses that the patient has now.")]
_Medications = Annotated[Texts, Field(description="What the patient takes, with doses where they are known.")]
_Allergies = Annotated[Texts, Field(description="What the patient does not tolerate, and how it shows.")]
_Family = Annotated[Texts, Field(description="Illnesses of close relatives.")]
_Specialty = Annotated[str, Field(description="The field of medicine or care, such as cardiology.")]


class Patient(AttributeModel):
    """Somebody who sees a doctor."""

    name: Name = ""
    age: AgeIfKnown = None
    gender: Gender = ""
    race: Race = ""
    language: Language = "English"
    forgetfulness: Annotated[_Degree, Field(description="How easily the patient forgets, in words or 0 to 1.")] = ""
    formality: Annotated[_Degree, Field(description="How formally the patient speaks, in words or 0 to 1.")] = ""
    hurriedness: Annotated[_Degree, Field(description="How much in a hurry the patient is, in words or 0 to 1.")] = ""
    openness: Annotated[_Degree, Field(description="How freely the patient tells, in words or 0 to 1.")] = ""
    height: Annotated[Number, Field(description="Height, with its unit, or in words such as 'tall'.")] = ""
    weight: Annotated[Number, Field(description="Weight, with its unit, or in words such as 'slim'.")] = ""
    occupation: str = Field(default="", description="What the patient does for a living.")
    marital_status: str = Field(default="", description="Single, married, widowed and so on.")
    insurance: str = Field(default="", description="Health insurance, or none.")
    reason_for_visit: _Visit = ""
    symptoms: _Symptoms = ""
    medical_history: Annotated[Texts, Field(description="Earlier illnesses, operations and treatments.")] = ""
    medical_conditions: _Conditions = ""
    medications: _Medications = ""
    allergies: _Allergies = ""
    family_history: _Family = ""


class ExtendedPatient(ExtendedPersona):
    """A patient with a life around the illness."""

    reason_for_visit: _Visit = ""
    symptoms: _Symptoms = ""
    vital_signs: str = Field(default="", description="Pulse, blood pressure, temperature and the like.")
    health_literacy: str = Field(default="", description="How well the patient understands medical talk.")
    medical_conditions: _Conditions = ""
    medications: _Medications = ""
    allergies: _Allergies = ""
    family_history: _Family = ""


class Doctor(AttributeModel):
    """A physician."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    race: Race = ""
    language: Language = "English"
    years_of_experience: Years = ""
    specialty: _Specialty = ""
    forgetfulness: Forgetfulness = ""
    formality: str = Field(default="", description="How formally the doctor speaks.")
    hurriedness: str = Field(default="", description="How much in a hurry the doctor is.")
    openness: str = Field(default="", description="How frankly the doctor says what is the matter.")


class ExtendedDoctor(ExtendedPersona):
    """A physician with a life around the work."""

    specialty: _Specialty = ""
    years_of_experience: Years = ""
    certifications: str = Field(default="", description="Licences and board certifications.")
    work_experience: str = Field(default="", description="Where the doctor has worked, and as what.")


class Nurse(AttributeModel):
    """A nurse on a ward or in a practice."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    language: Language = "English"
    years_of_experience: Years = ""
    specialty: _Specialty = ""
    shift: str = Field(default="", description="When the nurse works, such as nights.")
    empathy_level: Empathy = ""
    politeness: Politeness = ""
    attentiveness: Attentiveness = ""
    stress_tolerance: str = Field(default="", description="How well the nurse bears pressure.")


class Pharmacist(AttributeModel):
    """Somebody who hands out medicines and explains them."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    language: Language = "English"
    years_of_experience: Years = ""
    workplace: str = Field(default="", description="The pharmacy or hospital.")
    expertise: str = Field(default="", description="What the pharmacist knows most about.")
    politeness: Politeness = ""
    communication_style: CommunicationStyle = ""


class Caregiver(AttributeModel):
    """Somebody who looks after a patient at home."""

    name: Name = ""
    age: Age = ""
    gender: Gender = ""
    relationship: str = Field(default="", description="What the caregiver is to the patient, such as a daughter.")
    experience_years: Annotated[WholeNumber, Field(description="Years of caring, as a number or in words.")] = ""
    empathy_level: Empathy = ""
    attentiveness: Attentiveness = ""
