"""Dialogs as plain text, one turn a line, in the form of a template."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import FileInvalid
from ..said import whole
from .dialog import Dialog
from .turn import LINE_END, Turn

__all__ = ["as_text", "from_text"]


def as_text(dialog: Dialog) -> str:
    """Line ends within a turn become spaces, so that it can be read again; what not all hear stands in brackets."""
    return "\n".join(LINE_END.sub(" ", _line(turn)) for turn in dialog)


def from_text(text: str, template: str, source: str, default_speakers: Sequence[str] | None = None) -> Dialog:
    """A dialog out of lines in the template's form; blank lines do not count. Raises `FileInvalid` with the line."""
    pattern = _pattern(template)
    turns: list[Turn] = []
    for number, line in enumerate(LINE_END.split(text), 1):
        if line.strip():
            match = pattern.fullmatch(line.strip())
            if match is None:
                raise FileInvalid(source, number, f"does not look like {template!r}: {line[:60]!r}")
            parts = match.groupdict()
            speaker = parts.get("speaker")
            if speaker is None and default_speakers:
                speaker = default_speakers[len(turns) % len(default_speakers)]
            turns.append(Turn(speaker=speaker, text=parts["text"].strip()))
    return Dialog(turns=turns)


def _line(turn: Turn) -> str:
    text = whole(turn.text, turn.model_extra)
    return f"{turn.speaker}: {text}" if turn.speaker else text


def _pattern(template: str) -> re.Pattern[str]:
    """The template as a pattern: `{speaker}` and `{text}` are taken, any other `{name}` stands for anything."""
    if template.count("{text}") != 1 or template.count("{speaker}") > 1:
        raise ValueError(f"a template needs {{text}} once, and {{speaker}} once at the most: {template!r}")
    # A space before nothing is not in a line that was stripped.
    known = {"{speaker}": r"(?P<speaker>\S(?:.*?\S)??)", "{text}": "(?P<text>.*)"}
    parts = re.split(r"(\{\w*\})", template.strip())
    joined = "".join(known.get(p, ".*?" if re.fullmatch(r"\{\w*\}", p) else _literal(p)) for p in parts)
    return re.compile(joined)


def _literal(text: str) -> str:
    """As it stands; but spaces may be any, and need not be there before an empty text."""
    return r"\s*".join(map(re.escape, re.split(r"\s+", text)))
