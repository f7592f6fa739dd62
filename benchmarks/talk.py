"""Dialogs of two personas, played over an engine and timed, and the requests that they came to."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import repeat

from playact.actors import Agent, Persona, Scenario
from playact.engine import Capabilities, Completion, CompletionRequest, Message, Simulation
from playact.engine.completion import Backend, Usage

__all__ = ["Talk", "talk"]

ALICE = Agent(Persona(name="Alice", role="barista", personality="friendly, quick, proud of her coffee"))
BOB = Agent(Persona(name="Bob", role="customer", personality="curious and polite"))


@dataclass(frozen=True, slots=True)
class Talk:
    """What was played; `requests` are in the order of asking."""

    dialogs: int
    seconds: float
    usage: Usage
    requests: tuple[CompletionRequest, ...]

    @property
    def tokens_per_s(self) -> float:
        return self.usage.completion_tokens / self.seconds

    @property
    def dialogs_per_min(self) -> float:
        return 60 * self.dialogs / self.seconds

    @property
    def cached(self) -> float:
        """The part of all tokens of prompts that needed no computing."""
        return self.usage.cached_tokens / self.usage.prompt_tokens

    @property
    def rounds(self) -> list[list[CompletionRequest]]:
        """The requests of all first turns, of all second ones and so on."""
        rounds = defaultdict[int, list[CompletionRequest]](list)
        for request in self.requests:
            rounds[request.sequence].append(request)
        return list(rounds.values())


async def talk(backend: Backend, dialogs: int, *, turns: int) -> Talk:
    """Plays so many dialogs, all at once, and closes the backend. The first request, which is slow, does not count."""
    recorded = _Recorded(backend)
    await recorded.open()
    await recorded.complete(CompletionRequest(messages=(Message("user", "Good morning."),)))
    recorded.forget()
    scenario = Scenario(cast=(ALICE, BOB), max_turns=turns)
    async with Simulation(model=recorded, concurrency=dialogs, seed=1) as simulation:
        clock = time.perf_counter()
        async for dialog in simulation.run(repeat(scenario, dialogs)):
            assert dialog.ending is not None
            assert not dialog.ending.failed, dialog.ending
        seconds = time.perf_counter() - clock
    return Talk(dialogs, seconds, recorded.usage, tuple(recorded.requests))


class _Recorded:
    """A backend around a backend that keeps what it was asked."""

    def __init__(self, backend: Backend) -> None:
        self.name = backend.name
        self.usage = Usage()
        self.requests: list[CompletionRequest] = []
        self._backend = backend

    @property
    def capabilities(self) -> Capabilities:
        return self._backend.capabilities

    async def open(self) -> None:
        await self._backend.open()

    async def complete(self, request: CompletionRequest) -> Completion:
        self.requests.append(request)
        completion = await self._backend.complete(request)
        self.usage += completion.usage
        return completion

    async def aclose(self) -> None:
        await self._backend.aclose()

    def forget(self) -> None:
        self.usage = Usage()
        self.requests.clear()
