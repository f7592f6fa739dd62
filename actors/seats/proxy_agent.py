"""A seat for a system under test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SkipValidation
from pydantic.dataclasses import dataclass

from ...engine.completion import Backend
from ..agent import Agent

__all__ = ["ProxyAgent"]

_FIELDS = ("api", "headers", "body", "reply", "timeout_s", "in_flight")


@dataclass(frozen=True, config=ConfigDict(extra="forbid", arbitrary_types_allowed=True))
class ProxyAgent(Agent):
    """A chat endpoint speaks for this agent, as it would with users of its own.

    It is sent the words of the dialog that it hears, and nothing that agents are told: no prompt, no persona, no
    sampling. Its failures are those of a backend, so that the scheduler asks again where that helps; its answers are
    kept in the journal. A call that failed after it was sent may have been heard: the endpoint must bear being told
    the same twice.

    url: where it listens. With `api="openai"` the base URL of chat completions, and `endpoint_model` what is asked for.
    headers: sent with every call; `$NAME` stands for a variable of our environment, so that no key is written down. So
        does what is `$NAME` alone in the path or the query of the url, or in the body. A journal keeps no key itself.
    body: what a call sends, as JSON in which "{text}" stands for what was said last, "{session}" for the dialog's id,
        and "{messages}" alone for all that was said, as roles and contents.
    reply: where in the answer the words are, as in "choices.0.message.content"; "" where the answer is the words.
    timeout_s: how long one call may take. in_flight: how many are made at once.
    """

    _: KW_ONLY
    url: str = ""
    api: Literal["json", "openai"] = "json"
    endpoint_model: str = "default"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=lambda: {"session_id": "{session}", "message": "{text}"})
    reply: str = "reply"
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    in_flight: Annotated[int | None, Field(ge=1)] = None
    system_prompt: str | None = ""
    thinking_pattern: str | None = None
    model: str | SkipValidation[Backend] | None = None

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError('a ProxyAgent needs a url, as in url="http://localhost:8080/chat"')
        endpoint = {"url": self.url, "model": self.endpoint_model} | {name: getattr(self, name) for name in _FIELDS}
        text = json.dumps(endpoint, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        object.__setattr__(self, "model", f"proxy:{text}")  # by which equal endpoints are one backend of a run

    @property
    def own_name(self) -> str:
        return super().own_name or "System"
