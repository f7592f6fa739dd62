"""The fields whose form in a file is another than that of the object: what is named there, and what is short."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..agent import Agent
from ..mcp_server import MCPServer
from ..orchestrators import orchestrators_by_name
from ..prompts import packaged_names
from ..seats import HumanSeat, ProxyAgent
from ..speech import Asides, Channel
from ..turn_taking import policies_by_name

__all__ = ["forms_of", "only"]

JSON = dict[str, Any]
FormOf = Callable[[Any, JSON], JSON]  # a reference to the form of a class


def forms_of(playbill: type, definitions: JSON, form_of: FormOf) -> Iterator[tuple[type, str, JSON]]:
    """Class, field and form; classes that they refer to are put among the definitions."""
    named = _by_name(orchestrators_by_name(), definitions, form_of)
    yield Agent, "orchestrators", _one_or_more(named)
    yield Agent, "tools", _one_or_more(only("mcp", form_of(MCPServer, definitions)))
    seats = [form_of(kind, definitions) for kind in (HumanSeat, ProxyAgent)]
    definitions["ProxyAgent"]["required"] = ["url"]
    seated = [{"const": "human"}, *(only(name, form) for name, form in zip(("human", "proxy"), seats, strict=True))]
    agents = {"anyOf": [form_of(Agent, definitions), *seated]}
    yield playbill, "cast", {"type": "array", "items": agents, "minItems": 2}
    yield playbill, "turn_policy", _by_name(policies_by_name(), definitions, form_of, is_bare=True)
    yield playbill, "asides", {"anyOf": [form_of(Asides, definitions), {"type": ["boolean", "null"]}]}
    names = {"type": "array", "items": {"type": "string"}}
    yield playbill, "hearing", {"type": ["object", "null"], "additionalProperties": names}
    channel = {"anyOf": [form_of(Channel, definitions), {"type": "string"}]}
    for owner in (playbill, Agent):
        yield owner, "channels", _one_or_more(channel)
    yield Agent, "response_schema", {"type": ["object", "null"]}
    for owner in (playbill, Agent):
        yield owner, "prompts", _prompts()


def _by_name(kinds: Mapping[str, Any], definitions: JSON, form_of: FormOf, *, is_bare: bool = False) -> JSON:
    """{Name: {parameter: value}}; `is_bare`: the name alone does too."""
    forms: list[JSON] = [{"enum": list(kinds)}] if is_bare else []
    for name, kind in kinds.items():
        form = form_of(kind, definitions)
        forms.append(only(name, {"anyOf": [form, {"type": "null"}]} if is_bare else form))
    return {"anyOf": forms}


def _prompts() -> JSON:
    text = {"type": "string", "description": "A template in the language of Jinja2, or a file that ends with .j2."}
    templates = {
        "type": "object",
        "properties": dict.fromkeys(sorted(packaged_names()), text),
        "patternProperties": {"^_": text},
        "additionalProperties": False,
    }
    return {"anyOf": [{"type": "string", "description": "A folder of templates."}, templates, {"type": "null"}]}


def only(key: str, value: JSON) -> JSON:
    return {"type": "object", "properties": {key: value}, "required": [key], "additionalProperties": False}


def _one_or_more(form: JSON) -> JSON:
    return {"anyOf": [{"type": "array", "items": form}, form]}
