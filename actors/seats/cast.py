"""A cast as a scenario file has it: agents, and who takes a seat from outside."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from ..agent import Agent
from ..problem import inside, problem
from .human_seat import HumanSeat
from .proxy_agent import ProxyAgent

__all__ = ["Cast"]

_SEATS: dict[str, Any] = {"human": HumanSeat, "proxy": ProxyAgent}


def _seated(value: Any) -> Any:
    return tuple(_seat(place, each) for place, each in enumerate(value)) if isinstance(value, list | tuple) else value


def _seat(place: int, value: Any) -> Any:
    """`human`, or `{human: {name: Ida}}`, or `{proxy: {url: ...}}`; anything else is an agent's."""
    content = {value: {}} if isinstance(value, str) else value
    if not isinstance(content, dict | Agent):
        raise problem("a seat is an agent's, as in {name: Ana}, or `human`, or {proxy: {url: ...}}", place)
    if not isinstance(content, dict) or len(content) != 1:
        return value
    ((kind, fields),) = content.items()
    if isinstance(value, str) and kind not in _SEATS:
        raise problem(f"a seat is {{name: {kind}}}, where that is an agent's name, or `human`", place)
    if kind not in _SEATS:
        return value
    if not isinstance(fields, dict | None):
        raise problem("takes keys with values, as in {human: {name: Ida}}", place, kind)
    try:
        return TypeAdapter(_SEATS[kind]).validate_python(fields or {})
    except ValidationError as error:
        raise inside(error, place, kind) from error


Cast = Annotated[tuple[Agent, ...], Field(min_length=2), BeforeValidator(_seated)]
