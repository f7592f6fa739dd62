"""A scenario as JSON and back, for journals: all of it that is data, and the names of what is code.

Code is never looked up by the name that a file gives: what a recipe names must be handed over, see `playable_from`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache, cached_property
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticSerializationError

from ..engine.attributes import METADATA, AttributeModel
from ..engine.completion import Parameters
from ..engine.dialog import Context, Dialog
from ..engine.errors import CodeMissing, JournalInvalid, SetupError
from ..engine.metadata import Metadata
from ..engine.performance import Playable
from .agent import Agent
from .exchange import Exchange
from .flaws import Manners
from .generators.blueprint import Blueprint
from .generators.making import Making
from .generators.rewording import Rewording
from .generators.writing import LLMDialogOutput, Writing
from .mcp_server import MCPServer
from .orchestrators import Check, Drift, DriftRule, PlanStep, orchestrators_by_name
from .personas import PERSONAS
from .prompts import Prompts
from .scenario import Scenario
from .seats import HumanSeat, ProxyAgent
from .speech import Asides, Channel, Earshot
from .turn_taking import policies_by_name
from .written_keys import USER, is_written_key, written_in_body, written_in_url

__all__ = ["plain", "playable_from", "playable_recipe", "recipe_of", "scenario_from", "value_from"]

_CODE = "$code"  # {"$code": "shop:price"} stands for a function, class or backend of the user's
_KIND = "$kind"  # {"$kind": "shop:Haggler", "$state": {"left": 2}} stands for an object of a class, of ours or not
_STATE, _MODEL, _MEMBER = "$state", "$model", "$member"  # of a plain object, of a pydantic model, of an enumeration
_METADATA = "$metadata"  # beside what a persona says, where it comes from; left out when nobody has said
_OTHERS = {"$tuple": tuple, "$set": set, "$frozenset": frozenset, "$dict": dict}  # what JSON has no form for
_ESCAPE = "$$"  # before a user's own key that begins with a dollar
_NAMELESS = "<"  # is in the names of lambdas, of what functions define, and of what has no name at all
_KEY = re.compile(
    r"(^|[-_.])(api[-_]?key|authorization|password|secret|(access|auth|bearer)[-_]?token)$", re.IGNORECASE
)
_OWN: tuple[type, ...] = (
    Agent,
    Manners,
    MCPServer,
    *PERSONAS,
    Context,
    Dialog,
    Parameters,
    Prompts,
    *policies_by_name().values(),
    HumanSeat,
    ProxyAgent,
    Asides,
    Channel,
    Earshot,
    Blueprint,
    Making,
    Writing,
    Rewording,
    LLMDialogOutput,
    *orchestrators_by_name().values(),
    PlanStep,
    Check,
    Drift,
    DriftRule,
    Exchange,
)


class _AnyPersona(AttributeModel):
    """Of a class that is not known here."""

    model_config = ConfigDict(extra="allow", frozen=True)


def recipe_of(scenario: Scenario) -> dict[str, Any]:
    """What a scenario is made of, but for its seed; what is at its default is left out.

    Raises `SetupError` when it contains itself, or a key to a service: no journal keeps those.
    """
    for server in (tool for agent in scenario.cast for tool in agent.tools if isinstance(tool, MCPServer)):
        _refuse(str(server), (n for n, text in server.env.items() if is_written_key(n, text, by_name_only=True)))
        _refuse(str(server), (n for n, text in server.headers.items() if is_written_key(n, text)))
    for agent in scenario.cast:
        if isinstance(agent, ProxyAgent):
            _refuse(agent.own_name, written_in_url(agent.url))
            _refuse(agent.own_name, (n for n, text in agent.headers.items() if is_written_key(n, text)))
            _refuse(agent.own_name, written_in_body(agent.body))
    try:
        recipe = {name: _plain(value) for name, value in _set_fields(scenario) if name not in ("seed", "cast")}
        recipe["cast"] = [_plain(agent) for agent in scenario.cast]
    except RecursionError:
        raise SetupError("a scenario has something in it that contains itself, which no journal can keep") from None
    return recipe if type(scenario) is Scenario else {_KIND: _name(type(scenario)), **recipe}


def playable_recipe(playable: Any, **known: Any) -> dict[str, Any]:
    """As `recipe_of`, for a dataclass that a simulation plays; the recipes of some of its fields may be `known`."""
    state = {name: _plain(value) for name, value in _set_fields(playable) if name != "seed" and name not in known}
    return {_KIND: _name(type(playable)), _STATE: {**state, **known}}


def plain(value: Any) -> Any:
    """A value as recipes have it."""
    return _plain(value)


def value_from(content: Any, code: Sequence[object] = ()) -> Any:
    """What `plain` was given. Raises `CodeMissing`."""
    known = _by_name(code)
    missing = sorted(_names(content) - set(known))
    if missing:
        raise CodeMissing(tuple(missing))
    return _made(content, known)


def _refuse_key_in(parameters: Parameters) -> None:
    for name in parameters.extra:
        if _KEY.search(name):
            raise SetupError(
                f"model_parameters.extra holds {name!r}, which no journal may keep; give it by environment"
            )


def _refuse(owner: str, written: Iterable[str]) -> None:
    for name in written:
        if name == USER:
            raise SetupError(
                f"{owner} has a user or a password in its url, which no journal may keep; "
                "send the header authorization: 'Basic $NAME', where $NAME is a variable of the environment"
            )
        raise SetupError(
            f"{owner} has its {name!r} written down, which no journal may keep; "
            "write $NAME, and nothing else, for a variable of the environment"
        )


def playable_from(recipe: Mapping[str, Any], code: Sequence[object] = (), plays: bool = True) -> Playable:
    """The scenario, or what else a simulation plays. `code`: the functions, classes and backends that a recipe names.

    Without `plays` it need not be able to play: it has the names and personas of its cast, and where and why it meets;
    code that only playing needs is not asked for.

    Raises `CodeMissing` for what is not there, and for what has no name that tells it from others, such as a lambda;
    `SetupError` when two different objects go by one name; `JournalInvalid` for what is no recipe.
    """
    known = _by_name(code)
    if _STATE in recipe:
        return _playable(recipe, known, plays=plays)
    if not plays:
        recipe = _setting(recipe, known)
    missing = sorted(_names(dict(recipe)) - set(known))
    if missing:
        raise CodeMissing(tuple(missing))
    try:
        content = {name: _made(value, known) for name, value in recipe.items() if name != _KIND}
        kind: Any = known[recipe[_KIND]] if _KIND in recipe else Scenario
        scenario: Scenario = kind(**content)
    except Exception as error:  # whatever a class of the user's makes of it
        raise JournalInvalid("journal", f"has a scenario that cannot be made here: {error}") from error
    return scenario


def scenario_from(recipe: Mapping[str, Any], code: Sequence[object] = (), plays: bool = True) -> Scenario:
    """As `playable_from`, of a scenario. Raises `JournalInvalid` for the recipe of anything else, too."""
    playable = playable_from(recipe, code, plays)
    if not isinstance(playable, Scenario):
        raise JournalInvalid("journal", f"holds a {type(playable).__name__} where a scenario is wanted")
    return playable


def _playable(recipe: Mapping[str, Any], known: Mapping[str, Any], *, plays: bool) -> Playable:
    state = recipe[_STATE]
    missing = _names(recipe) - known.keys()
    if (missing and plays) or recipe[_KIND] not in known:
        raise CodeMissing(tuple(sorted(missing)))
    state = {name: value for name, value in state.items() if not _names(value) - known.keys()}
    try:
        playable: Playable = _object(known[recipe[_KIND]], {_STATE: {**state, "seed": recipe.get("seed")}}, known)
    except Exception as error:  # whatever a class of the user's makes of it
        raise JournalInvalid("journal", f"has a scenario that cannot be made here: {error}") from error
    return playable


def _by_name(code: Sequence[object]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for each in code:
        name = _name(each)
        if known.setdefault(name, each) is not each:
            raise SetupError(f"two different objects in code= go by the name {name}; give the scenarios again instead")
    return {name: each for name, each in known.items() if _NAMELESS not in name} | _own_by_name()


@cache
def _own_by_name() -> dict[str, Any]:
    return {_name(each): each for each in (*_OWN, _AnyPersona)}


def _setting(recipe: Mapping[str, Any], known: Mapping[str, object]) -> dict[str, Any]:
    """The recipe without what only playing needs and is not there."""
    setting = {name: value for name, value in recipe.items() if not _names(value) - known.keys()}
    if setting.get(_KIND, "") not in known:
        plain = ("seed", "context", "prompts", "scenario", "notes")
        setting = {name: setting[name] for name in plain if name in setting}
    return {**setting, "cast": [_part(agent, known) for agent in recipe["cast"]]}


def _part(agent: Mapping[str, Any], known: Mapping[str, object]) -> dict[str, Any]:
    state = {name: value for name, value in agent[_STATE].items() if not _names(value) - known.keys()}
    persona = agent[_STATE].get("persona")
    if persona is not None and "persona" not in state and _MODEL in persona:
        state["persona"] = {**persona, _KIND: _name(_AnyPersona)}
    return {_KIND: agent[_KIND] if agent[_KIND] in known else _name(Agent), _STATE: state}


def _set_fields(thing: Any) -> list[tuple[str, Any]]:
    """The fields of an object that are not at their default."""
    if isinstance(thing, BaseModel):
        defaults = {name: field.default for name, field in type(thing).model_fields.items()}
    else:
        defaults = {field.name: field.default for field in fields(thing)}
    values = [(name, getattr(thing, name)) for name in defaults if hasattr(thing, name)]
    return [(name, value) for name, value in values if not _are_same(value, defaults[name])]


def _are_same(value: object, default: object) -> bool:
    """1 is not True here: a prompt tells them apart."""
    try:
        return type(value) is type(default) and bool(value == default)
    except Exception:  # some arrays will not be compared
        return False


def _plain(value: Any) -> Any:
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list:
        return [_plain(each) for each in value]
    if kind is tuple:
        return {"$tuple": [_plain(each) for each in value]}
    if kind in (set, frozenset):
        return {f"${kind.__name__}": sorted((_plain(each) for each in value), key=repr)}
    if kind is dict and all(type(name) is str for name in value):
        return {f"{_ESCAPE}{name}" if name.startswith("$") else name: _plain(each) for name, each in value.items()}
    if kind is dict:
        return {"$dict": [[_plain(name), _plain(each)] for name, each in value.items()]}
    if isinstance(value, BaseModel):
        return _model(value)
    if isinstance(value, Enum):
        return {_KIND: _name(kind), _MEMBER: value.name}
    if isinstance(value, Parameters):  # of an agent, a moderator, an orchestrator, a generator
        _refuse_key_in(value)
    if not _is_code(value) and _is_open(kind):
        return {_KIND: _name(kind), _STATE: {name: _plain(each) for name, each in _state(value)}}
    return {_CODE: _name(value)}


def _model(value: BaseModel) -> dict[str, Any]:
    """All fields, so that a later default changes nothing; nameless when JSON does not give the same back."""
    kind = type(value)
    try:
        content = value.model_dump(mode="json")
        if isinstance(value, Dialog) or kind.model_validate(content) == value:
            return {_KIND: _name(kind), _MODEL: content, **(_metadata(value) if METADATA not in content else {})}
    except (PydanticSerializationError, ValueError):
        pass
    return {_CODE: _name(value)}


def _metadata(value: BaseModel) -> dict[str, Any]:
    if isinstance(value, AttributeModel) and value.has_metadata:
        return {_METADATA: value.metadata.model_dump(mode="json", exclude_unset=True)}
    return {}


def _is_open(kind: type) -> bool:
    """Whether an object of this class is its attributes and nothing else."""
    if is_dataclass(kind):
        return _is_usual(kind, "__new__")
    has_slots = any(vars(each).get("__slots__") for each in kind.__mro__)
    return kind.__dictoffset__ != 0 and not has_slots and _is_usual(kind, "__new__", "__reduce__", "__reduce_ex__")


def _is_usual(kind: type, *methods: str) -> bool:
    return all(getattr(kind, name) is getattr(object, name) for name in methods)


def _state(value: Any) -> list[tuple[str, Any]]:
    kind = type(value)
    own = _set_fields(value) if is_dataclass(value) else []
    names = {field.name for field in fields(value)} if is_dataclass(value) else set()
    more = ((name, each) for name, each in getattr(value, "__dict__", {}).items() if name not in names)
    # What is worked out of the rest, and kept so as not to be worked out again, is no state.
    return own + [(name, each) for name, each in more if not isinstance(getattr(kind, name, None), cached_property)]


def _made(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_made(each, known) for each in value]
    if not isinstance(value, dict):
        return value
    if _CODE in value:
        return known[value[_CODE]]
    if _KIND in value:
        return _object(known[value[_KIND]], value, known)
    for name, kind in _OTHERS.items():
        if name in value:
            return kind(_made(value[name], known))
    return {name.removeprefix(_ESCAPE): _made(each, known) for name, each in value.items()}


def _object(kind: Any, value: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    if _MODEL in value:
        made = kind.model_validate(value[_MODEL])
        return made.with_metadata(Metadata(**value[_METADATA])) if _METADATA in value else made
    if _MEMBER in value:
        return kind[value[_MEMBER]]
    state = {name: _made(each, known) for name, each in value[_STATE].items()}
    made = object.__new__(kind)
    for field in fields(kind) if is_dataclass(kind) else ():
        if field.default is not MISSING:
            object.__setattr__(made, field.name, field.default)
        elif field.default_factory is not MISSING:
            object.__setattr__(made, field.name, field.default_factory())
    for name, each in state.items():
        object.__setattr__(made, name, each)
    return made


def _names(value: Any) -> set[str]:
    """What code a recipe names."""
    if isinstance(value, list):
        return set().union(*map(_names, value))
    if not isinstance(value, dict):
        return set()
    own = {value[key] for key in (_CODE, _KIND) if key in value}
    return own.union(*(_names(each) for name, each in value.items() if name not in (_MODEL, _METADATA)))


def _is_code(thing: object) -> bool:
    return isinstance(thing, type | FunctionType | BuiltinFunctionType | MethodType) or bool(_service(thing))


def _service(thing: Any) -> str:
    """Whether it is a backend or an embedder, which may hold a key, so that a journal has its name only."""
    if isinstance(thing, type) or not hasattr(thing, "name"):
        return ""
    return "backend" if hasattr(thing, "complete") else "embedder" if hasattr(thing, "embed") else ""


def _name(thing: Any) -> str:
    """The name of a function or class, or of a backend or embedder; other objects have none."""
    if service := _service(thing):
        return f"{service} {thing.name}"
    owner = getattr(thing, "__self__", None)
    if _is_code(thing) and (owner is None or isinstance(owner, ModuleType)):
        return f"{thing.__module__}:{thing.__qualname__}"
    kind = type(thing)
    return f"{kind.__module__}:{kind.__qualname__} <object>"
