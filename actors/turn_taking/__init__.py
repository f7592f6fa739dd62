"""Who speaks next: the port, and the policies that are there."""

from .addressed_by_name import AddressedByName
from .moderator import Moderator
from .round_robin import RoundRobin
from .scripted_order import ScriptedOrder
from .turn_policy import TurnPolicy, policies_by_name
from .weighted_random import WeightedRandom

__all__ = [
    "AddressedByName",
    "Moderator",
    "RoundRobin",
    "ScriptedOrder",
    "TurnPolicy",
    "WeightedRandom",
    "policies_by_name",
]
