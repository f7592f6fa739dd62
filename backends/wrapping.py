"""Puts a cache and second calls around a backend, the cache outermost: what is known needs no call to be made twice."""

from __future__ import annotations

from ..engine.completion import Backend
from ..engine.wrappers import Cache, Hedge
from .cache import CachedBackend
from .hedge import HedgedBackend
from .human import HumanBackend
from .proxy import ProxyBackend

__all__ = ["wrapped"]


def wrapped(backend: Backend, cache: Cache | None, hedge: Hedge | None) -> Backend:
    """The backend with what a run is set up with around it, under the same name.

    A person is not asked a second time, nor answered for; nor is a system under test, which keeps its own state.
    """
    if isinstance(backend, HumanBackend | ProxyBackend):
        return backend
    if hedge is not None:
        backend = HedgedBackend(backend, hedge)
    if cache is not None:
        backend = CachedBackend(backend, cache.path, mode=cache.mode)
    return backend
