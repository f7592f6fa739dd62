"""The words with which an agent is told who it is, where, and how to speak."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..engine.completion import Capabilities
from ..engine.dialog import Context, Dialog
from .endings import END_MARKER

if TYPE_CHECKING:
    from .agent import Agent

__all__ = ["OPENING_CUE", "RESPONSE_DETAILS", "is_short_for", "system_prompt"]

RESPONSE_DETAILS = "Answer with one short utterance, as people do when they talk. Ask few questions."
OPENING_CUE = "Hello!"


def system_prompt(
    agent: Agent, name: str, others: Sequence[str], context: Context | str | None, *, is_short: bool = False
) -> str:
    """An agent's instructions for one dialog; its own `system_prompt`, where it has one, is used as it is.

    `is_short` is for models of some hundred million parameters: who and where they are, and no rules to forget.
    """
    if agent.system_prompt is not None:
        return agent.system_prompt
    if is_short:
        return " ".join(part for part in _short_parts(agent, name, others, context) if part)
    return "\n".join(part for part in _parts(agent, name, others, context) if part)


def is_short_for(agent: Agent, capabilities: Capabilities) -> bool:
    """Whether the agent asks for short instructions, or, where it leaves that open, its model does."""
    return capabilities.is_small if agent.prompt_style is None else agent.prompt_style == "short"


def _parts(agent: Agent, name: str, others: Sequence[str], context: Context | str | None) -> Iterable[str]:
    """Few and plain words: small models lose the thread in long prompts, and every call pays for them."""
    persona = agent.persona.fields() if agent.persona is not None else {}
    if persona.get("language") == "English":  # the default, and the language of the prompt
        del persona["language"]
    yield _sentences(f"You are {name}", {key: value for key, value in persona.items() if key != "name"})
    if isinstance(context, str):
        yield f"You are talking with {_listed(others)}. The situation: {context}"
    else:
        yield _sentences(f"You are talking with {_listed(others)}", context_facts(context) if context else {})
    if agent.dialogue_details:
        yield f"About the conversation: {agent.dialogue_details}"
    for example in agent.example_dialogs:
        yield "An example of such a conversation:\n" + _transcript(example)
    yield f"{agent.response_details} Always speak as {name}, without your name before your words."
    if agent.can_finish:
        yield f"When everything is said, say goodbye and put {END_MARKER} at the very end."
    else:
        yield "Do not end the conversation yourself; when the others say goodbye, say goodbye too."


def _short_parts(agent: Agent, name: str, others: Sequence[str], context: Context | str | None) -> Iterable[str]:
    """Who, with whom, where: a tiny model takes every rule it is told for something to talk about."""
    persona = agent.persona.fields() if agent.persona is not None else {}
    if persona.get("language") == "English":
        del persona["language"]
    role = persona.pop("role", "")
    opening = f"You are {name}, {role}" if role else f"You are {name}"
    yield _sentences(opening, {key: value for key, value in persona.items() if key != "name"})
    if isinstance(context, str):
        yield f"You are talking with {_listed(others)}. {context}"
    else:
        yield _sentences(f"You are talking with {_listed(others)}", context_facts(context) if context else {})
    yield agent.dialogue_details
    for example in agent.example_dialogs:
        yield f"\nAn example of such a conversation:\n{_transcript(example)}\n"
    yield "Say one short sentence." if agent.response_details == RESPONSE_DETAILS else agent.response_details


def context_facts(context: Context) -> dict[str, str]:
    """The fields of a context that are set, as text; lists become sentences joined by semicolons."""
    facts = context.model_dump(exclude_none=True, exclude_defaults=True)
    return {key: "; ".join(map(str, value)) if isinstance(value, list) else str(value) for key, value in facts.items()}


def _sentences(opening: str, facts: Mapping[str, object]) -> str:
    """ "You are Alice. Role: barista. Personality: friendly." """
    said = (f"{key.replace('_', ' ').capitalize()}: {value}" for key, value in facts.items())
    return " ".join(f"{part}." if part[-1] not in ".!?" else part for part in (opening, *said))


def _transcript(dialog: Dialog) -> str:
    return "\n".join(str(turn) for turn in dialog)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"
