"""What a run puts around each of its backends: a cache of replies, and second calls for stragglers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, Self, cast

from .completion import Backend
from .errors import SetupError

__all__ = ["Cache", "CacheMode", "Hedge", "Wrappers"]

CacheMode = Literal["use", "record", "replay"]
_MODES = ("use", "record", "replay")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """A file of replies: what was asked before, of the same model and in the same way, costs no second call.

    "use" asks the model for what is not there; "record" asks for all, and keeps the newest; "replay" asks for nothing,
    and needs no model. The seed is a part of what is asked, so only runs with the same seed find each other's replies.
    """

    path: str
    mode: CacheMode = "use"

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise ValueError(f"the mode of a cache is one of {', '.join(_MODES)}, not {self.mode!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """A second call for one that takes longer than `after_s`; the first reply counts, the other call is given up.

    Without `after_s`, longer than that share of the last calls, `percentile`, took; then the first twenty have no
    second. `most` is how many calls one request can become beside its first; a budget lays aside for each. No more than
    `share` of the requests have a second call: where all are slow, more calls would only make them slower. They are not
    counted by the rates of a pace, which sees one call: leave room for `share` more below a service's own limit.
    """

    after_s: float | None = None
    percentile: float = 0.95
    most: int = 1
    share: float = 0.1

    def __post_init__(self) -> None:
        if self.after_s is not None and self.after_s <= 0:
            raise ValueError(f"a second call is made after more than 0 seconds, not {self.after_s}")
        if not 0 < self.percentile < 1 or not 0 < self.share <= 1 or self.most < 1:
            raise ValueError(f"percentile and share lie between 0 and 1, most is at least 1: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrappers:
    """Both, as a run is set up with them."""

    cache: Cache | None = None
    hedge: Hedge | None = None

    @classmethod
    def of(cls, cache: Cache | str | Path | None, hedge: Hedge | None) -> Self:
        return cls(cache=Cache(path=str(cache)) if isinstance(cache, str | Path) else cache, hedge=hedge)

    @classmethod
    def in_config(cls, config: Mapping[str, Any]) -> Self:
        """As a journal has them; one of before there were any has none."""
        cache, hedge = config.get("cache"), config.get("hedge")
        return cls(cache=None if cache is None else Cache(**cache), hedge=None if hedge is None else Hedge(**hedge))

    def to_config(self) -> dict[str, Any]:
        return {
            "cache": None if self.cache is None else asdict(self.cache),
            "hedge": None if self.hedge is None else asdict(self.hedge),
        }

    def around(self, backend: Backend) -> Backend:
        """The backend itself where there is nothing to put around it. Raises `SetupError`.

        The engine knows the name of the plug, never what is plugged in.
        """
        if self == Wrappers():
            return backend
        plugs = entry_points(group="playact.engine", name="wrap_backend")
        if not plugs:
            raise SetupError("playact is not installed as a package of this version; run `pip install -e .` again")
        wrap = cast("Callable[[Backend, Cache | None, Hedge | None], Backend]", next(iter(plugs)).load())
        return wrap(backend, self.cache, self.hedge)
