"""Who speaks and who listens."""

from .agent import Agent
from .orchestrators import LengthOrchestrator, Orchestrator, SimpleReflexOrchestrator
from .personas import Persona
from .scenario import Scenario
from .stage import RoundRobin, TurnPolicy

__all__ = [
    "Agent",
    "Persona",
    "Scenario",
    "Orchestrator",
    "SimpleReflexOrchestrator",
    "LengthOrchestrator",
    "TurnPolicy",
    "RoundRobin",
]
