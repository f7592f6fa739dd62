"""How a run was set up, as its journal keeps it, and how it is set up again from that alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

from ..breaker import Breaker
from ..budget.budget import Budget
from ..budget.prices import Prices
from ..clock import Clock
from ..completion import Backend, Parameters
from ..errors import JournalInvalid, SetupError
from ..failures import FailurePolicy
from ..journal.disk import Disk
from ..journal.file import JournalFile
from ..pace import Pace
from ..retry import Retry
from ..settings import Settings
from ..wrappers import Cache, Hedge, Wrappers

__all__ = [
    "Changes",
    "Resumption",
    "as_json",
    "config_of",
    "config_in",
    "name_of",
    "paces_in",
    "parameters_in",
    "settings_in",
]


class Changes(TypedDict, total=False):
    """What a resumed run may be set up with otherwise, from then on; see `Simulation`."""

    concurrency: int
    retry: Retry | None
    failures: FailurePolicy | None
    budget: Budget | None
    prices: Prices | str | Path | None
    in_flight: int | None
    pace: Pace | Mapping[str, Pace] | None
    breaker: Breaker | None
    timeout_s: float | None
    cache: Cache | str | Path | None
    hedge: Hedge | None
    clock: Clock | None
    disk: Disk | None
    tune_collector: bool


@dataclass(frozen=True, slots=True)
class Resumption:
    """What is asked of a resumed run; see `Simulation.resume`."""

    dialogs: int | None = None
    retries_failed: bool = False
    code: tuple[object, ...] = ()

    @property
    def retries(self) -> tuple[str, ...]:
        """The endings that are no endings."""
        return ("failed", "budget") if self.retries_failed else ()


def name_of(model: str | Backend) -> str:
    return model if isinstance(model, str) else model.name


def config_of(
    *,
    version: str,
    seed: int,
    model: str | Backend,
    model_parameters: Parameters,
    concurrency: int,
    in_flight: int | None,
    paces: Mapping[str, Pace],
    breaker: Breaker,
    timeout_s: float | None,
    retry: Retry,
    failures: FailurePolicy,
    budget: Budget | None,
    prices: Prices | None,
    wrappers: Wrappers,
    prompts: Mapping[str, str],
    memo: Mapping[str, Any],
    opens_model: bool,
) -> dict[str, Any]:
    """What goes into the journal: no keys, no addresses, no objects."""
    return {
        "version": version,
        "seed": seed,
        "model": name_of(model),
        "is_model_an_object": not isinstance(model, str),
        "model_parameters": asdict(model_parameters),
        "concurrency": concurrency,
        "in_flight": in_flight,
        "pace": {backend: asdict(pace) for backend, pace in paces.items()},
        "breaker": asdict(breaker),
        "timeout_s": timeout_s,
        "retry": asdict(retry),
        "failures": asdict(failures),
        "budget": None if budget is None else budget.to_dict(),
        "prices": None if prices is None else prices.to_dict(),
        **wrappers.to_config(),
        **({"prompts": dict(prompts)} if prompts else {}),
        **({} if opens_model else {"opens_model": False}),
        "memo": dict(memo),
    }


def as_json(parameters: Parameters) -> Parameters:
    """The parameters as a journal gives them back, so that a call asks the same in every session of a run.

    Raises TypeError for what no JSON can say.
    """
    if parameters == Parameters():
        return parameters
    return parameters_in({"model_parameters": json.loads(json.dumps(asdict(parameters)))})


def config_in(path: Path) -> dict[str, Any]:
    """Raises `JournalInvalid`."""
    with closing(JournalFile.read(path)) as file:
        return file.config()


def settings_in(path: Path, config: Mapping[str, Any], model: str | Backend | None) -> dict[str, Any]:
    """The parameters of `Simulation` that a journal's run was set up with.

    Raises `SetupError` when the model is another than it was, or was an object that is not given now.
    """
    name = config["model"]
    if model is None and config["is_model_an_object"]:
        raise SetupError(f"the run in {path} was given a backend as an object, {name}; give it again as model=")
    if model is not None and name_of(model) != name:
        raise SetupError(
            f"the run in {path} uses the model {name}, not {name_of(model)}; to use another, fork a dialog"
        )
    try:
        return {
            "settings": Settings(),  # what holds outside is of no account
            "model": model or name,
            "model_parameters": parameters_in(config),
            "seed": config["seed"],
            "concurrency": config["concurrency"],
            "in_flight": config["in_flight"],
            "pace": paces_in(config),
            "breaker": Breaker(**config.get("breaker", {})),
            "timeout_s": config.get("timeout_s"),
            "retry": Retry(**config["retry"]),
            "failures": FailurePolicy(**config["failures"]),
            "budget": None if config["budget"] is None else Budget.from_dict(config["budget"]),
            "prices": None if config.get("prices") is None else Prices.from_dict(config["prices"]),
            "cache": (wrappers := Wrappers.in_config(config)).cache,
            "hedge": wrappers.hedge,
            "prompts": config.get("prompts"),
            "memo": config.get("memo", {}),
            "opens_model": config.get("opens_model", True),
        }
    except (TypeError, ValueError, KeyError) as error:
        raise JournalInvalid(str(path), f"has a setting that is not known here: {error}; update playact") from error


def paces_in(config: Mapping[str, Any]) -> dict[str, Pace]:
    """How fast the backends of a run are asked, by their names; see `Simulation`."""
    return {backend: Pace(**pace) for backend, pace in config.get("pace", {}).items()}


def parameters_in(config: Mapping[str, Any]) -> Parameters:
    """How the models of a run sample where an agent does not say so itself."""
    values = config.get("model_parameters") or {}
    return Parameters(**{**values, "stop": tuple(values.get("stop", ()))})
