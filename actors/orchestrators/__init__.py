"""Orchestrators advise an agent before it speaks: they read along and give instructions that nobody else hears."""

from .adviser import Advise, Conclude, OrchestratorActor, concludes, is_concluded
from .change_mind import ChangeMindOrchestrator
from .check import Check
from .director import DirectorOrchestrator
from .drift import Drift, DriftOrchestrator, DriftRule
from .instruction_list import InstructionListOrchestrator
from .length import LengthOrchestrator
from .orchestrator import Advice, BaseOrchestrator, BasePersistentOrchestrator, Orchestrator
from .plan import PlanOrchestrator, PlanStep
from .reflex import SimpleReflexOrchestrator
from .simple_response import SimpleResponseOrchestrator

__all__ = [
    "Orchestrator",
    "BaseOrchestrator",
    "BasePersistentOrchestrator",
    "Advice",
    "SimpleReflexOrchestrator",
    "LengthOrchestrator",
    "ChangeMindOrchestrator",
    "InstructionListOrchestrator",
    "SimpleResponseOrchestrator",
    "DirectorOrchestrator",
    "PlanOrchestrator",
    "PlanStep",
    "Check",
    "DriftOrchestrator",
    "Drift",
    "DriftRule",
    "orchestrators_by_name",
    "Advise",
    "Conclude",
    "OrchestratorActor",
    "concludes",
    "is_concluded",
]


def orchestrators_by_name() -> dict[str, type[Orchestrator]]:
    """Those that a scenario file can name."""
    kinds: tuple[type[Orchestrator], ...] = (
        SimpleReflexOrchestrator,
        LengthOrchestrator,
        ChangeMindOrchestrator,
        InstructionListOrchestrator,
        SimpleResponseOrchestrator,
        DirectorOrchestrator,
        PlanOrchestrator,
        DriftOrchestrator,
    )
    return {kind.__name__: kind for kind in kinds}
