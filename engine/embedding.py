"""Texts as vectors, so that a machine can tell which mean nearly the same: the port, and its use by a whole run."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from heapq import nlargest
from importlib.metadata import entry_points
from operator import mul
from typing import Protocol, cast

import anyio

from .clock import Clock
from .errors import BackendError, ReplyInvalid, SetupError
from .retry import Retry, verdict_on

__all__ = ["Embedder", "Embeddings", "Vector", "embedder_named"]

Vector = Sequence[float]
_MOST_TEXTS = 256  # of one call
_MOST_SHELVES = 256  # of texts that are compared again and again


class Embedder(Protocol):
    """What turns texts into vectors. One object serves a whole run, one call at a time.

    `embed` gives one vector for each text, in their order, all of one length; the same text has the same vector. It
    raises as `Backend.complete` does, `open` raises `SetupError` when something must be put right first.
    """

    @property
    def name(self) -> str: ...

    async def open(self) -> None: ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]: ...

    async def aclose(self) -> None: ...


class Embeddings:
    """An embedder as all dialogs of a run share it.

    What comes while a call is under way goes with the next one, all together. Calls that fail are tried again as calls
    to models are.
    """

    def __init__(self, embedder: Embedder, clock: Clock, retry: Retry | None = None) -> None:
        self.calls = 0
        self._embedder = embedder
        self._clock = clock
        self._retry = retry or Retry()
        self._waiting: list[_Ticket] = []
        self._one_call = anyio.Lock()
        self._shelves: OrderedDict[tuple[str, ...], list[Vector]] = OrderedDict()
        self._shelving = anyio.Lock()

    @classmethod
    @asynccontextmanager
    async def opened(cls, embedder: str | Embedder, clock: Clock) -> AsyncGenerator[Embeddings, None]:
        """Raises `SetupError`."""
        embedder = embedder_named(embedder) if isinstance(embedder, str) else embedder
        try:
            await embedder.open()
            yield cls(embedder, clock)
        finally:
            with anyio.CancelScope(shield=True):
                await embedder.aclose()

    async def nearest(self, text: str, texts: Sequence[str], count: int) -> list[int]:
        """The places in `texts` of the `count` that mean most nearly what `text` means, the nearest first.

        Raises the last `BackendError` when trying again is of no use or has gone on long enough.
        """
        shelf = await self._shelf(tuple(texts))
        (vector,) = await self.of([text])
        likeness = [sum(map(mul, vector, other)) for other in shelf]
        return nlargest(count, range(len(texts)), key=lambda place: (likeness[place], -place))

    async def of(self, texts: Sequence[str]) -> list[Vector]:
        """The vectors of texts, each of length 1: their products are the cosines of their angles."""
        ticket = _Ticket(texts)
        self._waiting.append(ticket)
        try:
            async with self._one_call:
                if ticket in self._waiting:  # else it went with another's call
                    await self._call(self._next())
        finally:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.vectors

    async def _shelf(self, texts: tuple[str, ...]) -> list[Vector]:
        async with self._shelving:
            shelf = self._shelves.get(texts)
            if shelf is None:
                shelf = []
                for begin in range(0, len(texts), _MOST_TEXTS):
                    shelf += await self.of(texts[begin : begin + _MOST_TEXTS])
                self._shelves[texts] = shelf
                if len(self._shelves) > _MOST_SHELVES:
                    self._shelves.popitem(last=False)
            self._shelves.move_to_end(texts)
        return shelf

    def _next(self) -> list[_Ticket]:
        """Those that go together: as many as fit, and at least the first."""
        tickets: list[_Ticket] = []
        size = 0
        for ticket in self._waiting:
            if tickets and size + len(ticket.texts) > _MOST_TEXTS:
                break
            tickets.append(ticket)
            size += len(ticket.texts)
        return tickets

    async def _call(self, tickets: list[_Ticket]) -> None:
        """Those that went leave the queue; all stay in it when the caller is cancelled, and the next one calls."""
        texts = list(dict.fromkeys(text for ticket in tickets for text in ticket.texts))
        error: BackendError | None = None
        vectors: dict[str, Vector] = {}
        try:
            vectors = dict(zip(texts, await self._tried(texts), strict=True))
        except BackendError as failure:
            error = failure
        for ticket in tickets:
            ticket.error = error
            if error is None:
                ticket.vectors = [vectors[text] for text in ticket.texts]
            self._waiting.remove(ticket)

    async def _tried(self, texts: list[str]) -> list[Vector]:
        attempts = 0
        while True:
            try:
                self.calls += 1
                return self._checked(await self._embedder.embed(texts), len(texts))
            except BackendError as error:
                attempts += 1
                wait_s = self._retry.wait_s(verdict_on(error), attempts, attempts)
                if wait_s is None:
                    raise
            await self._clock.sleep(wait_s)

    def _checked(self, vectors: Sequence[Vector], count: int) -> list[Vector]:
        if len(vectors) != count or len({len(vector) for vector in vectors}) > 1:
            raise ReplyInvalid(self._embedder.name, f"it gave {len(vectors)} vectors for {count} texts, or uneven ones")
        return [self._unit(vector) for vector in vectors]

    def _unit(self, vector: Vector) -> Vector:
        length = math.hypot(*vector)
        if not math.isfinite(length):
            raise ReplyInvalid(self._embedder.name, "a vector has a number in it that is none")
        return [number / length for number in vector] if length else vector


class _Ticket:
    __slots__ = ("error", "texts", "vectors")

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.vectors: list[Vector] = []
        self.error: BackendError | None = None


def embedder_named(name: str) -> Embedder:
    """The embedder of a name, as "static" or "openai:text-embedding-3-small", not opened yet. Raises `SetupError`."""
    plugs = entry_points(group="playact.engine", name="open_embedder")
    if not plugs:
        raise SetupError("playact is not installed as a package; run `pip install -e .` in its folder")
    return cast("Embedder", next(iter(plugs)).load()(name))
