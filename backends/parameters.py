"""What a request asks beyond the common parameters, held against what a backend knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..engine.errors import ParameterUnknown

__all__ = ["refuse_unknown"]


def refuse_unknown(backend: str, given: Mapping[str, object], known: Collection[str]) -> None:
    """Raises `ParameterUnknown` for the first name in `given` that is not `known`.

    It is no failure of one call: every dialog would meet it, so it stops the run and says what is wrong.
    """
    for name in given:
        if name not in known:
            raise ParameterUnknown(backend, name, tuple(known))
