"""Tries many seeds, in several processes where that is asked for, and gives the verdicts in the order of the seeds."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice

from .trial import Trial, Verdict

__all__ = ["verdicts"]

_CHUNK = 16  # seeds for a process at once: about a second


def verdicts(make: Callable[[], Trial], seeds: Sequence[int], *, jobs: int = 1) -> Generator[Verdict, None, None]:
    """The verdict on each seed. Close the iterator to stop; what other processes have begun ends within a second or so.

    make: gives what is to be tried, in each process anew; with more than one job it is pickled. What it raises is
    raised here.
    """
    if jobs == 1:
        trial = make()
        yield from map(trial.run, seeds)
        return
    chunks = iter(range(0, len(seeds), _CHUNK))
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_prepare)
    try:
        coming: deque[Future[list[Verdict]]] = deque()
        while True:
            for first in islice(chunks, 2 * jobs - len(coming)):
                coming.append(pool.submit(_try, make, seeds[first : first + _CHUNK]))
            if not coming:
                return
            yield from coming.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


_made: list[tuple[Callable[[], Trial], Trial]] = []  # of this process, which tries nothing else


def _prepare() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the business of who gave the work
    logging.getLogger("playact").setLevel(logging.CRITICAL)
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def _try(make: Callable[[], Trial], seeds: Sequence[int]) -> list[Verdict]:
    if not _made:
        _made.append((make, make()))
    trial = _made[0][1]
    return [trial.run(seed) for seed in seeds]
