"""Fingerprints of content: two runs that said the same have the same digest, whenever and however fast they said it."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dialog import Dialog

__all__ = ["DatasetDigest", "digest_of"]

_CONTENT = ("id", "parentId", "model", "seed", "complete", "personas", "context", "scenario", "turns")


def digest_of(dialog: Dialog) -> str:
    """A dialog's SHA-256 as 64 hexadecimal digits.

    It covers who, where, why, every turn and event, how it ended, the seed and the id; not times, token counts, notes,
    annotations, or the wording of an error, which may name a port or a duration.
    """
    whole = dialog.to_dict()
    content = {name: whole[name] for name in _CONTENT}
    content["events"] = [
        {name: value for name, value in event.items() if name != "timestamp"} for event in whole["events"] or ()
    ]
    if dialog.ending is not None:
        content["ending"] = [dialog.ending.reason, dialog.ending.detail]
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
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
