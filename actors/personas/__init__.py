"""Personas: who somebody is. Thirty-five classes; extend any of them, or `BasePersona`, with fields of your own.

Journals name a class by its module: that is this package, in whichever file of it the class stands.
"""

from __future__ import annotations

from ...engine.attributes import AttributeModel
from .customer_service import Customer, SupportAgent
from .education import AcademicAdvisor, Student, Teacher
from .finance import Banker, FinancialAdvisor, InsuranceAgent
from .it_support import EndUser, HelpdeskTechnician, ITSupportSpecialist
from .legal import Lawyer, LegalClient, Paralegal
from .medical import Caregiver, Doctor, ExtendedDoctor, ExtendedPatient, Nurse, Patient, Pharmacist
from .persona import ExtendedPersona, Persona
from .public_service import Citizen, CivilServant, SocialWorker
from .restaurant import Chef, RestaurantCustomer, Waiter
from .retail import SalesAssociate, Shopper, StoreManager
from .travel import HotelReceptionist, Tourist, TravelAgent

__all__ = [
    "PERSONAS",
    "BasePersona",
    "Persona",
    "ExtendedPersona",
    "Customer",
    "SupportAgent",
    "Patient",
    "ExtendedPatient",
    "Doctor",
    "ExtendedDoctor",
    "Nurse",
    "Pharmacist",
    "Caregiver",
    "Teacher",
    "Student",
    "AcademicAdvisor",
    "FinancialAdvisor",
    "Banker",
    "InsuranceAgent",
    "StoreManager",
    "SalesAssociate",
    "Shopper",
    "HotelReceptionist",
    "TravelAgent",
    "Tourist",
    "Lawyer",
    "Paralegal",
    "LegalClient",
    "ITSupportSpecialist",
    "HelpdeskTechnician",
    "EndUser",
    "CivilServant",
    "SocialWorker",
    "Citizen",
    "Chef",
    "Waiter",
    "RestaurantCustomer",
]

BasePersona = AttributeModel  # sdialog's name for what personas extend

PERSONAS: tuple[type[AttributeModel], ...] = (
    Persona,
    ExtendedPersona,
    Customer,
    SupportAgent,
    Patient,
    ExtendedPatient,
    Doctor,
    ExtendedDoctor,
    Nurse,
    Pharmacist,
    Caregiver,
    Teacher,
    Student,
    AcademicAdvisor,
    FinancialAdvisor,
    Banker,
    InsuranceAgent,
    StoreManager,
    SalesAssociate,
    Shopper,
    HotelReceptionist,
    TravelAgent,
    Tourist,
    Lawyer,
    Paralegal,
    LegalClient,
    ITSupportSpecialist,
    HelpdeskTechnician,
    EndUser,
    CivilServant,
    SocialWorker,
    Citizen,
    Chef,
    Waiter,
    RestaurantCustomer,
)

for _kind in PERSONAS:
    _kind.__module__ = __name__
