"""What a file holds to be tried: the scenario of a YAML file, or what a Python file defines, on a scripted model."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from ..backends.scripted import ScriptedBackend
from ..engine.completion import Backend
from ..engine.errors import FileInvalid
from ..engine.performance import Playable
from ..engine.simtest import Trial
from .playbill import Playbill
from .scenario import Scenario

__all__ = ["trial_in"]


def trial_in(path: Path) -> Trial:
    """Raises `FileInvalid` for a file that is none, and for what goes wrong in a Python file.

    A Python file is run, as `python FILE` would, and defines `scenarios` or `scenario`, where generators' `writing` and
    the like may be too; it may define `backend`, a function of a seed, for what its agents hear. No other model is
    asked, whatever agents, orchestrators and others name.
    """
    if path.suffix == ".py":
        module = _module(path)
        return Trial(scenarios=_scenarios(path, module), backend=_backend(path, module), code=_code(module))
    playbill = Playbill.from_file(path)
    playbill = playbill.with_stand_ins(1)
    few = playbill.scenarios(max(1, len(playbill.contexts)))
    return Trial(scenarios=[_without_models(scenario) for scenario in few], backend=_small_talk)


def _small_talk(seed: int) -> ScriptedBackend:
    return ScriptedBackend()


def _module(path: Path) -> ModuleType:
    name = f"playact_simtest_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileInvalid(str(path), None, "there is no such file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pydantic look for the names in annotations
    if (folder := str(path.resolve().parent)) not in sys.path:
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else own[-1].lineno if own else None
        raise FileInvalid(str(path), line, f"{type(error).__name__}: {error}") from error
    return module


def _scenarios(path: Path, module: ModuleType) -> Sequence[Playable]:
    found: Any = getattr(module, "scenarios", None) or getattr(module, "scenario", None)
    several = [found] if _is_played(found) else found
    if not isinstance(several, Iterable) or not (scenarios := list(several)):
        raise FileInvalid(str(path), None, "defines no `scenario`, and no `scenarios` with one in it")
    if not all(map(_is_played, scenarios)):
        raise FileInvalid(str(path), None, "has something in `scenarios` that is no Scenario")
    return [_without_models(scenario) if isinstance(scenario, Scenario) else scenario for scenario in scenarios]


def _is_played(scenario: Any) -> bool:
    return all(callable(getattr(scenario, name, None)) for name in ("dialog", "play", "recipe"))


def _backend(path: Path, module: ModuleType) -> Callable[[int], Backend]:
    made: Any = getattr(module, "backend", _small_talk)
    if not callable(made):
        raise FileInvalid(str(path), None, "has a `backend` that is no function of a seed")
    return made  # type: ignore[no-any-return]  # what it gives is seen when it is asked


def _code(module: ModuleType) -> tuple[object, ...]:
    """The functions and classes that the file defines or has imported."""
    return tuple({id(each): each for each in vars(module).values() if isinstance(each, FunctionType | type)}.values())


def _without_models(scenario: Scenario) -> Scenario:
    return scenario.model_copy(update={"cast": tuple(replace(agent, model=None) for agent in scenario.cast)})
