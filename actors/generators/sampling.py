"""How generators say how a model samples: in keywords, as sdialog has it, and in a dialog's header."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from ...engine.completion import Backend, Parameters
from ...engine.program.resumption import name_of

__all__ = ["model_entry", "parameters_of"]

_COMMON = tuple(name for name in Parameters.__dataclass_fields__ if name != "extra")


def parameters_of(llm_kwargs: Mapping[str, Any]) -> Parameters:
    """Keywords such as `temperature=0.9`; what not all backends know is left to the backend, by its own name."""
    common = {name: value for name, value in llm_kwargs.items() if name in _COMMON}
    if stop := common.get("stop"):
        common["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
    return Parameters(**common, extra={name: value for name, value in llm_kwargs.items() if name not in _COMMON})


def model_entry(entry: Any, model: str | Backend | None, parameters: Parameters) -> dict[str, Any]:
    """What a dialog says of its model: that of the run unless it has its own, and how it is told to sample."""
    values = {name: getattr(parameters, name) for name in _COMMON}
    own = {name: value for name, value in values.items() if value not in (None, ())}
    run = dict(entry) if isinstance(entry, Mapping) else {"name": entry}
    return {**(run if model is None else {"name": name_of(model)}), **own, **deepcopy(dict(parameters.extra))}
