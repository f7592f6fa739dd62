"""Labelled replies: wordings of each flaw and hard cases without one, in several casts and talks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

from playact.actors import Persona
from playact.actors.flaws import FLAWS
from playact.engine import Turn

__all__ = ["Case", "cases"]

CASTS = (
    ("Alice", "Bob"),
    ("Mia", "Tom"),
    ("Priya Patel", "Sam Okafor"),
    ("Grace", "Will"),
    ("Jun", "Ottoline"),
    ("Mark Olsen", "Ines"),
)


@dataclass(frozen=True)
class Case:
    """A reply of the first of the cast to these turns, and its flaw, None where it has none."""

    cast: tuple[str, str]
    persona: Persona
    turns: tuple[Turn, ...]
    reply: str
    flaw: str | None


def cases(path: Path, *, copies: int, seed: int) -> Iterator[Case]:
    """Each wording of a file in so many casts and talks, and each reply of each talk as it is."""
    random = Random(seed)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    talks: list[list[str]] = content["talks"]
    for flaw in (*FLAWS, "none"):
        for wording in content[flaw]:
            for cast in random.sample(CASTS, copies):
                yield _case(wording, flaw, cast, random.choice(talks), random)
    for talk in talks:
        for place in range(1, len(talk)):
            yield _case({"past": talk[:place], "reply": talk[place]}, "none", random.choice(CASTS), talk, random)


def _case(wording: Any, flaw: str, cast: tuple[str, str], talk: list[str], random: Random) -> Case:
    wording = {"reply": wording} if isinstance(wording, str) else wording
    me, you = cast = tuple(wording.get("cast", cast))
    names = {"me": me, "you": you, "me_first": me.split()[0], "you_first": you.split()[0]}
    past = wording.get("past") or talk[: random.randrange(1, len(talk), 2)]
    speakers = (you, me) if len(past) % 2 else (me, you)
    turns = tuple(Turn(speaker=speakers[place % 2], text=_filled(line, names)) for place, line in enumerate(past))
    persona = Persona(name=me, **wording.get("persona", {}))
    return Case((me, you), persona, turns, _filled(wording["reply"], names), None if flaw == "none" else flaw)


def _filled(line: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        line = line.replace(f"{{{name}}}", value)
    return line
