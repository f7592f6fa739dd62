"""The actor that plays an agent in one dialog: it listens, takes advice, asks its model, and answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from ..engine.actor import Actor, ActorRef, handles
from ..engine.completion import Backend, CompletionRequest, ToolCall, Usage
from ..engine.errors import ReplyEmpty, ReplyInvalid
from ..engine.messages import EndMarked, Fact, Instructed, Request, Thought, ToolCalled, ToolReturned, Uttered
from ..engine.performance import Performance
from ..engine.seeds import derive, generator
from .agent import Agent
from .endings import without_marker
from .memory import Memory
from .orchestrators import Advise, Orchestrator
from .tools import Toolbox

__all__ = ["AgentActor", "Part", "TakeTurn"]

_EMPTY_REPLIES = 3
_TOOL_ROUNDS = 8
_THINKING = re.compile(r"<think>(.*?)</think>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An agent's part in a scenario, the same in every dialog played from it."""

    agent: Agent
    name: str
    prompt: str
    speakers: int
    toolbox: Toolbox | None
    advisers: tuple[tuple[str, Orchestrator], ...]


@dataclass(frozen=True, slots=True)
class TakeTurn(Request[tuple[Fact, ...]]):
    """Asks an agent to speak. The answer is the turn as its speaker leaves it: facts still to be published."""


@dataclass(slots=True)
class _Draft:
    """What a turn has come to so far; it counts for nothing until the stage publishes it."""

    attempts: int
    facts: list[Fact] = field(default_factory=list)
    usage: Usage = Usage()


class AgentActor(Actor):
    """Plays an agent. Its memory is a fold over the dialog's facts: a turn given up half-way leaves no trace in it."""

    __slots__ = ("_advisers", "_agent", "_backend", "_memory", "_name", "_parameters", "_performance", "_toolbox")

    def __init__(self, part: Part, advisers: Sequence[ActorRef], performance: Performance) -> None:
        self._agent = part.agent
        self._name = part.name
        self._toolbox = part.toolbox
        self._advisers = advisers
        self._performance = performance
        self._parameters = performance.parameters(part.agent.model_parameters)
        self._backend: Backend | None = None
        self._memory = Memory(part.prompt, part.name, names_speakers=part.speakers > 2, hears=part.agent.preprocess)

    def fold(self, fact: Fact) -> None:
        self._memory.take(fact)

    @handles(TakeTurn)
    async def take_turn(self, request: TakeTurn) -> tuple[Fact, ...]:
        """Raises `BackendError` when the model cannot be had, `ReplyEmpty` when it keeps saying nothing."""
        attempts = 0
        advice = [given for adviser in self._advisers if (given := await self._advice(adviser)) is not None]
        while True:
            try:
                return await self._turn(attempts, advice)
            except (ReplyEmpty, ReplyInvalid) as error:
                attempts += 1
                if not self._performance.may_take_turn_again(error, attempts):
                    raise

    async def _advice(self, adviser: ActorRef) -> Instructed | None:
        """Asked for once a turn, however often the turn is tried: an orchestrator may count its turns."""
        return await self.ask(adviser, Advise(self._memory.last_heard))

    async def _turn(self, attempts: int, advice: Sequence[Instructed]) -> tuple[Fact, ...]:
        draft = _Draft(attempts, list(advice))
        if self._memory.is_blank and self._agent.first_utterance:
            text, has_finished = self._opening(), False
        else:
            text, has_finished = await self._reply(draft)
        if self._agent.postprocess is not None:
            text = self._agent.postprocess(text)
        if text:
            draft.facts.append(Uttered(self._name, text, draft.usage))
        elif not has_finished:
            raise ReplyEmpty(self._name, 1)  # after its own postprocessing
        if has_finished:
            draft.facts.append(EndMarked(self._name))
        return tuple(draft.facts)

    def _opening(self) -> str:
        openings = self._agent.openings
        if len(openings) == 1:
            return openings[0]
        return generator(self._performance.seed, self._name, "first utterance").choice(openings)

    async def _reply(self, draft: _Draft) -> tuple[str, bool]:
        """The model's words, and whether it means to end the dialog; the tools that it asks for answer meanwhile."""
        performance, agent = self._performance, self._agent
        backend = self._backend
        if backend is None:
            backend = self._backend = await performance.backend(agent.model)
        tool_rounds = empty_replies = 0
        while empty_replies < _EMPTY_REPLIES:
            request = self._request(draft, offers_tools=tool_rounds < _TOOL_ROUNDS)
            completion = await performance.complete(backend, request)
            draft.usage = draft.usage + completion.usage if draft.usage.total_tokens else completion.usage
            if completion.thinking:
                draft.facts.append(Thought(self._name, completion.thinking))
            if completion.tool_calls and request.tools and self._toolbox is not None:
                tool_rounds += 1
                for call in completion.tool_calls:
                    draft.facts += await self._use(self._toolbox, call)
                continue
            text, has_finished = self._words(completion.text, draft)
            if text or has_finished:
                return text, has_finished and agent.can_finish
            empty_replies += 1
        raise ReplyEmpty(self._name, empty_replies)

    async def _use(self, toolbox: Toolbox, call: ToolCall) -> tuple[Fact, Fact]:
        called = ToolCalled(self._name, call.name, toolbox.arguments(call), call.id)
        output = await self._performance.once(f"{call.name} {call.id} {call.arguments}", partial(toolbox.call, call))
        return called, ToolReturned(self._name, call.name, output, call.id)

    def _words(self, text: str, draft: _Draft) -> tuple[str, bool]:
        """What is said aloud: without thoughts, the speaker's own name before it, and the end marker."""
        if "<think>" in text:
            draft.facts += (Thought(self._name, thought.strip()) for thought in _THINKING.findall(text))
            text = _THINKING.sub("", text)
        text = text.strip()
        if text.startswith(f"{self._name}:"):
            text = text[len(self._name) + 1 :].lstrip()
        return without_marker(text)

    def _request(self, draft: _Draft, *, offers_tools: bool) -> CompletionRequest:
        performance, agent = self._performance, self._agent
        sequence = performance.calls
        return CompletionRequest(
            messages=self._memory.messages(draft.facts),
            parameters=self._parameters,
            seed=derive(performance.seed, self._name, sequence),
            tools=self._toolbox.specs if self._toolbox is not None and offers_tools else (),
            think=agent.think or None,
            dialog=performance.id,
            sequence=sequence,
            attempt=draft.attempts,
            age=performance.number,
        )
