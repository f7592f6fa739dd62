"""What models are told: templates in files, which a run, a scenario or an agent may replace by its own."""

from .agent_prompt import OPENING_CUE, RESPONSE_DETAILS, is_short_for, system_prompt
from .prompts import PACKAGED, Prompts, packaged_names, prompts_of

__all__ = [
    "OPENING_CUE",
    "PACKAGED",
    "RESPONSE_DETAILS",
    "Prompts",
    "is_short_for",
    "packaged_names",
    "prompts_of",
    "system_prompt",
]
