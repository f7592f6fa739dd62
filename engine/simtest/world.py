"""What the parts of one trial share: its trace, whether the process is alive, and which laws were broken."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from ..clock import VirtualClock
from ..seeds import derive_id

__all__ = ["Broken", "Trace", "World"]


@dataclass(frozen=True, slots=True)
class Broken:
    """A law that was broken, and how, in words for whoever has to put it right."""

    law: str
    message: str


_EPOCH = 1_700_000_000.0  # Unix seconds


class Trace:
    """What happened, in order, with its virtual time. The same seed gives the same trace to the byte."""

    def __init__(self) -> None:
        self._events: list[tuple[float, tuple[object, ...]]] = []

    def add(self, time: float, *words: object) -> None:
        self._events.append((time, words))

    def lines(self) -> list[str]:
        return [f"{time:11.6f} {' '.join(map(str, words))}" for time, words in self._events]

    def digest(self) -> str:
        return sha256("\n".join(self.lines()).encode("utf-8", "backslashreplace")).hexdigest()


class World:
    """One trial's. Between `begin` and `kill` a process is alive in it; after that nothing it does has any effect."""

    def __init__(self, run_seed: int, dialogs: int) -> None:
        self.trace = Trace()
        self.broken: list[Broken] = []
        self.ids = [derive_id(run_seed, "dialog", number) for number in range(dialogs)]
        self.numbers = {id: number for number, id in enumerate(self.ids)}
        self.session = -1
        self.clock = VirtualClock()
        self.is_dead = True
        self.survivors: dict[str, bytes] | None = None  # the files as they are after a mishap, where that is decided
        self._earlier_s = 0.0
        self._loop: AbstractEventLoop | None = None
        self._on_kill: Callable[[], None] = lambda: None

    def begin(self, loop: AbstractEventLoop, on_kill: Callable[[], None]) -> None:
        """A process begins in this loop; `on_kill` is to give all its tasks up."""
        self.session += 1
        self.clock = VirtualClock(_EPOCH + self._earlier_s)
        self._loop = loop
        self.survivors = None
        self.is_dead = False
        self._on_kill = on_kill

    def end(self) -> None:
        self._earlier_s = round(self._earlier_s + self._now() + 60.0, 6)
        self.is_dead = True

    def kill(self, *why: object, survivors: dict[str, bytes] | None) -> None:
        """The process is gone: nothing it still does reaches the disk, a model or a subscriber."""
        if not self.is_dead:
            self.tell("killed", *why)
            self.survivors = survivors
            self.is_dead = True
            self._on_kill()

    def tell(self, *words: object) -> None:
        """Adds to the trace what happens while the process is alive."""
        if not self.is_dead:
            self.trace.add(self._earlier_s + self._now(), *words)

    def later(self, seconds: float, call: Callable[[], object]) -> None:
        """Calls something, unless the process is dead by then."""
        assert self._loop is not None
        self._loop.call_later(seconds, lambda: self.is_dead or call())

    def breaks(self, law: str, message: str) -> None:
        self.tell("BROKEN", law)
        self.broken.append(Broken(law, message))

    def _now(self) -> float:
        return 0.0 if self._loop is None else self._loop.time()
