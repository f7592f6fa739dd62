"""A scenario as JSON and back, for journals: all of it that is data, and the names of what is code.

Code is never looked up by the name that a file gives: what a recipe names must be handed over, see `scenario_from`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from ..engine.completion import Parameters
from ..engine.dialog import Context, Dialog
from ..engine.errors import CodeMissing, JournalInvalid
from .agent import Agent
from .orchestrators import orchestrators_by_name
from .personas import Persona
from .scenario import Scenario
from .stage import RoundRobin

__all__ = ["recipe_of", "scenario_from"]

_CODE = "$code"  # {"$code": "shop:price"} stands for an object of ours or of the user
_KIND = "$kind"  # {"$kind": "LengthOrchestrator", "max": 8} stands for an object of a class with these fields
_ESCAPE = "$$"  # before a user's own key that begins with a dollar
_OWN: tuple[type, ...] = (Persona, Context, Dialog, Parameters, RoundRobin, *orchestrators_by_name().values())


def recipe_of(scenario: Scenario) -> dict[str, Any]:
    """What a scenario is made of, but for its seed; values that are the default are left out."""
    recipe = {name: _plain(value) for name, value in _set_fields(scenario) if name not in ("seed", "cast")}
    recipe["cast"] = [{name: _plain(value) for name, value in _set_fields(agent)} for agent in scenario.cast]
    if type(scenario) is not Scenario:
        recipe[_CODE] = _name(type(scenario))
    return recipe


def scenario_from(recipe: Mapping[str, Any], code: Sequence[object] = ()) -> Scenario:
    """The scenario. `code`: the functions, classes and other objects that it uses and a recipe only names.

    Raises `CodeMissing` for those that are not there, `JournalInvalid` for what is no recipe.
    """
    known = {_name(each): each for each in (*code, *_OWN)}
    missing = sorted(_names(recipe) - set(known))
    if missing:
        raise CodeMissing(tuple(missing))
    content = {name: _made(value, known) for name, value in recipe.items()}
    kind = content.pop(_CODE, _name(Scenario))
    try:
        cast = tuple(Agent(**agent) for agent in content.pop("cast"))
        scenario: Scenario = known.get(kind, Scenario)(cast=cast, **content)  # type: ignore[operator]  # it is a class
    except (ValidationError, TypeError, KeyError, ValueError) as error:
        raise JournalInvalid("journal", f"has a scenario that cannot be made here: {error}") from error
    return scenario


def _set_fields(thing: Any) -> list[tuple[str, Any]]:
    """The fields of an object that are not at their default."""
    if isinstance(thing, BaseModel):
        defaults = {name: field.default for name, field in type(thing).model_fields.items()}
        values = {name: getattr(thing, name) for name in defaults} | (thing.model_extra or {})
    else:
        defaults = {field.name: field.default for field in fields(thing) if field.init}
        values = {name: getattr(thing, name) for name in defaults}
    return [(name, value) for name, value in values.items() if not _is_default(value, defaults.get(name, MISSING))]


def _is_default(value: object, default: object) -> bool:
    try:
        return bool(value == default)
    except Exception:  # some arrays will not be compared
        return False


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_plain(each) for each in value]
        case dict():
            return {_escaped(str(name)): _plain(each) for name, each in value.items()}
    kind = type(value)
    if kind in _OWN or (isinstance(value, Persona) or (is_dataclass(kind) and not callable(value))):
        content = dict(value.model_dump(mode="json")) if isinstance(value, Dialog | Context) else None
        own = {name: _plain(each) for name, each in _set_fields(value)} if content is None else content
        return {_KIND: _name(kind), **own}
    if hasattr(value, "name") and hasattr(value, "complete"):  # a backend
        return {_CODE: f"backend {value.name}"}
    return {_CODE: _name(value)}


def _made(value: Any, known: Mapping[str, object]) -> Any:
    if isinstance(value, list):
        return [_made(each, known) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {_CODE}:
        return known[value[_CODE]]
    content = {name.removeprefix(_ESCAPE): _made(each, known) for name, each in value.items() if name != _KIND}
    if _KIND not in value:
        return content
    kind: Any = known[value[_KIND]]
    return TypeAdapter(kind).validate_python(content)


def _escaped(name: str) -> str:
    return f"{_ESCAPE}{name}" if name.startswith("$") else name


def _names(value: Any) -> set[str]:
    """What code a recipe names."""
    if isinstance(value, list):
        return set().union(*map(_names, value))
    if not isinstance(value, dict):
        return set()
    own = {value[key] for key in (_CODE, _KIND) if isinstance(value.get(key), str)}
    return own.union(*(_names(each) for each in value.values()))


def _name(thing: Any) -> str:
    """The name of a function or class; any other object goes by that of its class."""
    if hasattr(thing, "name") and hasattr(thing, "complete") and not isinstance(thing, type):
        return f"backend {thing.name}"
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}:{named.__qualname__}"
