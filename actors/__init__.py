"""Who speaks and who listens."""

from .agent import Agent
from .flaws import Manners
from .function_tool import final_response_tool, tool
from .mcp_server import MCPServer
from .orchestrators import (
    BaseOrchestrator,
    BasePersistentOrchestrator,
    ChangeMindOrchestrator,
    DirectorOrchestrator,
    DriftOrchestrator,
    InstructionListOrchestrator,
    LengthOrchestrator,
    Orchestrator,
    PlanOrchestrator,
    SimpleReflexOrchestrator,
    SimpleResponseOrchestrator,
)
from .personas import Persona
from .prompts import Prompts
from .scenario import Scenario
from .seats import HumanSeat, ProxyAgent
from .speech import Asides, Channel, Earshot, Hearing
from .turn_taking import AddressedByName, Moderator, RoundRobin, ScriptedOrder, TurnPolicy, WeightedRandom

__all__ = [
    "Agent",
    "Persona",
    "Scenario",
    "Prompts",
    "Orchestrator",
    "BaseOrchestrator",
    "BasePersistentOrchestrator",
    "SimpleReflexOrchestrator",
    "LengthOrchestrator",
    "ChangeMindOrchestrator",
    "InstructionListOrchestrator",
    "SimpleResponseOrchestrator",
    "DirectorOrchestrator",
    "PlanOrchestrator",
    "DriftOrchestrator",
    "tool",
    "final_response_tool",
    "MCPServer",
    "Manners",
    "TurnPolicy",
    "RoundRobin",
    "WeightedRandom",
    "AddressedByName",
    "Moderator",
    "ScriptedOrder",
    "HumanSeat",
    "ProxyAgent",
    "Asides",
    "Channel",
    "Earshot",
    "Hearing",
]
