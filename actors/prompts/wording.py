"""What the templates of prompts can call: facts as sentences, names as a list."""

from __future__ import annotations

from collections.abc import Mapping

from ...engine.wording import listed

__all__ = ["listed", "sentences", "without"]


def sentences(opening: str, facts: Mapping[str, object]) -> str:
    """ "You are Alice. Role: barista. Personality: friendly." """
    said = (f"{key.replace('_', ' ').capitalize()}: {value}" for key, value in facts.items())
    return " ".join(f"{part}." if part[-1] not in ".!?" else part for part in (opening, *said))


def without(facts: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in facts.items() if name not in names}
