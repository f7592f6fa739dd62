"""The signals that ask a command to end: Ctrl-C, `kill`, a closed terminal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Signalled", "signals_given_to", "signals_raised"]

_ASKS_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signalled(BaseException):
    """A signal came where nobody waits for one."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"stopped by {self.number.name}"


@contextmanager
def signals_given_to(handle: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Within the running event loop of asyncio. Those that are ignored already, as `nohup` has it, stay ignored."""
    loop = asyncio.get_running_loop()
    numbers = _minded()
    for number in numbers:
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@contextmanager
def signals_raised(is_ignored: Callable[[], bool]) -> Iterator[None]:
    """Where no event loop runs: a signal raises `Signalled`, unless it is to be ignored when it comes."""

    def handle(number: int, _: FrameType | None) -> None:
        if not is_ignored():
            raise Signalled(signal.Signals(number))

    earlier = {number: signal.signal(number, handle) for number in _minded()}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _minded() -> list[signal.Signals]:
    return [number for number in _ASKS_TO_END if signal.getsignal(number) is not signal.SIG_IGN]
