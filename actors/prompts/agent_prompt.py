"""The words with which an agent is told who it is, where, and how to speak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...engine.attributes import in_words
from ...engine.completion import Capabilities
from ...engine.dialog import Context, Dialog
from ...engine.hearing import as_heard
from ..endings import END_MARKER
from ..personas.named import said_of
from .prompts import PACKAGED, Prompts

if TYPE_CHECKING:
    from ..agent import Agent

__all__ = ["OPENING_CUE", "RESPONSE_DETAILS", "context_facts", "is_short_for", "system_prompt"]

RESPONSE_DETAILS = "Answer with one short utterance, as people do when they talk. Ask few questions."
OPENING_CUE = "Hello!"


def system_prompt(
    agent: Agent,
    name: str,
    others: Sequence[str],
    context: Context | str | None,
    *,
    is_short: bool = False,
    prompts: Prompts = PACKAGED,
) -> str:
    """An agent's instructions for one dialog; its own `system_prompt`, where it has one, is used as it is.

    `is_short` is for models of some hundred million parameters: who and where they are, and no rules to forget.
    Raises `PromptInvalid` for a template of the user's that cannot be filled in.
    """
    if agent.system_prompt is not None:
        return agent.system_prompt
    return prompts.render(
        f"{agent.prompt_template}_short" if is_short else agent.prompt_template,
        name=name,
        persona=_who(agent),
        others=list(others),
        context=context if isinstance(context, str) else context_facts(context),
        dialogue_details=agent.dialogue_details,
        response_details=agent.response_details,
        has_usual_manner=agent.response_details == RESPONSE_DETAILS,
        example_dialogs=[_transcript(example) for example in agent.example_dialogs],
        can_finish=agent.can_finish,
        end_marker=END_MARKER,
    )


def is_short_for(agent: Agent, capabilities: Capabilities) -> bool:
    """Whether the agent asks for short instructions, or, where it leaves that open, its model does."""
    return capabilities.is_small if agent.prompt_style is None else agent.prompt_style == "short"


def context_facts(context: Context | None) -> dict[str, str]:
    """The fields of a context that are set, as text; lists become sentences joined by semicolons."""
    if context is None:
        return {}
    return {name: in_words(value) for name, value in context.fields().items()}


def _who(agent: Agent) -> dict[str, Any]:
    """What is said of its persona, with that one's name where the agent is called otherwise, as in a service."""
    said, name = said_of(agent.persona), getattr(agent.persona, "name", None)
    is_called_otherwise = agent.name and name not in (None, "") and str(name) != agent.name
    return {"name": name, **said} if is_called_otherwise else said


def _transcript(dialog: Dialog) -> str:
    """What all heard of it; a turn that was for some only is left out."""
    heard = [(turn, as_heard(turn, None)) for turn in dialog]
    return "\n".join(str(told) for turn, told in heard if told.text or told is turn)
