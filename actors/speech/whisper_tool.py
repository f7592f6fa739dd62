"""Asides by a tool: what its calls say is a part of the turn that they were made in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ...engine.messages import Fact, ToolCalled, ToolReturned
from ...engine.said import SPEECH, Said
from .addressees import Addressees

__all__ = ["whisper_to", "whispers_in"]

_NAME = "whisper"


def whisper_to(confidants: Sequence[str], cast: Sequence[str]) -> Callable[[list[str], str], str]:
    """The tool of an agent that may whisper to these of a cast."""
    addressees = Addressees(confidants, cast)

    def whisper(to: list[str], text: str) -> str:
        """Tells something to some of the others only. Nobody else hears it."""
        hearers = addressees.hearers(to)
        if not hearers:
            return f"Error: you can whisper to {' and '.join(confidants) or 'nobody'} only."
        return f"{' and '.join(hearers)} heard it, nobody else."

    return whisper


def whispers_in(facts: Iterable[Fact], confidants: Sequence[str], cast: Sequence[str]) -> Iterator[Said]:
    """What was whispered in the turn of which these are the facts."""
    addressees = Addressees(confidants, cast)
    called: dict[str, Mapping[str, object]] = {}
    for fact in facts:
        if isinstance(fact, ToolCalled) and fact.name == _NAME:
            called[fact.call_id] = fact.arguments
        elif isinstance(fact, ToolReturned) and fact.name == _NAME and not fact.output.startswith("Error:"):
            arguments = called.get(fact.call_id, {})
            to, text = arguments.get("to"), str(arguments.get("text", "")).strip()
            names = [str(name) for name in to] if isinstance(to, list) else [str(to)]
            if text:
                yield Said(SPEECH, text, addressees.hearers(names))
