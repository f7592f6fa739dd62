"""A run's own templates of prompts: texts that the engine keeps, names in its dialogs, and never reads."""

from __future__ import annotations

from collections.abc import Mapping

from ..digest import versions_of
from ..errors import SetupError

__all__ = ["checked_prompts", "versions_entry"]


def checked_prompts(prompts: Mapping[str, str] | None) -> Mapping[str, str]:
    """Texts by name, as a journal can keep them. Raises `SetupError` for what is something else."""
    prompts = {} if prompts is None else prompts
    if not isinstance(prompts, Mapping) or not all(isinstance(text, str) for item in prompts.items() for text in item):
        raise SetupError("prompts= takes texts by name; to read a folder or files say Prompts.of(...)")
    return prompts


def versions_entry(prompts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What a dialog's header says of them, which is nothing where there are none."""
    return {"prompts": versions_of(prompts)} if prompts else {}
