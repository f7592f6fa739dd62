"""A cast as a scenario file has it: agents, and who takes a seat from outside."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from ..agent import Agent
from .human_seat import HumanSeat
from .proxy_agent import ProxyAgent

__all__ = ["Cast"]

_SEATS: dict[str, Any] = {"human": HumanSeat, "proxy": ProxyAgent}


def _seated(value: Any) -> Any:
    return tuple(_seat(each) for each in value) if isinstance(value, list | tuple) else value


def _seat(value: Any) -> Any:
    """`human`, or `{human: {name: Ida}}`, or `{proxy: {url: ...}}`; anything else is an agent's."""
    content = {value: {}} if isinstance(value, str) else value
    if not isinstance(content, dict) or len(content) != 1:
        return value
    ((kind, fields),) = content.items()
    if kind not in _SEATS or not isinstance(fields, dict | None):
        return value
    try:
        return _SEATS[kind](**(fields or {}))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, (kind, *problem["loc"])))
        raise ValueError(f"`{where}`: {problem['msg'].removeprefix('Value error, ')}") from error


Cast = Annotated[tuple[Agent, ...], Field(min_length=2), BeforeValidator(_seated)]
