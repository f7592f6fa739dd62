"""How a dialog came to its end."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["Ending"]


class Ending(BaseModel):
    """Why a dialog ended; `detail` says more (such as "goodbyes"), `error` what went wrong."""

    model_config = ConfigDict(frozen=True)

    reason: Literal["finished", "turn_limit", "budget", "failed", "cancelled"]
    detail: str = ""
    error: str | None = None

    @property
    def failed(self) -> bool:
        return self.reason == "failed"
