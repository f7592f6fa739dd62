"""The words with which an agent is told who it is, where, and how to speak."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..engine.dialog import Context, Dialog
from .endings import END_MARKER

if TYPE_CHECKING:
    from .agent import Agent

__all__ = ["OPENING_CUE", "RESPONSE_DETAILS", "system_prompt"]

RESPONSE_DETAILS = "Answer with one short utterance, as people do when they talk. Ask few questions."
OPENING_CUE = "(The conversation begins. Say your first words.)"


def system_prompt(agent: Agent, name: str, others: Sequence[str], context: Context | str | None) -> str:
    """An agent's instructions for one dialog; its own `system_prompt`, where it has one, is used as it is."""
    if agent.system_prompt is not None:
        return agent.system_prompt
    return "\n\n".join(part for part in _parts(agent, name, others, context) if part)


def _parts(agent: Agent, name: str, others: Sequence[str], context: Context | str | None) -> Iterable[str]:
    yield f"You are {name}, in a conversation with {_listed(others)}. Always speak as {name} and stay in character."
    if agent.persona is not None:
        facts = {key: str(value) for key, value in agent.persona.fields().items() if key != "name"}
        yield _section(f"About you, {name}:", facts)
    if isinstance(context, str):
        yield f"The situation: {context}"
    elif context is not None:
        yield _section("The situation:", context_facts(context))
    if agent.dialogue_details:
        yield f"About the conversation: {agent.dialogue_details}"
    for example in agent.example_dialogs:
        yield "An example of such a conversation:\n" + _transcript(example)
    yield f"{agent.response_details} Say only your own words, without your name before them."
    if agent.can_finish:
        yield f"When the conversation has come to its natural end, say goodbye and put {END_MARKER} at the very end."
    else:
        yield "Do not end the conversation yourself; when the others say goodbye, say goodbye too."


def context_facts(context: Context) -> dict[str, str]:
    """The fields of a context that are set, as text; lists become sentences joined by semicolons."""
    facts = context.model_dump(exclude_none=True, exclude_defaults=True)
    return {key: "; ".join(map(str, value)) if isinstance(value, list) else str(value) for key, value in facts.items()}


def _section(title: str, facts: dict[str, str]) -> str:
    if not facts:
        return ""
    return "\n".join([title, *(f"- {key.replace('_', ' ')}: {value}" for key, value in facts.items())])


def _transcript(dialog: Dialog) -> str:
    return "\n".join(str(turn) for turn in dialog)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"
