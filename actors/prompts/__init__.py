"""What models are told: templates in files, which a run, a scenario or an agent may replace by its own."""

from .agent_prompt import OPENING_CUE, RESPONSE_DETAILS, is_short_for, system_prompt
from .packaged import SHORT, packaged_names
from .prompts import PACKAGED, Prompts, prompts_of, with_versions

__all__ = [
    "OPENING_CUE",
    "PACKAGED",
    "RESPONSE_DETAILS",
    "SHORT",
    "Prompts",
    "is_short_for",
    "packaged_names",
    "prompts_of",
    "system_prompt",
    "with_versions",
]
