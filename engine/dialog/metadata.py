"""Where a persona or a context comes from: what made it, when, and out of which other."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Metadata"]


class Metadata(BaseModel):
    """What a file keeps under `_metadata`. `className` tells which class to read it with.

    `parentId` is the id of what it was made from. Keys of a file that are unknown here are kept.
    """

    model_config = ConfigDict(extra="allow")

    version: str | None = Field(default_factory=lambda: version("playact"))
    timestamp: str | None = Field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    model: str | dict[str, Any] | None = None
    seed: int | None = None
    id: int | str | None = None
    parentId: int | str | None = None  # noqa: N815  # the file's own name
    className: str | None = None  # noqa: N815  # the file's own name
    notes: Any = None

    def child(self, new_id: int | str | None = None) -> Metadata:
        """Of a copy that is made now: an id of its own, and this one's as its parent's."""
        made = Metadata()
        update = {"version": made.version, "timestamp": made.timestamp, "id": new_id, "parentId": self.id}
        return self.model_copy(update=update, deep=True)
