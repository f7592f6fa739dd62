"""Who a speaker is, whom it talks with, where and why: a dialog's persona, context and scenario in plain words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from ..dialog import Dialog
from ..dialog.jsonable import jsonable
from ..wording import listed, sentences

__all__ = ["setting_of"]


def setting_of(dialog: Dialog, name: str, others: Sequence[str]) -> str:
    """Such as "You are Mia. Role: librarian.", then "You are talking with Tom. Location: library."."""
    persona = _facts((dialog.personas or {}).get(name))
    if persona.get("name") == name:
        del persona["name"]
    if persona.get("language") == "English":  # the default, and the language of these words
        del persona["language"]
    parts = [sentences(f"You are {name}", persona)]
    meeting = f"You are talking with {listed(others)}" if others else "You are alone"
    if isinstance(dialog.context, str):
        parts.append(f"{meeting}. The situation: {dialog.context}")
    else:
        parts.append(sentences(meeting, _facts(dialog.context)))
    if isinstance(dialog.scenario, str):
        parts.append(dialog.scenario)
    elif dialog.scenario:
        parts.append(sentences("", _facts(dialog.scenario)))
    return "\n".join(part for part in parts if part)


def _facts(value: object) -> dict[str, str]:
    """What is said of it, as text."""
    if isinstance(value, BaseModel):
        value = jsonable(value)
    if isinstance(value, str):
        return {"persona": value}
    if not isinstance(value, Mapping):
        return {}
    known = ((str(key), each) for key, each in value.items() if key != "_metadata")
    return {key: _said(each) for key, each in known if each not in (None, "", [], {})}


def _said(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return "; ".join(map(_said, value))
    return json.dumps(value, ensure_ascii=False, default=str)
