"""The forms in which what an agent has may be said, by programs and by scenario files; each is checked at once.

What is wrong raises ValueError, with its place where it is one of several.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, SkipValidation, ValidationError
from pydantic_core import ArgsKwargs

from ..engine.completion import Parameters
from ..engine.dialog import Dialog
from ..engine.structured import ReplySchema
from ..engine.thinking import Thinking
from .mcp_server import MCPServer
from .orchestrators import Orchestrator, orchestrators_by_name
from .problem import inside, problem
from .tools import Toolbox

__all__ = [
    "Examples",
    "Orchestrators",
    "ReplyForm",
    "ThoughtPattern",
    "Tools",
    "Utterances",
    "by_our_names",
    "not_here",
    "orchestrators",
    "several",
]

_ENDPOINT = "model=OpenAIBackend(name, base_url=...), of playact.backends.openai"
# What users of sdialog may say, and what is said here.
_ELSEWHERE = {
    **{name: f"model_parameters={{{name!r}: ...}}" for name in Parameters.__dataclass_fields__},
    "preprocessing_fn": "preprocess=",
    "postprocessing_fn": "postprocess=",
    "postprocess_fn": "postprocess=",
    "openai_api_base": _ENDPOINT,
    "base_url": _ENDPOINT,
    "openai_api_key": "OPENAI_API_KEY in the environment",
    "api_key": "OPENAI_API_KEY, or the like, in the environment",
}
_TALK = "in a conversation: async with agent.conversation() as chat: "
_NOT_HERE = {  # what sdialog's agents have; ours are specifications, and have no state
    "memory": f"{_TALK}chat.memory_dump()",
    "memory_dump": f"{_TALK}chat.memory_dump()",
    "instruct": f"{_TALK}chat.instruct(...)",
    "reset": f"{_TALK}chat.reset(...)",
    "response_lookahead": f"{_TALK}await chat.response_lookahead(...)",
    "add_orchestrators": "so, for it never changes: agent = agent | orchestrator",
    "clear_orchestrators": "so, for it never changes: agent = dataclasses.replace(agent, orchestrators=())",
    "add_inspectors": "with sdialog: playact has no inspectors yet",
    "serve": "in a service of yours: await agent(messages), or async with agent.conversation() as chat",
    "set_first_utterances": "so, for it never changes: agent = dataclasses.replace(agent, first_utterance=...)",
}


def by_our_names(said: Any, ours: Sequence[str]) -> Any:
    """What an agent is made of; `ours` are its parameters.

    Raises ValueError for what is called otherwise here, or said elsewhere than there.
    """
    for name, value in (said.kwargs or {}).items() if isinstance(said, ArgsKwargs) else ():
        if name in _ELSEWHERE:
            raise ValueError(f"an agent has no {name}; say {_ELSEWHERE[name]}")
        if name not in ours:
            raise ValueError(f"an agent has no {name}; {_meant(name, value, ours)}")
    return said


def _meant(name: str, value: Any, ours: Sequence[str]) -> str:
    if close := get_close_matches(name, ours, 1, 0.75):
        return f"did you mean `{close[0]}`?"
    return f"if its model knows it, say model_parameters={json.dumps({'extra': {name: value}}, default=repr)}"


def not_here(name: str) -> str:
    """What is said of an attribute that an agent has not."""
    return f"an agent has no {name!r}" + (f"; say it {_NOT_HERE[name]}" if name in _NOT_HERE else "")


def several(value: Any) -> tuple[Any, ...]:
    """One thing stands for a list of one."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def orchestrators(value: Any) -> tuple[Orchestrator, ...]:
    return tuple(_orchestrator(place, each) for place, each in enumerate(several(value)))


def _orchestrator(place: int, value: Any) -> Orchestrator:
    if isinstance(value, Orchestrator):
        return value
    known = orchestrators_by_name()
    if isinstance(value, dict) and len(value) == 1:
        (name, parameters), *_ = value.items()
        if name in known and isinstance(parameters, dict):
            try:
                return known[name](**parameters)
            except ValidationError as error:
                raise inside(error, place, name) from error
        by_short = {each.removesuffix("Orchestrator"): each for each in known} | {each: each for each in known}
        if name not in known and (close := get_close_matches(str(name), by_short, 1)):
            raise problem(f"unknown orchestrator `{name}`; did you mean `{by_short[close[0]]}`?", place, name)
    raise problem(
        f"an orchestrator is one of {', '.join(known)} with its parameters, as in LengthOrchestrator: {{max: 8}}, "
        "or an object of a class of your own that extends Orchestrator",
        place,
    )


def _tools(value: Any) -> tuple[Any, ...]:
    tools = tuple(_tool(place, each) for place, each in enumerate(several(value)))
    Toolbox(tools)  # raises ValueError for what no model can call
    return tools


def _tool(place: int, value: Any) -> Any:
    """A function, or a server, also as a scenario file names one; code is never looked up by a name."""
    if callable(value) or isinstance(value, MCPServer):
        return value
    if isinstance(value, dict) and list(value) == ["mcp"] and isinstance(value["mcp"], dict):
        try:
            return MCPServer(**value["mcp"])
        except ValidationError as error:
            raise inside(error, place, "mcp") from error
    raise problem('a tool is a Python function, or {mcp: {command: [...]}} or {mcp: {url: "http://..."}}', place)


def _form(value: Any) -> Any:
    if value is not None:
        ReplySchema.of(value)  # raises ValueError for what is none
    return value


def _pattern(value: str | None) -> str | None:
    if value is not None:
        Thinking.of(value)  # raises ValueError for what is none
    return value


Utterances = Annotated[str | Sequence[str], BeforeValidator(several)]
Examples = Annotated[Sequence[Dialog], BeforeValidator(several)]
Tools = Annotated[Sequence[SkipValidation[Callable[..., Any] | MCPServer]], BeforeValidator(_tools)]
Orchestrators = Annotated[Sequence[SkipValidation[Orchestrator]], BeforeValidator(orchestrators)]
ReplyForm = Annotated[Mapping[str, Any] | type[BaseModel] | None, AfterValidator(_form)]
ThoughtPattern = Annotated[str | None, AfterValidator(_pattern)]
