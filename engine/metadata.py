"""Where a persona, a context or the like comes from: who made it, when, out of what; no part of what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

__all__ = ["Metadata", "now", "own_version"]


class Metadata(BaseModel):
    """The keys of `_metadata` in files, in sdialog's order. Keys of a file that are unknown here are kept.

    version: the playact (or sdialog) that made it. timestamp: when, in ISO 8601. model, seed: what it was generated
    with. id: its own. parentId: the id of what it was cloned from. className: its class. notes: anything.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    version: str | None = None
    timestamp: str | None = None
    model: str | dict[str, Any] | None = None
    seed: int | None = None
    id: int | str | None = None
    parentId: int | str | None = None  # noqa: N815  # the file's own name
    className: str | None = None  # noqa: N815  # the file's own name
    notes: str | None = None

    @classmethod
    def stamped(cls, **known: Any) -> Self:
        """Of this moment and this version, with an id of its own, but for what is `known`.

        What must be the same each time, such as what a seed decides, says its own `id`.
        """
        return cls(**({"version": own_version(), "timestamp": now(), "id": str(uuid4())} | known))


def now() -> str:
    """This second, as files say it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def own_version() -> str:
    """Looked up once: it takes a few milliseconds, as long as a short dialog."""
    return version("playact")
