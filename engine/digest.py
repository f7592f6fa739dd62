"""Fingerprints of content: two runs that said the same have the same digest, whenever and however fast they said it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from json.encoder import encode_basestring as _quoted
from typing import TYPE_CHECKING

from .dialog.jsonable import jsonable

if TYPE_CHECKING:
    from .dialog import Dialog, Event, Turn

__all__ = ["DatasetDigest", "digest_of", "versions_of"]

_BEFORE_EVENTS = {"complete", "context"}
_BEFORE_TURNS = {"id", "model", "parentId", "personas", "scenario", "seed"}
_TIMES = {"timestamp"}


def digest_of(dialog: Dialog) -> str:
    """A dialog's SHA-256 as 64 hexadecimal digits.

    It covers who, where, why, every turn and event, how it ended, the seed and the id; not times, token counts, notes,
    annotations, where its personas and context come from, the names of agents' own models, the wording of an error,
    which may name a port or a duration, or the flaws that were found, which follow from the words and may be seen
    better one day.
    """
    # Compact JSON, its keys in order. Each dialog of a journal has a digest, so turns and events, which are most of it,
    # are written by hand, in half the time.
    begin = jsonable(dialog, include=_BEFORE_EVENTS)
    if dialog.ending is not None:
        begin["ending"] = [dialog.ending.reason, dialog.ending.detail]
    middle = jsonable(dialog, include=_BEFORE_TURNS)
    for each in (begin["context"], *(middle["personas"] or {}).values()):
        if type(each) is dict:
            each.pop("_metadata", None)
    if isinstance(middle["model"], dict):
        middle["model"].pop("agents", None)
    events = [_event(event) for event in dialog.events or () if event.action != "flaw"]
    turns = map(_turn, dialog.turns)
    text = f'{_text(begin)[:-1]},"events":[{",".join(events)}],{_text(middle)[1:-1]},"turns":[{",".join(turns)}]}}'
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class DatasetDigest:
    """The digest of many dialogs, added one by one in any order.

    It is the sum of theirs modulo 2**256, hashed with their number: a sum because it does not depend on order and takes
    no memory; not an exclusive or, in which a dialog that is there twice would vanish.
    """

    def __init__(self) -> None:
        self._sum = 0
        self._count = 0

    def add(self, dialog: Dialog) -> None:
        self.add_digest(dialog.digest())

    def add_digest(self, digest: str) -> None:
        """Adds a dialog that goes by its own digest, as in a journal."""
        self._sum = (self._sum + int(digest, 16)) % 2**256
        self._count += 1

    def hexdigest(self) -> str:
        return sha256(f"{self._count}:{self._sum:064x}".encode()).hexdigest()


def versions_of(texts: Mapping[str, str]) -> dict[str, str]:
    """A fingerprint of each of several texts, 12 hexadecimal digits."""
    return {name: sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12] for name, text in texts.items()}


def _turn(turn: Turn) -> str:
    speaker, text = turn.speaker, turn.text
    if turn.model_extra or type(speaker) is not str or type(text) is not str:
        return _text(jsonable(turn))
    return f'{{"speaker":{_quoted(speaker)},"text":{_quoted(text)}}}'


def _event(event: Event) -> str:
    action, label, agent, content = event.action, event.actionLabel or "", event.agent, event.content
    if event.model_extra or not (type(action) is type(label) is type(agent) is type(content) is str):
        return _text(jsonable(event, exclude=_TIMES))
    named = "null" if event.actionLabel is None else _quoted(label)
    return f'{{"action":{_quoted(action)},"actionLabel":{named},"agent":{_quoted(agent)},"content":{_quoted(content)}}}'


_text = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
