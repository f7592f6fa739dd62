"""Python's garbage collector, tuned for a run that holds many objects which live long."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["tuned_collector"]


@contextmanager
def tuned_collector(is_wanted: bool = True) -> Iterator[None]:
    """Takes what exists now out of collection and collects more rarely; puts everything back at the end.

    This is a setting of the whole process, so nothing but the user's explicit choice turns it on.
    """
    if not is_wanted:
        yield
        return
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
